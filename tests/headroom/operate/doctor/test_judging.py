"""What numbers and names mean to the doctor: pure."""

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from headroom.operate.doctor.findings import (
    Finding,
    Looked,
    document,
    fail,
    is_well,
    lines,
    ok,
    warn,
)
from headroom.operate.doctor.judging import (
    Reading,
    Room,
    apart_seconds,
    filesystem_of,
    judge_certificate,
    judge_clock,
    judge_room,
    judge_version,
)
from headroom.operate.doctor.kafka import lacking, told_of
from headroom.operate.doctor.wire import Clock, clock_of, metadata_level
from headroom.operate.topics import Difference
from schemas.secrets import Secret

CANARY = "canary-0123456789"
GIB = 1024**3


@pytest.mark.parametrize(
    ("level", "status", "words"),
    [
        (None, "warn", "does not tell"),
        (21, "warn", "Kafka 3.x"),
        (25, "warn", "Kafka 4.0"),
        (27, "warn", "Kafka 4.1"),
        (28, "ok", "Kafka 4.2"),
        (29, "ok", "Kafka 4.2"),
        (30, "fail", "Kafka 4.3, which loses"),
        (33, "warn", "Kafka 4.4: 4.4.0 loses"),
        (34, "warn", "newer than Kafka 4.4"),
    ],
)
def test_a_broker_is_of_the_release_that_brought_its_newest_metadata_version(
    level: int | None, status: str, words: str
) -> None:
    found = judge_version("b:1", level)
    assert found.status == status
    assert words in found.reason
    assert status == "ok" or "4.2" in found.do


def test_a_brokers_features_are_read_as_kafka_4_2_sends_them() -> None:
    tags = {0: b"\x02\x11metadata.version\x00\x07\x00\x1d\x00", 1: b"\x00" * 8}
    assert metadata_level(SimpleNamespace(tags=tags)) == 29
    assert metadata_level(SimpleNamespace(tags={})) is None


def test_the_quorums_clock_is_its_leaders_own() -> None:
    voters = [(2, 31, 5, 5, {}), (1, 31, 1_000, 2_000, {})]
    partition = (0, 0, 1, 1, 31, voters, [], {})

    def answer(error_code: int = 0, topics: Any = (("t", [partition], {}),)) -> SimpleNamespace:
        return SimpleNamespace(error_code=error_code, topics=topics)

    assert clock_of(answer()) == Clock(0, 2_000)
    assert clock_of(answer(31, ())) == Clock(31)
    silent = (0, 0, 1, 1, 31, [(1, 31, -1, -1, {})], [], {})
    assert clock_of(answer(topics=(("t", [silent], {}),))) == Clock(0)


@pytest.mark.parametrize(
    ("theirs_ms", "coarse_ms", "apart"),
    [
        (10_000, 0, 0),
        (10_100, 0, 0),
        (12_600, 0, 2.5),
        (7_000, 0, -3),
        (9_000, 1_000, 0),
        (8_000, 1_000, -1),
    ],
)
def test_clocks_are_as_far_apart_as_can_be_said_for_sure(
    theirs_ms: int, coarse_ms: int, apart: float
) -> None:
    reading = Reading("x", "so", theirs_ms, 10_000, 10_100, coarse_ms)
    assert apart_seconds(reading) == apart
    assert judge_clock(reading).status == ("ok" if abs(apart) <= 1 else "warn")
    if apart:
        assert ("behind" if apart > 0 else "ahead of") in judge_clock(
            Reading("x", "so", theirs_ms + int(apart * 2_000), 10_000, 10_100, coarse_ms)
        ).reason


def test_a_folder_is_judged_by_its_room_and_by_what_it_is_on() -> None:
    def statuses(**room: Any) -> list[str]:
        whole = {"free_bytes": 5 * GIB, "kind": "ext4"} | room
        return [one.status for one in judge_room(Room("S", "/x", **whole), wanted_bytes=2 * GIB)]

    assert statuses() == ["ok"]
    assert statuses(free_bytes=GIB) == ["warn"]
    assert statuses(free_bytes=1) == ["fail"]
    assert statuses(kind="tmpfs") == ["ok", "warn"]
    assert statuses(problem="read-only", kind="tmpfs") == ["fail"]


def test_the_file_system_is_that_of_the_nearest_mount_and_of_two_the_later() -> None:
    mounts = (
        "/dev/a / ext4 rw 0 0\ntmpfs /mem tmpfs rw 0 0\n/dev/b /a\\040b xfs rw 0 0\n"
        "/dev/c /data ext4 rw 0 0\nnone /data ramfs rw 0 0\nodd"
    )
    for path, kind in (
        ("/", "ext4"),
        ("/memx", "ext4"),
        ("/mem/x", "tmpfs"),
        ("/a b/c", "xfs"),
        ("/data", "ramfs"),
    ):
        assert filesystem_of(path, mounts) == kind, path
    assert filesystem_of("/x", "") == "unknown"


def test_a_certificate_that_ends_soon_is_told() -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    for days, status in ((40, "ok"), (14, "ok"), (13, "warn")):
        end = (now + timedelta(days=days)).strftime("%b %d %H:%M:%S %Y GMT")
        found = judge_certificate("venue", end, now=now)
        assert (found.status, f"in {days} days" in found.reason) == (status, True)


def test_missing_topics_are_one_line_and_what_differs_a_line_each() -> None:
    names = [f"t{number}" for number in range(7)]
    differing = [Difference(name, None, "present", None) for name in names]
    differing += [Difference("u", "retention.ms", "1", "2"), Difference("v", "id", "a", "b", "see")]
    found = told_of(differing)
    assert [one.status for one in found] == ["fail"] * 3
    assert found[0].reason == "7 topics are missing: t0, t1, t2, t3, t4 and 2 more"
    assert ["topics apply" in one.do for one in found] == [True, True, False]
    lost = told_of([Difference("w", None, "present", None, "see `headroom resume`")])
    assert (lost[0].reason, lost[0].do) == ("topic w is missing: see `headroom resume`", "")
    assert told_of([]) == []


def test_rights_that_are_lacking_are_named_together() -> None:
    everything = frozenset({"READ", "WRITE", "DESCRIBE", "ALTER"})
    found = lacking({"a": everything, "b": frozenset({"READ", "DESCRIBE"}), "c": frozenset()})
    assert [one.reason for one in found] == ["no WRITE on b", "no READ and WRITE and DESCRIBE on c"]
    assert lacking({"a": everything}) == []


def test_a_report_is_lines_for_people_and_one_document_without_a_secret() -> None:
    Secret(CANARY)
    findings = (ok("good"), warn(f"odd\n{CANARY}\x1b[2J", "mend it"), Finding("fail", "bad"))
    looked = [Looked("kafka", 3.0, findings)]
    told = lines(looked)
    assert told[0] == "ok    kafka  good"
    assert told[1].startswith("warn  kafka  odd ")
    assert told[1].endswith(": mend it")
    assert told[2:] == ["FAIL  kafka  bad", "1 ok, 1 to look at, 1 that fail"]
    assert not {CANARY, "\x1b"} & set(re.findall(f"{CANARY}|\x1b", "".join(told)))
    found = document(looked)
    assert (found["ok"], found["counts"]) == (False, {"ok": 1, "warn": 1, "fail": 1})
    assert found["findings"][2] == {
        "check": "kafka",
        "status": "fail",
        "reason": "bad",
        "do": None,
        "deadline_seconds": 3.0,
    }
    assert CANARY not in str(found)
    assert is_well([Looked("x", 1.0, (ok("a"), warn("b")))])
    assert not is_well([Looked("x", 1.0, (fail("a"),))])
