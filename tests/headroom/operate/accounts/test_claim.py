"""Workers that record the same file at once, or another one; and accounts that were seen before."""

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from headroom.base.settings import KafkaSettings, load
from headroom.operate.accounts.bindings import Binding, Bindings
from headroom.operate.accounts.claim import AccountsDiffer, claim
from headroom.operate.accounts.orders import MovedElsewhere
from headroom.operate.generations import Book
from processors.ledger.users import UserState
from schemas.codec import encode
from tests.processors.ledger.snapshots import snapshot

# The package has a function of this name.
CLAIMING = importlib.import_module("headroom.operate.accounts.claim")
FILE = "accounts: [{venue: sfox, account: '7', user: ann}, {venue: sfox, account: '8', user: ann}]"
SEVEN, EIGHT = Binding("sfox", "7", "ann", 1), Binding("sfox", "8", "ann", 1)


class Recorded:
    """What Kafka says at each reading, one after the other; the last goes on.

    `others` are so many who begin to move accounts at the same time. `rows` are those of users.
    """

    def __init__(self, *readings: Iterable[Binding], others: int = 0) -> None:
        self.readings = [list(reading) for reading in readings]
        self.others = others
        self.rows: dict[bytes, bytes | None] = {}
        self.ordered: list[tuple[str, Binding]] = []

    async def read_bindings(self, kafka: Any, *, partitions: int) -> Bindings:
        found = Bindings()
        for binding in self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]:
            found.take(binding.own.encode(), encode(binding))
        return found

    async def read_book(self, kafka: Any, *, partitions: int) -> Book:
        return Book()

    @contextlib.asynccontextmanager
    async def ordering(self, kafka: Any) -> AsyncIterator["Recorded"]:
        self.others -= 1
        if self.others >= 0:
            raise MovedElsewhere("somebody else")
        yield self

    async def order(self, producer: Any, moves: list[tuple[str, Binding]]) -> None:
        assert producer is self
        self.ordered += moves


class Rows:
    """The live users' changelog."""

    def __init__(self, recorded: Recorded) -> None:
        self.admin, self._recorded = self, recorded
        self.topics = {"headroom-users-changelog"}

    def __call__(self, kafka: KafkaSettings) -> "Rows":
        return self

    def list_topics(self, timeout: float) -> "Rows":
        return self

    def ends(self, topics: list[str], partitions: int) -> dict[tuple[str, int], int]:
        return {(topic, number): 1 for topic in topics for number in range(partitions)}

    def read(self, spans: object) -> list["Row"]:
        return [Row(key, value) for key, value in self._recorded.rows.items()]

    def close(self) -> None:
        """Nothing is open."""


class Row:
    def __init__(self, key: bytes, value: bytes | None) -> None:
        self._said = key, value

    def key(self) -> bytes:
        return self._said[0]

    def value(self) -> bytes | None:
        return self._said[1]


def claimed(monkeypatch: pytest.MonkeyPatch, folder: Path, recorded: Recorded) -> Recorded:
    for name in ("read_bindings", "read_book", "ordering", "order"):
        monkeypatch.setattr(CLAIMING, name, getattr(recorded, name))
    monkeypatch.setattr(CLAIMING, "Clients", Rows(recorded))
    file = folder / "accounts.yaml"
    file.write_text(FILE, encoding="utf-8")
    settings = load({"HEADROOM_KAFKA_BOOTSTRAP": "nowhere:1", "HEADROOM_ACCOUNTS_FILE": str(file)})
    asyncio.run(claim(settings))
    return recorded


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    return lambda recorded: claimed(monkeypatch, tmp_path, recorded)


def test_what_is_said_first_is_recorded(claims: Any) -> None:
    assert claims(Recorded([])).ordered == [("sfox:7", SEVEN), ("sfox:8", EIGHT)]
    assert claims(Recorded([SEVEN])).ordered == [("sfox:8", EIGHT)]
    assert claims(Recorded([SEVEN, EIGHT])).ordered == []


def test_what_another_worker_has_recorded_meanwhile_is_not_recorded_again(claims: Any) -> None:
    assert claims(Recorded([], [SEVEN])).ordered == [("sfox:8", EIGHT)]
    assert claims(Recorded([], [SEVEN, EIGHT])).ordered == []


def test_who_has_recorded_otherwise_meanwhile_is_believed(claims: Any) -> None:
    recorded = Recorded([], [Binding("sfox", "7", "bob", 1)])
    with pytest.raises(AccountsDiffer, match="sfox:7 belongs to bob, not ann"):
        claims(recorded)
    assert recorded.ordered == []


def test_workers_that_start_at_once_get_their_turns(claims: Any) -> None:
    assert len(claims(Recorded([], others=4)).ordered) == 2
    recorded = Recorded([], others=5)
    with pytest.raises(MovedElsewhere):
        claims(recorded)
    assert recorded.ordered == []


def test_an_account_that_was_seen_belongs_to_itself(claims: Any) -> None:
    recorded, own = Recorded([]), snapshot(1, 1, 0, account="7", venue="sfox", assets={"BTC": "1"})
    recorded.rows[b"sfox:7"] = encode(UserState("sfox:7", 1, {"sfox:7": own}, ["BTC"], []))
    with pytest.raises(AccountsDiffer, match="sfox:7 belongs to sfox:7, not ann"):
        claims(recorded)
    assert recorded.ordered == []
    # A user of its name that has nothing any more, or is gone, is none.
    for row in (encode(UserState("sfox:7", 2, {}, [], [])), None):
        recorded.rows[b"sfox:7"] = row
        recorded.ordered.clear()
        assert len(claims(recorded).ordered) == 2
