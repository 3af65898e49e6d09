"""How the connections are, as a reader of the private topic sees it: through a real Kafka."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from aiohttp import web
from aiokafka.admin import AIOKafkaAdminClient
from websockets.asyncio.server import ServerConnection

from producers.errors import TopicMissing, WrongKey
from producers.hercle import HercleLine, HercleSettings
from producers.outcomes import ReconnectReason
from schemas.codec import decode
from schemas.feeds import FeedStatus
from schemas.secrets import Secret
from schemas.venues import Venue
from tests.producers import frames, topics
from tests.producers.test_negotiate import balances, hub
from tests.producers.test_service import around, hurried, produce, sfox_line
from tests.producers.worlds import CALM, CANARY, let_in, until, venue


async def told(kafka: Any, at: Venue) -> list[tuple[bytes, FeedStatus]]:
    records = await topics.records(kafka.bootstrap, topics.feeds_topic(at))
    values = [(record.key, record.value) for record in records if record.value is not None]
    return [(key, decode(value, FeedStatus)) for key, value in values]


async def told_until(
    kafka: Any, at: Venue, enough: Callable[[list[FeedStatus]], object]
) -> list[tuple[bytes, FeedStatus]]:
    """What was told, once it is enough."""
    async with asyncio.timeout(20):
        while True:
            lines = await told(kafka, at)
            if enough([line for _, line in lines]):
                return lines
            await asyncio.sleep(0.1)


def is_connected(lines: list[FeedStatus]) -> bool:
    return "connected" in [line.state for line in lines]


async def test_statuses_lie_in_kafka_from_the_start_to_the_stop(kafka: Any) -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.send(frames.SFOX.decode())
        await socket.wait_closed()

    at = await topics.fresh(kafka.bootstrap)
    async with venue(talk) as url:
        given = around()
        producing = asyncio.create_task(produce(kafka, at, [sfox_line(url)], given))
        # One at the start, one at the change, and one every 0.2 s.
        lines = await told_until(kafka, at, lambda lines: len(lines) >= 6 and lines[-1].frames)
        given["stop"].set()
        await producing
    assert {key for key, _ in lines} == {b"sfox/1"}
    states = [line.state for _, line in lines]
    assert states[0] == "disconnected"
    assert states[-1] == "connected"
    last = lines[-1][1]
    assert (last.frames, last.gaps, last.reconnects) == (1, 0, 0)
    assert last.last_frame is not None
    assert last.last_heard is not None
    assert last.last_frame <= last.last_heard <= last.time
    end = (await told(kafka, at))[-1][1]
    assert (end.state, end.epoch, end.frames) == ("disconnected", last.epoch, 1)


async def test_a_lost_connection_is_told_as_disconnected_while_the_producer_goes_on(
    kafka: Any,
) -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await until(lost.is_set)
        socket.transport.abort()

    at = await topics.fresh(kafka.bootstrap)
    lost, given = asyncio.Event(), around()
    async with venue(talk) as url:
        producing = asyncio.create_task(produce(kafka, at, [sfox_line(url)], given))
        await told_until(kafka, at, is_connected)
        lost.set()
        await until(lambda: losses(given))
    # The venue is not there any more.
    await told_until(kafka, at, lambda lines: is_connected(lines) and ended(lines))
    assert not producing.done()
    given["stop"].set()
    await producing


def losses(given: dict[str, Any]) -> float:
    name, labels = "headroom_producer_reconnects_total", {"venue": "sfox"}
    reasons = [ReconnectReason.CONNECTION_LOST, ReconnectReason.CLOSED_BY_VENUE]
    samples = [given["registry"].get_sample_value(name, labels | {"reason": r}) for r in reasons]
    return sum(sample or 0 for sample in samples)


def ended(lines: list[FeedStatus]) -> bool:
    """Whether the line is down for good, as far as one can see."""
    return [line.state for line in lines[-3:]] == ["disconnected"] * 3


async def test_each_key_of_a_firm_is_a_connection_and_a_refused_one_says_so(
    kafka: Any,
) -> None:
    at = await topics.fresh(kafka.bootstrap)
    async with hub() as served:

        def answer(times: int) -> object:
            if served.asked[times - 1][1] == f"Bearer {CANARY}-bad":
                return web.Response(status=401)
            return {"connectionToken": f"t{times}"}

        served.answers, served.talks = answer, balances
        keys = (Secret(f"{CANARY}-one"), Secret(f"{CANARY}-bad"))
        settings = HercleSettings(url=served.url, api_keys=keys, client_id="me", deadlines=CALM)
        given = around()
        lines = [HercleLine(settings, number) for number in (1, 2)]
        producing = asyncio.create_task(produce(kafka, at, lines, given))
        await until(lambda: len(served.asked) == 2)

        def both(lines: list[FeedStatus]) -> bool:
            newest = {line.connection: line.state for line in lines}
            return newest == {"1": "connected", "2": "refused"}

        newest = dict(await told_until(kafka, at, both))
        given["stop"].set()
        await producing
    assert {key: line.state for key, line in newest.items()} == {
        b"hercle/1": "connected",
        b"hercle/2": "refused",
    }
    assert newest[b"hercle/2"].doubt is not None
    assert newest[b"hercle/2"].doubt.cause == "key_refused"
    assert newest[b"hercle/1"].last_heard is not None
    records = await topics.records(kafka.bootstrap, topics.feeds_topic(at))
    assert CANARY not in repr([(record.key, record.value, record.headers) for record in records])


async def test_a_producer_that_ends_by_a_wrong_key_leaves_a_refused_line(kafka: Any) -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(frames.WRONG_KEY.decode())
        await socket.wait_closed()

    at = await topics.fresh(kafka.bootstrap)
    async with venue(talk) as url:
        with pytest.raises(WrongKey):
            await produce(kafka, at, [sfox_line(url)], around(sleep=hurried))
    end = (await told(kafka, at))[-1][1]
    assert end.state == "refused"
    assert end.last_heard is not None


async def test_without_the_topic_of_the_statuses_it_does_not_begin(kafka: Any) -> None:
    at = await topics.fresh(kafka.bootstrap)
    await delete(kafka, topics.feeds_topic(at))
    with pytest.raises(TopicMissing, match=f"{topics.feeds_topic(at)}.*headroom topics apply"):
        await produce(kafka, at, [sfox_line("ws://localhost:1/")], around())


async def test_when_the_topic_of_the_statuses_goes_away_the_frames_go_on(
    kafka: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("producers.statuses._REQUEST_SECONDS", 0.5)

    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await until(gone.is_set)
        for number in range(50):
            await socket.send(frames.sfox(user=f"u{number}").decode())
        await socket.wait_closed()

    def failures() -> list[str]:
        texts = [record.getMessage() for record in caplog.records]
        return [text for text in texts if "cannot be written" in text]

    at = await topics.fresh(kafka.bootstrap)
    gone, given = asyncio.Event(), around()
    async with venue(talk) as url:
        producing = asyncio.create_task(produce(kafka, at, [sfox_line(url)], given))
        await told_until(kafka, at, is_connected)
        await delete(kafka, topics.feeds_topic(at))
        await until(failures)
        gone.set()
        name = "headroom_producer_frames_published_total"
        labels = {"venue": at.name}
        await until(lambda: given["registry"].get_sample_value(name, labels) == 50)
        await asyncio.sleep(1.5)
        assert len(failures()) == 1
        given["stop"].set()
        report = await producing
    assert (report.frames, report.published) == (50, 50)


async def delete(kafka: Any, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        while topic in await admin.list_topics():
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


async def test_a_connection_whose_key_was_taken_out_is_cleared_away(
    kafka: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producers.neighbours.SILENT_SECONDS", 1.0)

    def keys(count: int) -> list[HercleLine]:
        names = tuple(Secret(f"{CANARY}-{number}") for number in range(count))
        settings = HercleSettings(url=served.url, api_keys=names, client_id="me", deadlines=CALM)
        return [HercleLine(settings, number) for number in range(1, count + 1)]

    async def run(count: int, enough: Callable[[], Any]) -> None:
        given = around()
        producing = asyncio.create_task(produce(kafka, at, keys(count), given))
        await enough()
        given["stop"].set()
        await producing

    async def spoken_for() -> None:
        await told_until(kafka, at, lambda lines: {line.connection for line in lines} == {"1", "2"})
        await told_until(kafka, at, lambda lines: "user-123" in str(lines[-1].accounts))

    async def cleared() -> None:
        async with asyncio.timeout(20):
            for topic in (topics.feeds_topic(at), topics.public_topic(at)):
                while not await tombstones(kafka, topic):
                    await asyncio.sleep(0.1)

    at = await topics.fresh(kafka.bootstrap)
    async with hub() as served:
        served.talks = balances
        await run(2, spoken_for)
        await run(1, cleared)
    for topic in (topics.feeds_topic(at), topics.public_topic(at)):
        assert set(await tombstones(kafka, topic)) == {b"hercle/2"}


async def tombstones(kafka: Any, topic: str) -> list[bytes]:
    """The keys of records without a value."""
    records = await topics.records(kafka.bootstrap, topic)
    return [record.key for record in records if record.value is None]


async def test_everybody_is_told_of_changes_with_the_headers_of_an_event(kafka: Any) -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.send(frames.SFOX.decode())
        await socket.wait_closed()

    at = await topics.fresh(kafka.bootstrap)
    async with venue(talk) as url:
        given = around()
        producing = asyncio.create_task(produce(kafka, at, [sfox_line(url)], given))
        lines = await told_until(kafka, at, lambda lines: len(lines) >= 8 and lines[-1].frames)
        given["stop"].set()
        await producing
    records = await topics.records(kafka.bootstrap, topics.public_topic(at))
    public = [decode(record.value, FeedStatus) for record in records]
    assert [line.state for line in public] == ["disconnected", "connected", "disconnected"]
    assert len(lines) > len(public)
    headers = dict(records[0].headers)
    assert headers["ce_subject"] == records[0].key == b"sfox/1"
    assert headers["ce_type"] == f"headroom.{topics.public_topic(at)}".encode()
    assert len({dict(record.headers)["ce_id"] for record in records}) == 3


async def test_after_another_producer_has_come_and_gone_a_later_epoch_begins(
    kafka: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producers.neighbours.GONE_SECONDS", 1.0)

    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.send(frames.SFOX.decode())
        await socket.wait_closed()

    def epochs(lines: list[FeedStatus], instance: str) -> set[int | None]:
        return {line.epoch for line in lines if line.instance == instance} - {None}

    at = await topics.fresh(kafka.bootstrap)
    async with venue(talk) as url:
        first, second = around(), around(rng=Random(2))
        staying = asyncio.create_task(produce(kafka, at, [sfox_line(url)], first))
        lines = [line for _, line in await told_until(kafka, at, is_connected)]
        instance = lines[0].instance
        passing = asyncio.create_task(produce(kafka, at, [sfox_line(url)], second))

        def other_is_there(lines: list[FeedStatus]) -> bool:
            return any(line.instance != instance and line.epoch for line in lines)

        await told_until(kafka, at, other_is_there)
        second["stop"].set()
        await passing
        lines = [
            line
            for _, line in await told_until(
                kafka, at, lambda lines: len(epochs(lines, instance)) == 2
            )
        ]
        first["stop"].set()
        await staying
    greatest = max(line.epoch or 0 for line in lines if line.instance != instance)
    before, after = sorted(epoch or 0 for epoch in epochs(lines, instance))
    assert before < greatest < after
