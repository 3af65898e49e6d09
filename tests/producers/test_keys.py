"""Keys that change: read again, used where they are needed, never shown, never a reason to end."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection

from headroom.base.environment import Environment
from headroom.run.venue.keys import keys_again
from producers.errors import ConfigurationError
from producers.feed import Feed
from producers.hercle import HercleSettings
from producers.hercle import lines as hercle_lines
from producers.keys import Keys
from producers.line import Lines
from producers.outcomes import ReconnectReason
from producers.pace import RateBound
from producers.sfox import SfoxLine, SfoxSettings
from schemas.secrets import Secret
from tests.producers import frames, topics
from tests.producers.test_negotiate import balances, hub, web
from tests.producers.test_service import around, hurried
from tests.producers.test_service import carry as produce
from tests.producers.worlds import CALM, Given, running, until, venue

OLD, NEW = "canary-key-old-0001", "canary-key-new-0002"
LOG = logging.getLogger("tests.producers")


class Source:
    """What a file of keys holds."""

    def __init__(self, *keys: str) -> None:
        self.keys: tuple[str, ...] = keys
        self.problem = ""

    def read(self) -> Sequence[Secret]:
        if self.problem:
            raise ConfigurationError("HEADROOM_SFOX_API_KEY_FILE", self.problem)
        return [Secret(key) for key in self.keys]


def test_what_cannot_be_right_changes_nothing_and_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = Source(OLD)
    keys = Keys(source.read(), source.read)
    caplog.set_level(logging.INFO)
    for source.problem in ("cannot be read: FileNotFoundError", ""):
        source.keys = (OLD, NEW)
        for _ in range(2):
            assert not keys.renew(LOG)
    assert (keys.of("1").reveal(), keys.version("1")) == (OLD, 0)
    assert len(caplog.messages) == 2
    assert "2 keys instead of 1" in caplog.messages[1]
    source.keys = (NEW,)
    assert keys.renew(LOG)
    assert not keys.renew(LOG)
    assert (keys.of("1").reveal(), keys.version("1")) == (NEW, 1)
    assert OLD not in caplog.text
    assert NEW not in caplog.text


# -- files


def make(key: Secret) -> list[Secret]:
    settings = SfoxSettings(api_key=Secret(OLD))
    return [msgspec.structs.replace(settings, api_key=key).api_key]


def again(path: Path) -> Any:
    environment = Environment({"HEADROOM_SFOX_API_KEY_FILE": str(path)})
    return keys_again(environment, "SFOX_API_KEY", make)


def test_a_file_is_read_again_where_it_holds_something_else(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(OLD + "\n")
    read = again(path)
    assert [key.reveal() for key in read()] == [OLD]
    assert read() is None
    # As Kubernetes does it: a link that leads elsewhere.
    (tmp_path / "other").write_text(NEW)
    path.unlink()
    path.symlink_to(tmp_path / "other")
    assert [key.reveal() for key in read()] == [NEW]


@pytest.mark.parametrize("text", [None, "", "two words", "line\nbreak", "\udcff"])
def test_a_file_in_the_middle_of_a_change_is_an_error_that_shows_nothing(
    text: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "key"
    path.write_text(OLD)
    read = again(path)
    read()
    path.unlink()
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    for _ in range(2):  # it is not taken for known
        with pytest.raises(ConfigurationError, match="SFOX_API_KEY") as caught:
            read()
    assert "two words" not in str(caught.value)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    assert again(tmp_path / "pipe")() is None


def test_a_key_in_a_variable_cannot_change() -> None:
    environment = Environment({"HEADROOM_SFOX_API_KEY": OLD})
    assert keys_again(environment, "SFOX_API_KEY", make) is None


# -- lines


class Venue:
    """An sFOX that lets some keys in; `came` are the keys that it was shown."""

    def __init__(self, *accepted: str) -> None:
        self.accepted = set(accepted)
        self.came: list[str] = []

    async def talk(self, socket: ServerConnection) -> None:
        key = json.loads(await socket.recv())["apiKey"]
        self.came.append(key)
        if key not in self.accepted:
            await socket.send(frames.WRONG_KEY.decode())
        else:
            await socket.send(frames.AUTHENTICATED.decode())
            await socket.recv()
            await socket.send(frames.SUBSCRIBED.decode())
        await socket.wait_closed()


class Keyed(Given):
    """A feed with keys out of a source, whose long pauses last until they are cut short."""

    def __init__(self, url: str, source: Source) -> None:
        self.keys = Keys(source.read(), source.read)
        settings = SfoxSettings(api_key=self.keys.of("1"), url=url, deadlines=CALM)
        line = SfoxLine(settings, self.keys)
        super().__init__(line)
        world = msgspec.structs.replace(self.feed._world, key_ring=self.keys, sleep=self._long)
        self.feed = Feed(line, world)

    async def _long(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0 if seconds < 60 else 3_600)

    def read_again(self, *, at_once: bool) -> None:
        self.keys.renew(LOG)
        self.feed.rekeyed(at_once=at_once)


@asynccontextmanager
async def keyed(served: Venue, source: Source) -> AsyncIterator[Keyed]:
    async with venue(served.talk) as url:
        given = Keyed(url, source)
        async with running(given):
            yield given


async def test_after_a_refusal_the_key_that_is_there_by_now_is_tried_without_the_long_pause() -> (
    None
):
    served, source = Venue(NEW), Source(OLD)
    async with venue(served.talk) as url:
        given = Keyed(url, source)
        source.keys = (NEW,)  # it was changed before the venue refused the old one
        async with running(given):
            await until(lambda: given.feed.health().state == "connected")
    assert served.came == [OLD, NEW]
    assert max(given.slept, default=0) < 60


async def test_who_waits_after_a_refusal_tries_another_key_as_soon_as_it_is_there() -> None:
    served, source = Venue(NEW), Source(OLD)
    async with keyed(served, source) as given:
        await until(lambda: any(seconds > 60 for seconds in given.slept))
        given.read_again(at_once=False)
        source.keys = (NEW,)
        given.read_again(at_once=False)
        await until(lambda: given.feed.health().state == "connected")
    assert served.came == [OLD, NEW]


async def test_who_waits_tries_the_same_key_again_where_somebody_says_so() -> None:
    served, source = Venue(), Source(OLD)
    async with keyed(served, source) as given:
        await until(lambda: any(seconds > 60 for seconds in given.slept))
        served.accepted.add(OLD)
        given.read_again(at_once=True)
        await until(lambda: given.feed.health().state == "connected")
    assert served.came == [OLD, OLD]


async def test_a_connection_that_stands_is_made_anew_only_where_somebody_says_so() -> None:
    served, source = Venue(OLD, NEW), Source(OLD)
    async with keyed(served, source) as given:
        await until(lambda: given.feed.health().state == "connected")
        given.read_again(at_once=True)  # nothing is other
        source.keys = (NEW,)
        given.read_again(at_once=False)
        assert given.feed.health().state == "connected"
        assert served.came == [OLD]
        given.read_again(at_once=True)
        await until(lambda: given.feed.reconnects[ReconnectReason.KEY_CHANGED])
        await until(lambda: given.feed.health().state == "connected")
    assert served.came == [OLD, NEW]


async def test_the_line_of_a_key_that_was_given_up_comes_back_with_another_one(
    kafka: Any,
) -> None:
    at = await topics.fresh(kafka.bootstrap)
    source = Source("one", "bad")
    async with hub() as served:

        def answer(times: int) -> object:
            if served.asked[times - 1][1] == "Bearer bad":
                return web.Response(status=401)
            return {"connectionToken": f"t{times}"}

        served.answers, served.talks = answer, balances
        settings = HercleSettings(
            url=served.url, api_keys=tuple(source.read()), client_id="me", deadlines=CALM
        )
        both = hercle_lines(settings, source.read)
        lines = Lines(at, both.lines, RateBound(99), RateBound(999), key_ring=both.key_ring)
        told = asyncio.Event()
        given = around(sleep=hurried, read_keys=told)
        carrying = asyncio.create_task(carried(kafka, at, lines, given))
        name, labels = "headroom_producer_keys_refused_total", {"venue": at.name}
        await until(lambda: given["registry"].get_sample_value(name, labels))
        source.keys = ("one", "two")
        told.set()
        await until(lambda: any(asked[1] == "Bearer two" for asked in served.asked))
        await until(lambda: len(served.upgraded) == 2)
        given["stop"].set()
        report = await carrying
    assert (report.keys_refused, report.connections) == (0, 2)


async def carried(kafka: Any, at: Any, lines: Lines, given: dict[str, Any]) -> Any:
    from headroom.base.following import Reader
    from processors.engine.librdkafka import properties
    from producers.statuses import StatusSettings

    servers = {"bootstrap_servers": kafka.bootstrap}
    statuses = StatusSettings(
        topic=topics.feeds_topic(at), every_seconds=0.2, public_topic=topics.public_topic(at)
    )
    follow = Reader(lambda: properties(servers))
    async with asyncio.timeout(30):
        return await produce(
            lines, servers, follow=follow, access=follow.access, statuses=statuses, **given
        )
