"""What a venue's limits outlive: a restart, a clock that was set, a file that is damaged."""

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given as generated
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from producers.bounds import AWAY_SECONDS_MAX, Bounds, FileStore, Past, Store
from producers.feed import Feed
from producers.pace import RateBound
from producers.sfox import SfoxLine, SfoxSettings
from schemas.secrets import Secret
from tests.producers import frames
from tests.producers.worlds import CALM, CANARY, Given, running, until, venue

LOG = logging.getLogger("tests.producers")
S = 1_000_000_000


class Process:
    """One process after the other on one store: `now` is the clock of the machine, in seconds."""

    def __init__(self, store: Store | None, now: float = 5_000.0, keys: str = "k") -> None:
        self.now = now
        self.booted = 0.0
        self.attempts, self.requests = RateBound(15), RateBound(40)
        self.bounds = Bounds(
            store,
            attempts=self.attempts,
            requests=self.requests,
            keys=keys,
            clock_ns=lambda: round(self.now * S),
            monotonic=lambda: self.now - self.booted,
            log=LOG,
        )
        self.bounds.restore()

    def use(self, bound: RateBound, times: int = 1) -> None:
        for _ in range(times):
            bound.note(self.now - self.booted)
            self.bounds.used(bound)

    def waits(self, bound: RateBound) -> float:
        return bound.wait_seconds(self.now - self.booted)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "spool/sfox/bounds.json")


def test_what_was_used_counts_in_the_next_process(store: FileStore) -> None:
    one = Process(store)
    one.use(one.attempts, 15)
    one.use(one.requests, 10)
    one.now += 20
    one.use(one.requests, 30)
    two = Process(store, one.now + 10)
    assert two.waits(two.attempts) == pytest.approx(30)
    assert two.waits(two.requests) == pytest.approx(30)
    late = Process(store, one.now + 100)
    assert (late.waits(late.attempts), late.waits(late.requests)) == (0, 0)


def test_a_limit_of_a_second_is_not_kept(store: FileStore) -> None:
    """A process takes longer to start; and it would be written thirty times a second."""
    one = Process(store)
    one.requests.window_seconds = 1.0
    one.use(one.requests, 30)
    assert store.load() == Past()


def test_a_venue_that_sent_us_away_is_not_dialled_by_the_next_process_either(
    store: FileStore,
) -> None:
    one = Process(store)
    one.bounds.stay_away("1", 100)
    one.bounds.stay_away("2", 130, for_key=True)
    two = Process(store, one.now + 40)
    assert two.bounds.away("1") == (pytest.approx(60), False)
    assert two.bounds.away("2") == (pytest.approx(90), True)
    assert two.bounds.away("3") == (0, False)
    other = Process(store, one.now + 40, keys="another")
    assert other.bounds.away("1") == (pytest.approx(60), False)
    assert other.bounds.away("2") == (0, False)
    assert Process(store, one.now + 101).bounds.away("1") == (0, False)


@pytest.mark.parametrize("back", [10, 3_600, 10**9])
def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_he_was_told(
    back: int, store: FileStore
) -> None:
    one = Process(store, 2e9)
    one.use(one.attempts, 15)
    one.bounds.stay_away("1", 100)
    two = Process(store, one.now - back)
    assert 0 < two.waits(two.attempts) <= 60
    assert two.bounds.away("1") == (100, False)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b'{"format": 2}', b'{"attempts_ns": "x"}', b"\xff", b"[" * 100_000],
)
def test_a_file_of_no_use_is_said_and_replaced(
    text: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "bounds.json"
    path.write_bytes(text)
    one = Process(FileStore(path))
    assert "how often the venue was dialled" in caplog.text
    one.use(one.attempts, 15)
    two = Process(FileStore(path), one.now + 1)
    assert two.waits(two.attempts) == pytest.approx(59)


def test_a_folder_that_takes_nothing_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    one = Process(FileStore(tmp_path / "file/bounds.json"))
    one.use(one.attempts, 3)
    assert caplog.text.count("cannot be kept") == 1
    assert one.waits(one.attempts) == 0
    assert Process(None).bounds.away("1") == (0, False)


TIMES = st.lists(st.integers(-(2**62), 2**62), max_size=50)


@generated(attempts=TIMES, until_ns=st.integers(-(2**62), 2**62), seconds=st.floats(0, 1e9))
def test_whatever_stands_there_never_keeps_us_away_for_long(
    attempts: Sequence[int], until_ns: int, seconds: float
) -> None:
    class Kept:
        def load(self) -> Past:
            told = {
                "attempts_ns": attempts,
                "away": {"1": {"until_ns": until_ns, "seconds": seconds}},
            }
            return msgspec.convert(told, Past)

        def save(self, past: Past) -> None:
            pass

    found = Process(Kept())
    assert 0 <= found.waits(found.attempts) <= 60
    assert 0 <= found.bounds.away("1")[0] <= AWAY_SECONDS_MAX


# -- with a feed


class Restarted(Given):
    """A feed of a process that was started just now, on a store."""

    def __init__(self, url: str, store: Store) -> None:
        super().__init__(SfoxLine(SfoxSettings(api_key=Secret(CANARY), url=url, deadlines=CALM)))
        world = self.feed._world
        bounds = Bounds(
            store,
            attempts=world.attempts,
            requests=world.requests,
            keys="k",
            clock_ns=lambda: 5_000 * S,
            monotonic=world.monotonic,
            log=LOG,
        )
        bounds.restore()
        self.feed = Feed(
            SfoxLine(self.feed._line._settings), msgspec.structs.replace(world, bounds=bounds)
        )


async def test_retry_after_lasts_over_a_restart(store: FileStore) -> None:
    came = []

    def refuse(connection: ServerConnection, request: Request) -> Response:
        came.append(request)
        answer = connection.respond(503, "later")
        answer.headers["Retry-After"] = "100"
        return answer

    async def nobody(_: ServerConnection) -> None:
        raise AssertionError

    async with venue(nobody, process_request=refuse) as url:
        one = Restarted(url, store)
        async with running(one):
            await until(lambda: one.slept)
        assert store.load().away["1"].seconds == 100
        two = Restarted(url, store)
        async with running(two):
            await until(lambda: two.slept)
            assert two.slept[0] == 100
    # Whether the second one has dialled again after its pause is a matter of a moment.
    assert len(store.load().attempts_ns) >= len(came) >= 1


async def test_a_key_that_was_given_up_is_not_shown_at_once_by_the_next_process(
    store: FileStore,
) -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(frames.WRONG_KEY.decode())
        await socket.wait_closed()

    async with venue(talk) as url:
        one = Restarted(url, store)
        async with running(one):
            await until(lambda: one.feed.health().state == "given_up")
        two = Restarted(url, store)
        async with running(two):
            await until(lambda: two.slept)
            assert two.slept[0] == pytest.approx(130)
