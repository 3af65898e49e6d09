"""What two topics tell of the same frames: by keys, and by account where one has moved."""

from collections.abc import Mapping
from typing import Any

import pytest

from headroom.clients import Place
from headroom.replay.records import Telling, Unlike
from tests.headroom.replay.made import RAW, generation

TOPIC, OWN = "balances.v1", "headroom-generation.g.balances.v1"


class Record:
    """A snapshot of an account's, as whose it was told of, from a frame."""

    def __init__(self, user: str, account: str, offset: int, amount: str = "1") -> None:
        self._user = user
        self._value = (
            f'{{"user":"{user}","venue":"sfox","account":"{account}","held":"{amount}"}}'
        ).encode()
        self._event_id = f"{RAW}/0/{offset}".encode()

    def key(self) -> bytes:
        return self._user.encode()

    def value(self) -> bytes:
        return self._value

    def headers(self) -> list[tuple[str, bytes]]:
        return [("ce_id", self._event_id)]


class Topics:
    """Records by place."""

    def __init__(self, records: Mapping[Place, list[Record]]) -> None:
        self._records = records

    def begins(self, topics: list[str], partitions: int) -> dict[Place, int]:
        return {(topic, number): 0 for topic in topics for number in range(partitions)}

    def ends(self, topics: list[str], partitions: int) -> dict[Place, int]:
        return {
            place: len(self._records.get(place, ())) for place in self.begins(topics, partitions)
        }

    def read(self, spans: Mapping[Place, tuple[int, int]]) -> list[Record]:
        return [
            record
            for place, (begin, end) in spans.items()
            for record in self._records.get(place, [])[begin:end]
        ]


def telling(records: Mapping[Place, list[Record]], *moved: str) -> Telling:
    clients: Any = Topics(records)
    made = generation(starts={RAW: [0]}, ends={RAW: [100]})
    return Telling(clients, made, {TOPIC: OWN}, partitions=2, moved=frozenset(moved))


# Account 7 was told of as its own user's at first, and in another partition; here all is ann's.
THERE = {
    (TOPIC, 0): [Record("sfox:7", "7", 1), Record("bob", "8", 2)],
    (TOPIC, 1): [Record("ann", "7", 3), Record("ann", "9", 4)],
}
HERE = {
    (OWN, 0): [Record("bob", "8", 2)],
    (OWN, 1): [Record("ann", "7", 1), Record("ann", "7", 3), Record("ann", "9", 4)],
}


def compared(told: Telling, partition: int) -> tuple[int, list[Unlike]]:
    found = list(told.compare(TOPIC, [partition]))
    return sum(one.equal for one in found), [unlike for one in found for unlike in one.unlike]


def test_who_has_not_moved_is_compared_user_by_user_in_its_partition() -> None:
    told = telling(THERE | HERE)
    assert compared(told, 0) == (1, [Unlike("sfox:7", None, [f"{RAW}/0/1"])])
    assert compared(told, 1) == (0, [Unlike("ann", [f"{RAW}/0/1"], [])])
    assert list(told.compare_moved(TOPIC)) == []


def test_an_account_that_has_moved_is_compared_by_itself_in_all_partitions() -> None:
    told = telling(THERE | HERE, "sfox:7")
    assert compared(told, 0) == (1, [])
    assert compared(told, 1) == (1, [])
    (moved,) = told.compare_moved(TOPIC)
    assert (moved.equal, moved.unlike) == (1, [])


@pytest.mark.parametrize(
    ("here", "unlike"),
    [
        ([Record("ann", "7", 3)], Unlike("sfox:7", [], [f"{RAW}/0/1"])),
        ([], Unlike("sfox:7", None, [f"{RAW}/0/1", f"{RAW}/0/3"])),
        (
            [Record("ann", "7", 1, "2"), Record("ann", "7", 3)],
            Unlike("sfox:7", [f"{RAW}/0/1"], [f"{RAW}/0/1"]),
        ),
    ],
)
def test_what_is_told_otherwise_of_an_account_that_has_moved(
    here: list[Record], unlike: Unlike
) -> None:
    told = telling({**THERE, (OWN, 0): HERE[OWN, 0], (OWN, 1): here}, "sfox:7")
    found = [each for one in told.compare_moved(TOPIC) for each in one.unlike]
    assert found == [unlike]
    assert compared(told, 0) == (1, [])
