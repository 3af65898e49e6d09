"""What two topics tell of the same frames: by keys, and by account where one has moved."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from headroom.base.clients import Place
from headroom.operate.replay.records import Telling, Unlike
from schemas.headers import DeadLetterOrigin, dead_letter
from schemas.topics import DEAD_LETTERS
from tests.headroom.operate.replay.made import RAW, generation

TOPIC, OWN = "balances.v1", "headroom-generation.g.balances.v1"


class Record:
    """A snapshot of an account's, as whose it was told of, from a frame."""

    def __init__(
        self, user: str, account: str, offset: int, amount: str = "1", part: str = ""
    ) -> None:
        self._user = user
        self._value = (
            f'{{"user":"{user}","venue":"sfox","account":"{account}","held":"{amount}"}}'
        ).encode()
        self._event_id = f"{RAW}/0/{offset}{part}".encode()

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


def test_accounts_of_one_frame_are_told_of_each_for_itself() -> None:
    """What two generations tell of a frame of several accounts is compared part by part."""
    there = [Record("sfox:a", "a", 1, part="/0"), Record("sfox:b", "b", 1, part="/1")]
    here = [there[0], Record("sfox:b", "b", 1, "2", part="/1")]
    told = telling({(TOPIC, 0): there, (OWN, 0): here})
    assert compared(told, 0) == (1, [Unlike("sfox:b", [f"{RAW}/0/1/1"], [f"{RAW}/0/1/1"])])


class Letter:
    """A dead letter of a part of a frame that lies without a key."""

    def __init__(self, frame: bytes, offset: int, part: int | None) -> None:
        origin = DeadLetterOrigin(
            "raw.hercle.balances.v1",
            0,
            offset,
            "normalise",
            "code",
            part=None if part is None else (part, 3),
        )
        self._frame = frame
        self._headers = dead_letter(origin, reason="missing_field", detail="x", own=[])

    def key(self) -> None:
        return None

    def value(self) -> bytes:
        return self._frame

    def headers(self) -> list[tuple[str, bytes]]:
        return self._headers


def test_letters_without_a_key_are_of_the_accounts_that_their_frames_name() -> None:
    data = [{"userId": name} for name in ("a", "b")] + [{}]
    event = {"subject": "account.balances.snapshot", "data": data}
    frame = json.dumps({"type": 1, "target": "executionEvents", "arguments": [event]}).encode()
    letters: Any = [
        *[Letter(frame, 1, part) for part in (0, 1, 2, 9)],
        Letter(b"{", 2, None),
        Letter(json.dumps({"type": 1}).encode(), 3, None),
    ]
    clients: Any = Topics({(DEAD_LETTERS, 0): letters})
    topic = "raw.hercle.balances.v1"
    for ids, found in (({b"b", b"x"}, ["1/1"]), (None, ["1/0", "1/1", "1/2", "1/9", "2", "3"])):
        accounts = {"hercle": None if ids is None else sorted(one.decode() for one in ids)}
        made = generation(starts={topic: [0]}, ends={topic: [100]}, accounts=accounts)
        told = Telling(clients, made, {DEAD_LETTERS: OWN, TOPIC: OWN}, partitions=1)
        identities = [said.identity for said, _ in told.said(DEAD_LETTERS, [0])]
        assert identities == [f"{topic}/0/{place}" for place in found]
