"""The private tables of two generations, side by side: what each says of a user or a sum.

Rows hold all that the public documents are made of, so that rows of the same bytes need no more
looking at.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Final, Generic, TypeVar

import msgspec

from headroom.base.clients import Clients, Place
from headroom.operate.generations.kind import changelog
from headroom.operate.replay.told import InPlaceOf, Rows, lost, told_rows
from processors.ledger.assets import Head
from processors.ledger.users import UserState
from processors.ledger.views import NOWHERE, Venues, View
from processors.names import ASSETS_TABLE, USERS_TABLE
from schemas.codec import NotADocument, decode, decode_by
from schemas.documents import AssetExposure, BaseExposure, UserBalances, UserExposure

log = logging.getLogger("headroom.replay")

T = TypeVar("T")
_HEAD_KEY: Final = msgspec.json.Decoder(tuple[str, str])
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


# Of these rows it has to be counted how many accounts are in doubt.
_UNREAD: Final = b'"unread":{'


def last_rows(
    clients: Clients,
    topic: str,
    ends: Mapping[Place, int],
    partitions: Iterable[int],
    *,
    wanted: Callable[[bytes], bool] = lambda _: True,
) -> Rows:
    """What some partitions of a compacted topic say last of each key that is wanted."""
    found: Rows = {}
    spans = {(topic, number): (0, ends[topic, number]) for number in partitions}
    for message in clients.read(spans):
        place, value = (message.partition(), message.key()), message.value()
        if not wanted(place[1]):
            continue
        if value is None:
            found.pop(place, None)
        else:
            found[place] = value
    return found


def live_rows(
    clients: Clients,
    live: str,
    table: str,
    ends: Mapping[Place, int],
    partitions: Iterable[int],
    *,
    wanted: Callable[[bytes], bool] = lambda _: True,
) -> Rows:
    """The same of a live generation's table; as the public was told where the changelog is lost."""
    topic, numbers = changelog(live, table), list(partitions)
    gone = lost(clients, topic, ends, numbers)
    left = [one for one in numbers if one not in gone]
    found = last_rows(clients, topic, ends, left, wanted=wanted) if left else {}
    count = sum(1 for of, _ in ends if of == topic)
    return found | (told_rows(clients, table, gone, count) if gone else {})


def has_foreign(
    clients: Clients, topic: str, check: Callable[[bytes, bytes], None], partitions: int
) -> bool:
    """Whether a changelog holds a row that none of us wrote; `check` raises `NotADocument`."""
    rows = last_rows(clients, topic, clients.ends([topic], partitions), range(partitions))
    for (_, key), row in rows.items():
        try:
            check(key, row)
        except NotADocument:
            return True
    return False


class Tables:
    """The tables of two generations as they are now; `there` is the one that is live.

    `in_assets` are the venues whose limits of assets are amounts of the assets.
    """

    def __init__(
        self,
        clients: Clients,
        here: str,
        there: str,
        *,
        partitions: int,
        in_assets: Venues = NOWHERE,
    ) -> None:
        self._clients = clients
        self._in_assets = in_assets
        self._generations = here, there
        self._partitions = partitions
        tables = USERS_TABLE, ASSETS_TABLE
        topics = [changelog(name, table) for name in (here, there) for table in tables]
        self._ends: Mapping[Place, int] = clients.ends(topics, partitions)
        self._told = {table: InPlaceOf(clients, table, partitions) for table in tables}

    def size(self, partition: int) -> int:
        """How many records have to be read for a partition's users, at most."""
        changelogs = [changelog(name, USERS_TABLE) for name in self._generations]
        return sum(self._ends[topic, partition] for topic in changelogs)

    def users(self, partitions: Iterable[int]) -> Iterator[Pair[User] | None]:
        """Every user of some partitions, in order; None: both rows are the same, and no doubt."""
        for pair in self._pairs(USERS_TABLE, list(partitions)):
            if pair.here == pair.there and _UNREAD not in (pair.here or b""):
                yield None
            else:
                here, there = self._user(pair, pair.here), self._live_user(pair)
                # A stranger's row is told of, and says nothing.
                found = here is not None or there is not None
                yield Pair(pair.key, pair.partition, here, there) if found else None

    def sums(self) -> Iterator[Pair[SumDocument]]:
        """Every sum, as it was last published."""
        for pair in self._pairs(ASSETS_TABLE, list(range(self._partitions)), wanted=_is_head):
            kind = msgspec.json.decode(pair.key)[0]
            type_ = AssetExposure if kind == "asset" else BaseExposure
            here, there = _sum(pair, pair.here, type_), _sum(pair, pair.there, type_)
            if there is None and pair.there is not None:
                there = _sum(pair, self._told[ASSETS_TABLE].row(pair.partition, pair.key), type_)
            if here is not None or there is not None:
                yield Pair(pair.key, pair.partition, here, there)

    def _user(self, pair: Pair[bytes], row: bytes | None) -> User | None:
        try:
            state = None if row is None else user_of(pair.key, row)
        except NotADocument as error:
            passed_by(USERS_TABLE, pair.key, pair.partition, error)
            return None
        if state is None:
            return None
        view = View(state, self._in_assets)
        return User(view.state, view.balances(), view.exposure())

    def _live_user(self, pair: Pair[bytes]) -> User | None:
        """A live row; where a stranger wrote over it, what the public knows of it."""
        found = self._user(pair, pair.there)
        if found is None and pair.there is not None:
            found = self._user(pair, self._told[USERS_TABLE].row(pair.partition, pair.key))
        return found

    def _pairs(
        self, table: str, partitions: list[int], **wanted: Callable[[bytes], bool]
    ) -> Iterator[Pair[bytes]]:
        name, live = self._generations
        topic = changelog(name, table)
        here = last_rows(self._clients, topic, self._ends, partitions, **wanted)
        there = live_rows(self._clients, live, table, self._ends, partitions, **wanted)
        for place in sorted(here.keys() | there.keys()):
            partition, key = place
            yield Pair(key, partition, here.get(place), there.get(place))


def _is_head(key: bytes) -> bool:
    """Whether a row is a sum's own; those of the users below it have three parts."""
    try:
        kind, _ = decode_by(key, _HEAD_KEY)
    except NotADocument:
        return False
    return kind in ("asset", "base")


def user_of(key: bytes, row: bytes) -> UserState:
    """The row of a user; raises `NotADocument` where it is none that we wrote."""
    state = decode(row, UserState)
    if state.user.encode() != key:
        raise NotADocument("it is another user's")
    return state


def _sum(pair: Pair[bytes], head: bytes | None, kind: type[SumDocument]) -> SumDocument | None:
    if head is None:
        return None
    try:
        return decode(bytes(decode(head, Head).document), kind)
    except NotADocument as error:
        passed_by(ASSETS_TABLE, pair.key, pair.partition, error)
        return None


def passed_by(table: str, key: bytes, partition: int, why: NotADocument) -> None:
    """Tell of a row that nobody of us wrote: not what is in it."""
    name = blake2b(key, digest_size=8).hexdigest()
    place = f"key {name} by blake2b-64, partition {partition}"
    log.warning("%s: passed by a row that nobody of us wrote (%s): %s", table, place, why)


def same(here: msgspec.Struct | None, there: msgspec.Struct | None, *, versions: bool) -> bool:
    """Whether two documents say the same; without `versions` theirs do not matter."""
    if here is None or there is None or versions:
        return here == there
    version = there.version  # type: ignore[attr-defined]
    found: bool = msgspec.structs.replace(here, version=version) == there
    return found
