"""The private tables of two generations, side by side: what each says of a user or a sum.

Rows hold all that the public documents are made of, so that rows of the same bytes need no more
looking at.
"""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

import msgspec

from headroom.clients import Clients, Place
from headroom.generations.kind import changelog
from processors.agents import ASSETS_TABLE, USERS_TABLE
from processors.ledger.assets import Head
from processors.ledger.users import UserState
from processors.ledger.views import View
from schemas.codec import decode
from schemas.documents import AssetExposure, BaseExposure, UserBalances, UserExposure

T = TypeVar("T")
SumDocument = AssetExposure | BaseExposure


class Pair(msgspec.Struct, Generic[T], frozen=True):
    """What two generations say of one key of a table's partition; None: nothing."""

    key: bytes
    partition: int
    here: T | None
    there: T | None


class User(msgspec.Struct, frozen=True):
    """A user's row and the documents that it makes; None: no account is left."""

    state: UserState
    balances: UserBalances | None
    exposure: UserExposure | None


def last_rows(clients: Clients, place: Place, end: int) -> dict[bytes, bytes]:
    """What a compacted topic's partition says last of each key."""
    found: dict[bytes, bytes] = {}
    for message in clients.read({place: (0, end)}):
        key, value = message.key(), message.value()
        if value is None:
            found.pop(key, None)
        else:
            found[key] = value
    return found


class Tables:
    """The tables of two generations as they are now; `there` is the one that is live."""

    def __init__(self, clients: Clients, here: str, there: str, *, partitions: int) -> None:
        self._clients = clients
        self._generations = here, there
        self._partitions = partitions
        topics = [
            changelog(name, table)
            for name in (here, there)
            for table in (USERS_TABLE, ASSETS_TABLE)
        ]
        self._ends: Mapping[Place, int] = clients.ends(topics, partitions)

    def users(self, partition: int) -> Iterator[Pair[User] | None]:
        """Every user of a partition, in the order of their keys; None: both rows are the same."""
        for pair in self._pairs(USERS_TABLE, partition):
            if pair.here == pair.there:
                yield None
            else:
                yield Pair(pair.key, partition, _user(pair.here), _user(pair.there))

    def sums(self) -> Iterator[Pair[SumDocument]]:
        """Every sum, as it was last published."""
        for partition in range(self._partitions):
            for pair in self._pairs(ASSETS_TABLE, partition):
                # A head's key has two parts, those of the rows below it three.
                kind, _, *more = msgspec.json.decode(pair.key)
                if not more:
                    type_ = AssetExposure if kind == "asset" else BaseExposure
                    here, there = _sum(pair.here, type_), _sum(pair.there, type_)
                    yield Pair(pair.key, partition, here, there)

    def _pairs(self, table: str, partition: int) -> Iterator[Pair[bytes]]:
        sides = []
        for generation in self._generations:
            place = changelog(generation, table), partition
            sides.append(last_rows(self._clients, place, self._ends[place]))
        here, there = sides
        for key in sorted(here.keys() | there.keys()):
            yield Pair(key, partition, here.get(key), there.get(key))


def _user(row: bytes | None) -> User | None:
    if row is None:
        return None
    view = View(decode(row, UserState))
    return User(view.state, view.balances(), view.exposure())


def _sum(head: bytes | None, kind: type[SumDocument]) -> SumDocument | None:
    if head is None:
        return None
    document = msgspec.json.decode(head, type=Head).document
    return decode(bytes(document), kind)


def same(here: msgspec.Struct | None, there: msgspec.Struct | None, *, versions: bool) -> bool:
    """Whether two documents say the same; without `versions` theirs do not matter."""
    if here is None or there is None or versions:
        return here == there
    version = there.version  # type: ignore[attr-defined]
    found: bool = msgspec.structs.replace(here, version=version) == there
    return found
