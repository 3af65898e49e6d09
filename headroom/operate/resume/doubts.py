"""Whose frames may be among those that nobody will read, and what casts doubt on these accounts.

An account is in doubt until a frame comes that is later than all that were lost. So its doubt
stands behind every frame of it that is on its way already: in the rows, in balances and in orders
that are still to be folded, and, where a frame may tell of accounts whose key it does not have, in
raw records of other partitions that are older than the lost ones may be.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from headroom.base.clients import Clients, Place
from headroom.base.partitioner import partition_of
from headroom.operate.resume.picture import Kind, Picture
from headroom.operate.resume.plan import Doubt
from processors.engine.headers import Headers, headers_of
from processors.ledger.moves import Adoption, Observed, Withdrawal, read_order
from processors.ledger.users import Unread, UserState, place_of
from processors.normalise import NORMALISERS, OF_SEVERAL, raw_frame
from schemas.codec import NotADocument, decode_snapshot
from schemas.documents import Source
from schemas.identity import user_for
from schemas.venues import VENUES

_NOWHERE: Final = (0, 0)


class _Account(msgspec.Struct):
    """An account, the place of its newest frame that is known, and partitions that had some."""

    venue: str
    account: str
    user: str
    newest: tuple[int, int] = _NOWHERE
    partitions: set[int] = msgspec.field(default_factory=set)

    def saw(self, place: tuple[int, int], source: Source | None = None) -> None:
        self.newest = max(self.newest, place)
        if source is not None:
            self.partitions.add(source.partition)


class Accounts:
    """All accounts that the tables, and what is still to be folded, know of; by their own names."""

    def __init__(self, partitions: int, owners: Mapping[str, str]) -> None:
        self._partitions = partitions
        self._owners = owners
        self._all: dict[str, _Account] = {}

    def take_row(self, state: UserState) -> None:
        """Take what a user's row knows of accounts that are the user's."""
        for own, snapshot in state.accounts.items():
            account = self._of(snapshot.venue, snapshot.account, state.user)
            account.saw(place_of(state, own), snapshot.source)
        for unread in state.unread.values():
            self._of(unread.venue, unread.account, state.user).saw(unread.place)

    def take_balances(self, document: bytes) -> None:
        """Take a snapshot that is still to be folded; what is no document is passed over."""
        try:
            one = decode_snapshot(document)
        except NotADocument:
            return
        self._of(one.venue, one.account, one.user).saw((one.epoch, one.receipt), one.source)

    def take_order(self, order: bytes) -> None:
        """Take an order that is still to be followed; what is none is passed over."""
        try:
            found = read_order(order)
        except NotADocument:
            return
        if isinstance(found, Withdrawal | Observed):
            return
        account = self._of(found.venue, found.account, found.user)
        if isinstance(found, Adoption):
            if found.snapshot is not None:
                account.saw((found.snapshot.epoch, found.snapshot.receipt))
            for one in (found.unread, found.confirmed):
                if one is not None:
                    account.saw(one.place)
        else:
            account.saw(found.place)

    def take_place(self, venue: str, account: str, place: tuple[int, int]) -> None:
        """Take where a frame of an account stands that nobody has read yet."""
        own = user_for(venue, account)
        self._of(venue, account, self._owners.get(own, own)).saw(place)

    def orders(self, doubts: Iterable[Doubt], *, time: str) -> Iterator[Unread]:
        """The doubts that are to be cast, one for each account; `time` is since when."""
        cast: set[str] = set()
        for doubt in doubts:
            for own, one in sorted(self._all.items()):
                if own not in cast and self._concerns(doubt, one):
                    cast.add(own)
                    yield _unread(doubt, one, time)

    def _concerns(self, doubt: Doubt, one: _Account) -> bool:
        topic, number = doubt.place
        if doubt.by_user:
            return self._partition(one.user) == number
        if VENUES[one.venue].raw_topic != topic:
            return False
        # Its key says where its frames lie, if a producer of ours sent them.
        places = {self._partition(one.account), *one.partitions}
        return one.venue in OF_SEVERAL or number in places

    def _partition(self, key: str) -> int:
        return partition_of(key.encode(), self._partitions)

    def _of(self, venue: str, account: str, user: str) -> _Account:
        own = user_for(venue, account)
        if own not in self._all:
            self._all[own] = _Account(venue, account, user)
        return self._all[own]


def _unread(doubt: Doubt, one: _Account, time: str) -> Unread:
    epoch, receipt = one.newest
    return Unread(
        venue=one.venue,
        account=one.account,
        user=one.user,
        epoch=epoch,
        receipt=receipt + 1,
        received_time=time,
        reason=doubt.words,
        source=Source(doubt.name, doubt.place[1], doubt.start),
    )


def accounts(
    clients: Clients,
    picture: Picture,
    states: Iterable[UserState],
    doubts: Collection[Doubt],
    stands: Mapping[Place, int],
    owners: Mapping[str, str],
) -> Accounts:
    """All accounts, and how far each is told of.

    `stands` is where the group will stand, `owners` who has accounts of other names.
    """
    found = Accounts(picture.partitions, owners)
    for state in states:
        found.take_row(state)
    spans = {
        place: picture.read_from(place, stands)
        for place in picture.spans
        if picture.kinds[place[0]] in (Kind.BALANCES, Kind.ORDERS)
    }
    for message in clients.read(spans):
        is_balances = picture.kinds[message.topic()] is Kind.BALANCES
        take = found.take_balances if is_balances else found.take_order
        take(message.value() or b"")
    for venue in sorted(OF_SEVERAL):
        _take_raw(clients, picture, venue, found, doubts, stands)
    return found


def _take_raw(
    clients: Clients,
    picture: Picture,
    venue: str,
    found: Accounts,
    doubts: Collection[Doubt],
    stands: Mapping[Place, int],
) -> None:
    """Take the frames of a venue that may be older than lost ones, and lie elsewhere."""
    topic = VENUES[venue].raw_topic
    lost = {doubt.place[1] for doubt in doubts if doubt.place[0] == topic}
    if not lost:
        return
    places = [(topic, number) for number in range(picture.partitions)]
    spans = {place: picture.read_from(place, stands) for place in places}
    # Of each epoch: the first frame that is left in every partition that lost some.
    first: dict[int, dict[int, int]] = {}
    for message in clients.read({p: span for p, span in spans.items() if p[1] in lost}):
        order = raw_frame(topic, message.partition(), _Record(message)).receipt
        first.setdefault(order.epoch, {}).setdefault(message.partition(), order.receipt)
    for message in clients.read({p: span for p, span in spans.items() if p[1] not in lost}):
        frame = raw_frame(topic, message.partition(), _Record(message))
        epoch, receipt = frame.receipt.epoch, frame.receipt.receipt
        left = first.get(epoch, {})
        if len(left) == len(lost) and all(receipt > one for one in left.values()):
            continue  # later than all that were lost
        outcome = NORMALISERS[venue](frame)
        for one in outcome if isinstance(outcome, tuple) else (outcome,):
            if one.account is not None:
                found.take_place(venue, one.account, (epoch, receipt))


class _Record:
    """A record of librdkafka's as normalisers want it."""

    def __init__(self, message: object) -> None:
        self._message = message

    @property
    def value(self) -> bytes | None:
        value: bytes | None = self._message.value()  # type: ignore[attr-defined]
        return value

    @property
    def headers(self) -> Headers:
        return headers_of(self._message)

    @property
    def offset(self) -> int:
        offset: int = self._message.offset()  # type: ignore[attr-defined]
        return offset

    @property
    def timestamp_ms(self) -> int:
        time: int = self._message.timestamp()[1]  # type: ignore[attr-defined]
        return time
