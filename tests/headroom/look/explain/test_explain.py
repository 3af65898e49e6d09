"""From a number in an answer back to the bytes that a venue sent, over a real Kafka."""

import asyncio
import contextlib
import io
import json
import re
import signal
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from confluent_kafka import Producer, TopicPartition

from headroom.base.printable import printable
from headroom.base.settings import Settings, load
from headroom.look.explain import explain_asset, explain_user
from headroom.look.explain.asset import NeverHeld
from headroom.look.explain.user import NotKnown
from headroom.operate.accounts.move import run_move
from schemas.headers import cloud_event
from schemas.topics import BALANCES
from schemas.venues import VENUES
from tests.headroom.commands import Ended, answered, environment, headroom, started, until
from tests.headroom.house import house
from tests.headroom.operate.replay.scene import Scene
from tests.headroom.run.collector import Collector
from tests.headroom.test_canary import records

USER = "hercle:user-0001"
BTC = "BTC"


class Looked(Scene):
    """A house, and what `headroom explain` says there."""

    @property
    def settings(self) -> Settings:
        return load(environment(**self.house.settings))

    def explain(self, *words: str) -> Ended:
        return headroom("explain", *words, **self.house.settings)

    def told(self, user: str, asset: str) -> Any:
        return json.loads(self._said(explain_user, user, asset, as_json=True))

    def told_of_all(self, asset: str) -> Any:
        return json.loads(self._said(explain_asset, asset, as_json=True))

    def shown(self, user: str, asset: str) -> str:
        return self._said(explain_user, user, asset, as_json=False)

    def _said(self, work: Any, *words: str, as_json: bool) -> str:
        """What the command prints, without a program of its own, which takes a second to start."""
        with contextlib.redirect_stdout(io.StringIO()) as out:
            asyncio.run(work(self.settings, *words, as_json=as_json))
        return out.getvalue()

    def asked(self, user: str, asset: str) -> Any:
        """What the worker explains."""
        path = f"/v1/users/{quote(user, safe='')}/explain?asset={quote(asset, safe='')}"
        return answered(self.house.url, path)


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Who is told the traces of this house."""
    with pytest.MonkeyPatch.context() as patch, Collector().running() as running:
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield running


@pytest.fixture(scope="module")
def scene(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looked]:
    folder = tmp_path_factory.mktemp("house")
    with house(folder, OTLP_ENDPOINT=collector.url, TRACES_RATIO=1) as its:
        yield Looked(its)


@pytest.fixture(scope="module")
def journal(scene: Looked, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What a simulated Hercle sent, all of which was folded."""
    place = tmp_path_factory.mktemp("venue")
    path = place / "journal"
    words = ("sandbox", "hercle", "--users", "2", "--rate", "20", "--journal", str(path))
    with started(place / "sandbox", *words) as sandbox:
        until(lambda: "http" in sandbox.output, why=lambda: sandbox.output)
        found = re.search(r"http://\S+", sandbox.output)
        assert found is not None
        own = scene.house.settings | {
            "HERCLE_URL": found[0],
            "HERCLE_API_KEY": "sandbox-hercle-key-0001,sandbox-hercle-key-0002",
            "HERCLE_POLL_SECONDS": "0.2",
        }
        with started(place / "producer", "produce", "hercle", **own) as producer:
            until(lambda: path.exists() and path.read_text().count("\n") >= 12)
            producer.process.send_signal(signal.SIGTERM)
            producer.process.wait(30)
    scene.wait()
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_from_a_number_back_to_the_bytes_that_the_venue_sent(
    scene: Looked, journal: list[dict[str, Any]]
) -> None:
    balances = answered(scene.house.url, f"/v1/users/{USER}/balances")
    assert balances is not None
    told = scene.told(USER, "btc")
    now, (part,) = told["now"], told["parts"]
    assert now["total"] == balances["totals"][BTC]["total"]
    assert now["version"] == balances["version"]
    # The worker's answer says the same, from its row.
    http = scene.asked(USER, BTC)
    ages = {"freshness", "parts"}
    assert {n: v for n, v in http.items() if n not in ages} == {
        n: v for n, v in now.items() if n not in ages
    }
    source = http["parts"][0]["source"]
    assert source == part["now"]["source"]
    # Each hop lies where it says, and none was written before the one that led to it.
    raw, (snapshot,) = part["raw"], part["told"]
    assert {name: raw["hop"][name] for name in source} == source
    assert snapshot["hop"]["id"] == http["parts"][0]["snapshot"]["id"]
    assert snapshot["snapshot"]["source"] == source
    times = [part["now"]["received_time"], raw["hop"]["time"], snapshot["hop"]["time"]]
    times = [time[:23] for time in (*times, told["row"]["time"])]
    assert times == sorted(times)
    # And the bytes are those that the sandbox wrote to its socket.
    frame = part["frame"]
    # Asked again before anything changed it answers with the same bytes: one frame, sent twice.
    sent, *again = [one for one in journal if one["frame"] == frame["text"]]
    for one in (sent, *again):
        assert (one["account"], one["sequence"]) == ("user-0001", part["now"]["sequence"])
    assert frame["agrees"]
    assert part["is_same"]
    literal = {}
    for mark in frame["marks"]:
        bytes_there = sent["frame"].encode()[mark["begin"] : mark["end"]].decode()
        assert bytes_there == mark["literal"]
        literal[mark["told"]] = bytes_there
    assert Decimal(literal["available"]) + Decimal(literal["held"]) == Decimal(now["total"])
    assert part["connection"]["epoch"] == part["now"]["epoch"]


def test_a_frame_is_one_trace_from_the_socket_to_the_table(
    scene: Looked, journal: list[dict[str, Any]], collector: Collector
) -> None:
    assert journal
    until(lambda: bool(collector.whole()), why=lambda: repr(collector.spans))
    trace = collector.whole()[0]
    ((service, root),) = [one for one in trace if not one[1].parent_span_id]
    assert (service, root.name) == ("headroom-producer-hercle", "receive")
    below = [one for one in trace if one[1] is not root]
    assert {service for service, _ in below} == {"headroom-worker"}
    assert {span.parent_span_id for _, span in below} == {root.span_id}
    # One after the other.
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for _, span in trace)
    times = {span.name: span.start_time_unix_nano for _, span in below if span.name != "commit"}
    assert root.start_time_unix_nano <= times["normalise"] <= times["fold"]
    # The header is the same from the producer to the table, and spans say where it lies.
    header = f"00-{root.trace_id.hex()}-{root.span_id.hex()}-01".encode()
    for name, topic in (("normalise", VENUES["hercle"].raw_topic), ("fold", BALANCES)):
        there = [
            (record.partition, record.offset)
            for record in records(scene.house.bootstrap, topic)
            if ("traceparent", header) in record.headers
        ]
        (span,) = [span for _, span in below if span.name == name]
        told = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
        at = int(told["messaging.destination.partition.id"]), told["messaging.kafka.offset"]
        assert there == [at]
        assert told["messaging.destination.name"] == topic
    assert b"user-0" not in b"".join(span.SerializeToString() for _, span in collector.spans)


def test_a_person_sees_the_amount_marked_and_every_place(
    scene: Looked, journal: list[dict[str, Any]]
) -> None:
    assert journal
    told = scene.told(USER, BTC)
    shown = scene.shown(USER, BTC)
    (part,) = told["parts"]
    for word in (
        *(f"{USER} holds {told['now']['total']} BTC", f"version      {told['now']['version']}"),
        *(part["told"][0]["hop"]["id"], part["raw"]["hop"]["time"], part["now"]["received_time"]),
        *(f"epoch {part['now']['epoch']}, receipt {part['now']['receipt']}", "rests on hercle/1"),
    ):
        assert word in shown, word
    lines = shown.splitlines()
    (at,) = [n for n, line in enumerate(lines) if line.startswith("    available: bytes")]
    begin, end = lines[at + 2].index("^"), lines[at + 2].rindex("^") + 1
    available = next(one for one in part["frame"]["marks"] if one["told"] == "available")
    assert lines[at + 1][begin:end] == available["literal"]


def test_an_assets_total_is_made_of_its_users_to_the_last_digit(
    scene: Looked, journal: list[dict[str, Any]]
) -> None:
    assert journal
    scene.sfox(["4711", "küche 🙂"], sound=True)
    scene.wait()
    told = scene.told_of_all("btc")
    assert told["sum"] == answered(scene.house.url, "/v1/assets/BTC/exposure")
    assert told["adds_up"]
    assert sum(Decimal(one["total"]) for one in told["shares"]) == Decimal(told["sum"]["total"])
    assert {one["user"] for one in told["shares"]} >= {USER, "sfox:4711", "sfox:küche 🙂"}
    assert told["published_version"] == told["sum"]["version"]
    shown = scene.explain("--asset", "BTC").out
    assert "add up to it exactly" in shown
    assert printable("sfox:küche 🙂") in shown


def test_an_account_that_moved_is_found_under_the_user_of_then(scene: Looked) -> None:
    scene.sfox(["7", "8"], sound=True)
    scene.wait()
    before = scene.asked("sfox:7", BTC)
    for account in ("sfox:7", "sfox:8"):
        asyncio.run(run_move(scene.settings, account, "ann"))
    scene.wait()
    told = scene.told("ann", BTC)
    assert [one["now"]["account"] for one in told["parts"]] == ["7", "8"]
    assert told["parts"][0]["now"]["source"] == before["parts"][0]["source"]
    assert [one["told"][0]["snapshot"]["user"] for one in told["parts"]] == ["sfox:7", "sfox:8"]
    amounts = [Decimal(one["now"]["balance"]["total"]) for one in told["parts"]]
    assert sum(amounts) == Decimal(told["now"]["total"])
    assert all(one["frame"]["agrees"] for one in told["parts"])
    with pytest.raises(NotKnown, match="no such user"):
        scene.told("sfox:7", BTC)


def test_a_correction_stands_behind_what_it_corrects(scene: Looked) -> None:
    scene.sfox(["9"], sound=True)
    scene.wait()
    (first,) = scene.told("sfox:9", BTC)["parts"][0]["told"]
    snapshot = first["snapshot"] | {"venue_time": "2024-03-13T22:00:25.302228171Z"}
    headers = cloud_event(
        topic=BALANCES,
        subject="sfox:9",
        event_id=first["hop"]["id"],
        time=snapshot["received_time"],
    )
    producer = Producer({"bootstrap.servers": scene.house.bootstrap})
    producer.produce(
        BALANCES,
        json.dumps(snapshot).encode(),
        b"sfox:9",
        partition=first["hop"]["partition"],
        headers=[*headers, ("headroom.generation", b"second")],
    )
    assert producer.flush(30) == 0
    scene.wait()
    told = scene.told("sfox:9", BTC)["parts"][0]["told"]
    assert [one["correction"] for one in told] == [None, "second"]
    assert told[0] == first
    assert "by generation second" in scene.shown("sfox:9", BTC)


def test_raw_that_retention_took_is_said_to_be_gone(scene: Looked) -> None:
    scene.sfox(["10"], sound=True)
    scene.wait()
    source = scene.asked("sfox:10", BTC)["parts"][0]["source"]
    place = TopicPartition(source["topic"], source["partition"], source["offset"] + 1)
    for done in scene.clients.admin.delete_records([place]).values():
        done.result(30)
    told = scene.told("sfox:10", BTC)
    (part,) = told["parts"]
    assert (part["raw"]["hop"], part["frame"], part["is_same"]) == (None, None, False)
    assert (
        f"raw is no longer kept: {place.topic}/{place.partition} begins at" in part["raw"]["gone"]
    )
    assert part["told"][0]["snapshot"]["source"] == source
    assert told["now"]["total"] == scene.asked("sfox:10", BTC)["total"]
    assert "raw is no longer kept" in scene.shown("sfox:10", BTC)


def test_who_asks_for_what_is_not_there_is_told_so(scene: Looked) -> None:
    scene.sfox(["11"], sound=True)
    scene.wait()
    scene.explain("nobody", BTC).is_one_line("no such user")
    with pytest.raises(NotKnown, match="never held 'DOGE'"):
        scene.told("sfox:11", "DOGE")
    with pytest.raises(NeverHeld):
        scene.told_of_all("DOGE")
    scene.explain("sfox:11", BTC, "--asset", BTC).is_one_line("say USER ASSET, or --asset ASSET")
    assert scene.asked("sfox:11", "DOGE") is None
    assert scene.asked("sfox:11", "") is None
