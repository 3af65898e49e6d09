"""The overview: every live user counted once, the limits that are used most first."""

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from processors.http import overview
from processors.http.overview import LIMITS_MAX, Found, Overview, most_used
from processors.http.problems import Problem
from schemas.codec import encode
from tests.processors.connections import connections
from tests.processors.ledger.snapshots import last, snapshot


class Rows:
    """Committed rows of a table, without Kafka."""

    def __init__(self, partitions: int = 3) -> None:
        self.partitions: dict[int, dict[bytes, bytes]] = {n: {} for n in range(partitions)}
        self.readings = 0

    @property
    def open_partitions(self) -> frozenset[int]:
        return frozenset(self.partitions)

    def committed_items(self, partition: int, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        self.readings += 1
        rows = sorted(self.partitions[partition].items())
        return iter([(key, row) for key, row in rows if key >= start])

    def put(self, account: str, current: str | None, *, deleted: bool = False) -> None:
        exposure = None if current is None else ("EUR", current, "100")
        one = snapshot(1, 1, 1, venue="hercle", account=account, exposure=exposure, deleted=deleted)
        state = last([one]).state
        number = len(account) % len(self.partitions)
        self.partitions[number][state.user.encode()] = encode(state)


class Clock:
    """Monotonic seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(overview, "time", made)
    return made


def of(rows: Any) -> Overview:
    return Overview(rows, clock_ns=lambda: 1_000_000_000, now=lambda: connections())


def shares(found: Found) -> list[tuple[str, str | None]]:
    return [(used.user, used.limit.utilisation) for used in found.limits]


async def test_users_are_counted_and_limits_ordered_by_their_use() -> None:
    rows = Rows()
    rows.put("a", "20")
    rows.put("bb", "150")
    rows.put("ccc", "9")  # as text it would come first
    rows.put("dddd", None)
    rows.put("eeeee", "80", deleted=True)
    found = await of(rows).here()
    assert found.users == 4
    assert shares(found) == [
        ("hercle:bb", "1.500000"),
        ("hercle:a", "0.200000"),
        ("hercle:ccc", "0.090000"),
    ]
    document = found.document(2)
    assert [limit["user"] for limit in document["limits"]] == ["hercle:bb", "hercle:a"]
    assert document["limits"][0]["max"] == "100"
    assert document["as_of"].startswith("1970-01-01T00:00:01")


async def test_every_row_is_read_once_however_many_there_are() -> None:
    rows = Rows(partitions=2)
    count = 5 * overview._ROWS_AT_ONCE
    for number in range(count):
        rows.put(f"{number:04}" + "x" * (number % 2), str(number))
    found = await of(rows).here()
    assert found.users == count
    assert len(found.limits) == LIMITS_MAX
    assert shares(found)[0] == ("hercle:0499x", "4.990000")


async def test_agents_go_on_between_the_rows() -> None:
    rows, turns = Rows(partitions=1), 0
    for number in range(3 * overview._ROWS_AT_ONCE):
        rows.put(f"{number:04}", "1")
    reading = asyncio.create_task(of(rows).here())
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns >= 3


async def test_rows_are_not_read_again_for_everybody_who_asks(clock: Clock) -> None:
    rows = Rows()
    rows.put("a", "20")
    asked = of(rows)
    first = await asyncio.gather(asked.here(), asked.here(), asked.here())
    readings = rows.readings
    rows.put("bb", "50")
    assert (await asked.here()).users == 1
    assert rows.readings == readings
    assert first[0] is first[2]
    clock.now += 1.1
    assert (await asked.here()).users == 2


async def test_a_partition_that_goes_away_meanwhile_is_503() -> None:
    rows = Rows(partitions=1)
    for number in range(2 * overview._ROWS_AT_ONCE):
        rows.put(f"{number:04}", "1")
    reading = asyncio.create_task(of(rows).here())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rows.partitions.clear()
    with pytest.raises(Problem) as caught:
        await reading
    assert caught.value.status_code == 503


async def test_answers_of_several_workers_are_one() -> None:
    rows, others = Rows(), Rows()
    rows.put("a", "20")
    others.put("bb", "50")
    others.put("ccc", "10")
    here, there = await of(rows).here(), await of(others).here()
    answer = msgspec.json.decode(msgspec.json.encode({**there.document(10), "as_of": "0"}))
    found = overview.merged(here, [answer])
    assert found.users == 3
    assert [user for user, _ in shares(found)] == ["hercle:bb", "hercle:a", "hercle:ccc"]
    assert found.as_of == "0"
    assert most_used([]) == []
