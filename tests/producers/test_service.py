"""A whole producer: a venue's socket on one side, a real Kafka on the other."""

import asyncio
import logging
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from websockets.asyncio.server import ServerConnection

from headroom.base.following import Reader
from processors.engine.librdkafka import properties
from producers import sfox
from producers.errors import KafkaUnreachable, TopicMissing, WrongKey
from producers.hercle import HercleLine, HercleSettings
from producers.line import Lines
from producers.pace import RateBound
from producers.publisher import SpoolSettings
from producers.service import ProducerReport
from producers.service import produce as carry
from producers.sfox import SfoxLine, SfoxSettings
from producers.statuses import StatusSettings
from schemas.headers import read_receipt
from schemas.secrets import Secret
from schemas.venues import Venue
from tests.producers import frames, topics
from tests.producers.test_negotiate import balances, hub, web
from tests.producers.worlds import CALM, CANARY, let_in, until, venue

HOUR_NS = 3_600_000_000_000
NOBODY = {"bootstrap_servers": "127.0.0.1:1"}
nobody: Any = {"follow": Reader(lambda: properties(NOBODY)), "access": lambda: properties(NOBODY)}


def around(**changes: Any) -> dict[str, Any]:
    return {
        "stop": asyncio.Event(),
        "clock_ns": time.time_ns,
        "monotonic": time.monotonic,
        "rng": Random(1),
        "sleep": asyncio.sleep,
        "registry": CollectorRegistry(),
        "log": logging.getLogger("tests.producers"),
    } | changes


async def hurried(seconds: float) -> None:
    """A sleep in which minutes are moments."""
    await asyncio.sleep(min(seconds, 0.05))


async def produce(kafka: Any, at: Venue, lines: list[Any], given: dict[str, Any]) -> ProducerReport:
    servers = {"bootstrap_servers": kafka.bootstrap}
    async with asyncio.timeout(30):
        statuses = StatusSettings(
            topic=topics.feeds_topic(at),
            every_seconds=0.2,
            public_topic=topics.public_topic(at),
        )
        together = Lines(at, lines, attempts=RateBound(99), requests=RateBound(999))
        follow = Reader(lambda: properties(servers))
        return await carry(
            together, servers, follow=follow, access=follow.access, statuses=statuses, **given
        )


def sfox_line(url: str, key: str = CANARY) -> SfoxLine:
    return SfoxLine(SfoxSettings(api_key=Secret(key), url=url, deadlines=CALM))


async def test_every_frame_lies_in_kafka_and_a_second_run_has_a_greater_epoch_whatever_its_clock(
    kafka: Any,
) -> None:
    sent = [frames.sfox(user=f"u{number % 7}", sequence=number) for number in range(300)]

    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        for text in sent:
            await socket.send(text.decode())
        given["stop"].set()
        await socket.wait_closed()

    at = await topics.fresh(kafka.bootstrap)
    reports = []
    async with venue(talk) as url:
        for behind_ns in (0, HOUR_NS):
            given = around(clock_ns=lambda behind=behind_ns: time.time_ns() - behind)
            reports.append(await produce(kafka, at, [sfox_line(url)], given))
    assert [report.frames for report in reports] == [300, 300]
    assert [report.published for report in reports] == [300, 300]
    records = await topics.records(kafka.bootstrap, at.raw_topic)
    receipts = {}
    for record in records:
        found = read_receipt(record.headers, offset=record.offset, appended_ns=0)
        receipts[found.epoch, found.receipt] = record.value
    first, second = sorted({epoch for epoch, _ in receipts})
    assert second == first + 1
    for epoch in (first, second):
        assert [receipts[epoch, number] for number in range(1, 301)] == sent


async def test_a_wrong_key_ends_the_producer_and_says_so(kafka: Any) -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(frames.WRONG_KEY.decode())
        await socket.wait_closed()

    at = await topics.fresh(kafka.bootstrap)
    async with venue(talk) as url:
        with pytest.raises(WrongKey):
            await produce(kafka, at, [sfox_line(url)], around(sleep=hurried))


async def test_one_refused_key_of_several_leaves_the_others_alone(kafka: Any) -> None:
    at = await topics.fresh(kafka.bootstrap)
    async with hub() as served:

        def answer(times: int) -> object:
            if served.asked[times - 1][1] == "Bearer bad":
                return web.Response(status=401)
            return {"connectionToken": f"t{times}"}

        served.answers, served.talks = answer, balances
        keys = (Secret("one"), Secret("bad"), Secret("two"))
        settings = HercleSettings(url=served.url, api_keys=keys, client_id="me", deadlines=CALM)
        given = around(sleep=hurried)
        lines = [HercleLine(settings, number) for number in (1, 2, 3)]
        running = asyncio.create_task(produce(kafka, at, lines, given))
        registry = given["registry"]
        labels = {"venue": "hercle"}

        def both() -> bool:
            name = "headroom_producer_frames_received_total"
            return (registry.get_sample_value(name, labels) or 0) >= 2

        await until(both)
        # The refused key is tried three times more, and then it is that key's own end.
        refused = {"venue": at.name}
        await until(
            lambda: registry.get_sample_value("headroom_producer_keys_refused_total", refused)
        )
        assert len(served.asked) == 2 + 4
        given["stop"].set()
        report = await running
    assert (report.keys_refused, report.connections) == (1, 2)
    assert (
        report.frames
        == report.published
        == len(await topics.records(kafka.bootstrap, at.raw_topic))
    )


async def test_what_kafka_does_not_take_waits_in_the_spool_and_is_older_than_what_comes_after(
    kafka: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run sends it first, as it was received, and begins a greater epoch itself."""
    monkeypatch.setattr("producers.publisher.FLUSH_SECONDS_MAX", 0.5)
    sent = [frames.sfox(user=f"u{number}") + b" " * 5_000 for number in range(20)]

    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        for text in sent:
            await socket.send(text.decode())
        given["stop"].set()
        await socket.wait_closed()

    at = await topics.fresh(kafka.bootstrap, max_message_bytes=2_000)
    spool = SpoolSettings(tmp_path)
    reports = []
    async with venue(talk) as url:
        for behind_ns in (0, HOUR_NS):
            given = around(clock_ns=lambda behind=behind_ns: time.time_ns() - behind, spool=spool)
            reports.append(await produce(kafka, at, [sfox_line(url)], given))
            monkeypatch.setattr("producers.publisher.FLUSH_SECONDS_MAX", 30.0)
            await topics.allow(kafka.bootstrap, at.raw_topic, 1_000_000)
    told = [(r.frames, r.published, r.found, r.spooled, r.dropped) for r in reports]
    assert told == [(20, 0, 0, 20, 0), (20, 40, 20, 0, 0)]
    receipts: dict[tuple[int, int], bytes] = {}
    for record in await topics.records(kafka.bootstrap, at.raw_topic):
        found = read_receipt(record.headers, offset=record.offset, appended_ns=0)
        receipts[found.epoch, found.receipt] = record.value
    first, second = sorted({epoch for epoch, _ in receipts})
    assert second == first + 1
    assert [receipts[first, number] for number in range(1, 21)] == sent


async def test_without_kafka_or_its_topic_it_does_not_begin(kafka: Any) -> None:
    settings = SfoxSettings(api_key=Secret(CANARY))
    with pytest.raises(KafkaUnreachable):
        await carry(sfox.lines(settings), NOBODY, **nobody, **around())
    nowhere = Venue("nowhere", feed="x")
    with pytest.raises(TopicMissing):
        await produce(kafka, nowhere, [sfox_line("ws://localhost:1/")], around())


async def test_two_producers_may_share_a_registry() -> None:
    given = around()
    for _ in range(2):
        lines = sfox.lines(SfoxSettings(api_key=Secret(CANARY)))
        with pytest.raises(KafkaUnreachable):
            await carry(lines, NOBODY, **nobody, **given)
