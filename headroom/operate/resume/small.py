"""Topics that are not worked through: other ones than they were, or cut; and what they held.

Nobody stands anywhere in them. What is lost with the accounts' bindings, or with the notes on dead
letters that were sent again, lies elsewhere too, and is written again; what the producers say of
their connections comes again by itself; documents that others read are made of the tables.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from headroom.base import whole
from headroom.base.clients import Clients
from headroom.base.known_topics import RESUME, KnownTopic
from headroom.operate.accounts.bindings import Binding
from headroom.operate.deadletters.letter import NoPlace, Place, place_of
from headroom.operate.replay.carry import Out
from headroom.operate.resume.documents import DOCUMENTS, documents
from headroom.operate.resume.picture import Kind, Picture, Span
from headroom.operate.resume.plan import CHOICES, Know, NoWay, What, Wrong, words_of
from processors.engine.errors import TopicReplaced
from processors.engine.headers import headers_of
from processors.ledger.moves import Withdrawal, read_order
from processors.ledger.users import UserState
from processors.ledger.views import Venues
from schemas.codec import NotADocument, encode
from schemas.headers import RETRY_OF
from schemas.incarnations import number_at
from schemas.topics import ACCOUNTS, FEEDS, LEASES, RETRIES
from schemas.venues import VENUES

_KNOWN: Final = "and what is there now is known from then on"
_DOES: Final = {
    ACCOUNTS: "what the users' rows and the orders tell of moved accounts is written there again",
    RETRIES: "what raw tells of dead letters that were sent again is written there again",
    FEEDS: f"the producers tell all of it again by themselves, {_KNOWN}",
    LEASES: f"nothing lies in it, {_KNOWN}",
}
_DOCUMENTS: Final = "what the tables tell is written there again"
_OTHERS: Final = f"what it held is lost to whoever had not read it, {_KNOWN}"


def wrongs(picture: Picture) -> list[Wrong]:
    """What is wrong with these topics; raises `NoWay` where one that was known is not there."""
    return list(_wrongs(picture))


def _wrongs(picture: Picture) -> Iterator[Wrong]:
    for topic, one in picture.small.items():
        known = picture.known.get(topic)
        error: Exception
        if one.found is None:
            if known is not None:
                problem = f"{topic} is not there: `headroom topics apply` makes it"
                raise NoWay(f"{problem}, and then this goes on")
            continue
        if known is not None and known.id != one.found:
            what, partition = What.REPLACED, 0
            error = TopicReplaced(topic=topic, known=known.id, found=one.found)
        elif (place := whole.cut(one.begins, known)) is not None:
            what, partition = What.CUT, place[0]
            error = whole.TopicCut(topic, *place, RESUME)
        else:
            continue
        begin = one.begins[partition] if one.begins else 0
        ways = dict.fromkeys(CHOICES, _does(topic))
        span = Span(begin, begin)
        yield Wrong(topic, partition, Kind.SMALL, what, span, words_of(error), ways)


def _does(topic: str) -> str:
    return _DOES.get(topic, _DOCUMENTS if topic in DOCUMENTS else _OTHERS)


def acts(picture: Picture, meant: Sequence[Wrong]) -> list[Know]:
    """What the book is to say of those that are wrong."""
    found = []
    for topic in dict.fromkeys(wrong.topic for wrong in meant if wrong.kind is Kind.SMALL):
        one = picture.small[topic]
        known = picture.known.get(topic) or KnownTopic(topic, one.found or "")
        begins = one.begins if any(one.begins) else ()
        found.append(Know(msgspec.structs.replace(known, id=one.found or known.id, begins=begins)))
    return found


def written_again(
    clients: Clients,
    picture: Picture,
    topics: Iterable[str],
    states: Callable[[], Iterable[UserState]],
    left: Mapping[str, Binding],
    *,
    in_assets: Venues,
    time: str,
) -> Iterator[Out]:
    """The records that say again what these topics held; `left` is what bindings there are.

    `time` is that of documents which no frame led to.
    """
    for topic in topics:
        if topic in DOCUMENTS:
            yield from documents(clients, picture, topic, states(), in_assets=in_assets, time=time)
        elif topic == ACCOUNTS:
            for binding in bindings_told(clients, picture, states(), left):
                yield ACCOUNTS, None, binding.own.encode(), encode(binding), []
        elif topic == RETRIES:
            yield from _notes(clients, picture)


def bindings_told(
    clients: Clients,
    picture: Picture,
    states: Iterable[UserState],
    left: Mapping[str, Binding],
) -> list[Binding]:
    """Who has the accounts that were ever moved: of each the last move.

    Whoever gave an account away remembers to whom and by which move; of moves that nobody has
    followed yet there are the orders.
    """
    last = dict(left)

    def take(one: Binding) -> None:
        before = last.get(one.own)
        if one.venue in VENUES and (before is None or before.number < one.number):
            last[one.own] = one

    for state in states:
        for own, moved in state.moved.items():
            venue, _, account = own.partition(":")
            take(Binding(venue, account, moved.to, moved.number))
    orders = [topic for topic, kind in picture.kinds.items() if kind is Kind.ORDERS]
    for message in clients.read(_all(picture, orders)):
        try:
            order = read_order(message.value() or b"")
        except NotADocument:
            continue
        if isinstance(order, Withdrawal):
            take(Binding(order.venue, order.account, order.to, order.number))
    return [last[own] for own in sorted(last)]


def _notes(clients: Clients, picture: Picture) -> Iterator[Out]:
    raw = [topic for topic, kind in picture.kinds.items() if kind is Kind.RAW]
    for message in clients.read(_all(picture, raw)):
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        for name, value in headers_of(message):
            if name == RETRY_OF and (origin := _origin(value)) is not None:
                known = picture.known.get(topic)
                history = () if known is None else known.history
                number = number_at(history, partition, offset)
                place = Place(topic, partition, offset, incarnation=number)
                yield RETRIES, None, str(origin).encode(), str(place).encode(), []


def _origin(value: bytes | None) -> Place | None:
    try:
        return place_of((value or b"").decode())
    except (NoPlace, UnicodeDecodeError):
        return None


def _all(picture: Picture, topics: Iterable[str]) -> dict[tuple[str, int], tuple[int, int]]:
    places = [(topic, number) for topic in topics for number in range(picture.partitions)]
    return {p: (picture.spans[p].begin, picture.spans[p].end) for p in places if p in picture.spans}
