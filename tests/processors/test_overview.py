"""The overview: every live user counted once, the limits that are used most first."""

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from processors.freshness import STATES
from processors.http import overview
from processors.http.overview import (
    LIMITS_MAX,
    UNCONFIRMED_MAX,
    Counts,
    Found,
    Overview,
    most_used,
)
from processors.http.problems import Problem
from processors.ledger.users import doubt
from processors.metrics import AccountCollector
from schemas.codec import encode
from schemas.feeds import FeedStatus
from schemas.venues import VENUES
from tests.processors.connections import connections, status
from tests.processors.ledger.doubted import unread
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
    return Overview(rows, clock_ns=lambda: 1_000_000_000, now=connections)


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


async def test_partitions_that_went_to_another_worker_are_counted_there_alone() -> None:
    """At once, however fresh the last reading is: else their users would be counted twice."""
    rows = Rows(partitions=2)
    for number in range(6):
        rows.put("x" * (number + 1), "1")
    asked = of(rows)
    assert (await asked.here()).users == 6
    assert asked.counted() is not None
    gone = rows.partitions.pop(1)
    assert asked.counted() is None
    assert (await asked.here()).users == 6 - len(gone) < 6
    rows.partitions[1] = gone
    assert (await asked.here()).users == 6
    await asked.close()


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


# -- how fresh the accounts are

PLAIN = {"BTC": "1"}


def put_plain(rows: Rows, account: str, *, epoch: int = 1, receipt: int = 5) -> None:
    one = snapshot(epoch, 1, receipt, account=account, assets=PLAIN)
    rows.partitions[0][one.user.encode()] = encode(last([one]).state)


def judged(rows: Any, *statuses: FeedStatus, known: bool = True) -> Overview:
    return Overview(
        rows, clock_ns=lambda: 1_000_000_000, now=lambda: connections(*statuses, known=known)
    )


async def test_accounts_are_counted_by_venue_and_state_as_each_is_answered_for() -> None:
    """Rows that are read in place and rows that are decoded, as `freshness` judges them."""
    rows = Rows()
    for number in range(20):
        put_plain(rows, f"live-{number}")
    put_plain(rows, "old", epoch=0)
    put_plain(rows, "early", receipt=2)
    rows.put("a", "20")
    rows.put("gone", "20", deleted=True)
    doubted = doubt(
        last([snapshot(1, 1, 5, account="odd", assets=PLAIN)]).state,
        unread(9, account="odd", user="sfox:odd"),
    )
    rows.partitions[1][b"sfox:odd"] = encode(doubted)
    statuses = [status(1, vouches_from=3), status(1, venue="hercle", state="refused")]
    found = await judged(rows, *statuses).here()
    assert found.accounts == {
        "hercle": {"refused": 1},
        "sfox": {"unconfirmed": 3, "live": 20},
    }
    told = [(one.user, one.state, one.cause) for one in found.unconfirmed]
    assert told == [
        ("hercle:a", "refused", "key_refused"),
        ("sfox:early", "unconfirmed", "reconnected"),
        ("sfox:odd", "unconfirmed", "unreadable"),
        ("sfox:old", "unconfirmed", "reconnected"),
    ]
    document = msgspec.json.decode(msgspec.json.encode(found.document(1)))
    assert document["accounts"] == found.accounts
    assert document["unconfirmed"][0]["reason"] == "the venue refuses the key since 00:15:00"


async def test_of_the_accounts_that_are_not_live_the_worst_are_told_and_no_more() -> None:
    rows = Rows()
    for number in range(50):
        put_plain(rows, f"{number:03}", epoch=0)
    for account in ("zz", "y"):
        rows.put(account, "1")
    found = await judged(rows, status(1), status(1, venue="hercle", state="refused")).here()
    assert found.accounts["sfox"] == {"unconfirmed": 50}
    assert len(found.unconfirmed) == UNCONFIRMED_MAX
    assert [one.user for one in found.unconfirmed[:3]] == ["hercle:y", "hercle:zz", "sfox:000"]


async def test_counts_of_several_workers_are_added_also_of_one_that_does_not_count() -> None:
    rows, others = Rows(), Rows()
    put_plain(rows, "a")
    put_plain(others, "b")
    put_plain(others, "c", epoch=0)
    here, there = [await judged(one, status(1)).here() for one in (rows, others)]
    answer = msgspec.json.decode(msgspec.json.encode(there.document(10)))
    old = {"users": 1, "limits": [], "as_of": "1"}
    found = overview.merged(here, [answer, old])
    assert found.users == 4
    assert found.accounts == {"sfox": {"unconfirmed": 1, "live": 2}}
    assert [one.user for one in found.unconfirmed] == ["sfox:c"]


async def test_a_scrape_waits_for_no_count_and_has_one_made_behind_it(clock: Clock) -> None:
    rows = Rows()
    put_plain(rows, "a")
    asked = judged(rows, status(1))
    assert asked.counted() is None
    assert asked._behind is not None
    await asked._behind
    readings = rows.readings
    assert asked.counted() == {"sfox": {"live": 1}}
    put_plain(rows, "b")
    clock.now += 9.0
    assert asked.counted() == {"sfox": {"live": 1}}
    await asyncio.sleep(0)
    assert rows.readings == readings
    clock.now += 2.0
    assert asked.counted() == {"sfox": {"live": 1}}
    async with asyncio.timeout(20):
        while asked.counted() != {"sfox": {"live": 2}}:
            await asyncio.sleep(0)
    await asked.close()


async def test_a_count_of_before_the_connections_were_known_is_made_again_soon(
    clock: Clock,
) -> None:
    rows, known = Rows(), False
    put_plain(rows, "a")
    asked = Overview(
        rows,  # type: ignore[arg-type]
        clock_ns=lambda: 1_000_000_000,
        now=lambda: connections(status(1), known=known),
    )
    assert (await asked.here()).accounts == {"sfox": {"unconfirmed": 1}}
    known = True
    clock.now += 0.5
    asked.counted()
    async with asyncio.timeout(20):
        while asked.counted() != {"sfox": {"live": 1}}:
            await asyncio.sleep(0)


async def test_a_count_behind_a_move_of_partitions_is_made_the_next_time() -> None:
    rows = Rows(partitions=1)
    for number in range(2 * overview._ROWS_AT_ONCE * overview._PLAIN_ROWS):
        put_plain(rows, f"{number:04}")
    asked = judged(rows, status(1))
    asked.count()
    await asyncio.sleep(0)
    rows.partitions.clear()
    assert asked._behind is not None
    await asked._behind
    assert asked.counted() is None
    await asked.close()


def test_the_metric_has_every_state_of_every_venue_once_there_is_a_count() -> None:
    def exported(counts: Counts | None) -> str:
        registry = CollectorRegistry()
        registry.register(AccountCollector(lambda: counts))
        return generate_latest(registry).decode()

    assert "headroom_accounts{" not in exported(None)
    told = exported({"sfox": {"live": 3}})
    assert 'headroom_accounts{state="live",venue="sfox"} 3.0' in told.replace(
        'venue="sfox",state="live"', 'state="live",venue="sfox"'
    )
    assert told.count("headroom_accounts{") == len(VENUES) * len(STATES)
    assert exported({}).count("} 0.0") == len(VENUES) * len(STATES)
