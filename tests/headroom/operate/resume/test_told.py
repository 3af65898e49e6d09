"""What topics and tables tell of where a group stood, and of whom frames may be lost: no Kafka."""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from headroom.base.known_topics import KnownTopic
from headroom.operate.resume.doubts import accounts
from headroom.operate.resume.picture import Kind, Picture, Span
from headroom.operate.resume.plan import Doubt
from headroom.operate.resume.shares import shares
from headroom.operate.resume.told import IN_FLIGHT_MAX, first_new, first_unknown, raw_places
from processors.ledger.contributions import unbundle
from processors.ledger.moves import Adoption, Withdrawal, follow
from processors.ledger.users import UserState
from processors.ledger.views import NOWHERE
from schemas.codec import encode
from schemas.documents import BalanceSnapshot, Source
from schemas.headers import DeadLetterOrigin, RawHeaders, dead_letter
from tests.headroom.operate.resume.stopped import HERCLE, SFOX, names_in, partition_of
from tests.processors.ledger.doubted import unread
from tests.processors.ledger.snapshots import last, snapshot

PARTITIONS = 8
KINDS = {
    SFOX: Kind.RAW,
    HERCLE: Kind.RAW,
    "balances.v1": Kind.BALANCES,
    "orders": Kind.ORDERS,
}
TIME = "2026-11-29T06:00:00.000000000Z"


class Message:
    """A record as librdkafka has it."""

    def __init__(
        self,
        place: tuple[str, int],
        offset: int,
        value: bytes,
        *,
        key: bytes = b"",
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        self._place, self._offset, self._value = place, offset, value
        self._key, self._headers = key, headers

    def topic(self) -> str:
        return self._place[0]

    def partition(self) -> int:
        return self._place[1]

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes:
        return self._value

    def headers(self) -> list[tuple[str, bytes]]:
        return list(self._headers)

    def timestamp(self) -> tuple[int, int]:
        return 1, 0


class Log:
    """Kafka in a list; `picture` is what it looks like, read up to where `commits` say."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], list[Message]] = {}

    def append(
        self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> tuple[int, int]:
        place = topic, partition_of(key)
        of_place = self.records.setdefault(place, [])
        of_place.append(Message(place, len(of_place), value, key=key.encode(), headers=headers))
        return place[1], len(of_place) - 1

    def frame(self, topic: str, account: str, *order: int, frame: bytes = b"{}") -> tuple[int, int]:
        epoch, receipt = order
        headers = RawHeaders("sfox", "f", epoch, receipt, TIME).encode()
        return self.append(topic, account, frame, headers)

    def told(self, one: BalanceSnapshot, name: str = "") -> None:
        source = one.source
        event = f"{name or source.topic}/{source.partition}/{source.offset}"
        self.append("balances.v1", one.user, encode(one), [("ce_id", event.encode())])

    def picture(
        self, commits: Mapping[tuple[str, int], int] = {}, known: Mapping[str, KnownTopic] = {}
    ) -> Picture:
        places = [(topic, number) for topic in KINDS for number in range(PARTITIONS)]
        return Picture(
            live="first",
            partitions=PARTITIONS,
            kinds=KINDS,
            found=dict.fromkeys(KINDS, "a"),
            known=dict(known),
            spans={p: Span(0, len(self.records.get(p, [])), commits.get(p)) for p in places},
        )

    def begins(self, topics: Any, partitions: int) -> dict[tuple[str, int], int]:
        return {(topic, number): 0 for topic in topics for number in range(partitions)}

    def ends(self, topics: Any, partitions: int) -> dict[tuple[str, int], int]:
        places = self.begins(topics, partitions)
        return {place: len(self.records.get(place, [])) for place in places}

    def read(self, spans: Mapping[tuple[str, int], tuple[int, int]]) -> Iterator[Message]:
        for place, (begin, end) in spans.items():
            yield from self.records.get(place, [])[begin:end]


def of(account: str, *order: int, at: tuple[int, int], topic: str = SFOX) -> BalanceSnapshot:
    """A snapshot of a frame that lies there."""
    epoch, receipt = order
    one = snapshot(epoch, receipt, receipt, account=account, assets={"BTC": str(receipt)})
    return msgspec.structs.replace(one, source=Source(topic, *at))


def letter(log: Log, at: tuple[int, int], *, incarnation: int = 1) -> None:
    origin = DeadLetterOrigin(SFOX, *at, "normalise", "code", incarnation=incarnation)
    own = RawHeaders("sfox", "f", 1, 1, TIME).encode()
    headers = dead_letter(origin, reason="amount", detail="x", own=own)
    log.append("deadletters.v1", "k", b"{", headers)


# -- where the group stood


def stands(log: Log, *, exact: bool = True, **more: Any) -> dict[int, int]:
    clients: Any = log
    found = raw_places(
        clients, log.picture(**more), [(SFOX, n) for n in range(PARTITIONS)], exact=exact
    )
    return {number: at for (_, number), at in found.items() if at}


def test_raw_was_read_up_to_behind_the_last_frame_that_has_an_outcome() -> None:
    log, (name, other) = Log(), names_in(3, 2)
    for receipt in range(1, 7):
        at = log.frame(SFOX, name, 1, receipt)
        if receipt < 5:
            log.told(of(name, 1, receipt, at=at))
    assert stands(log) == {3: 4}
    letter(log, (3, 4))
    assert stands(log) == {3: 5}
    log.append("balances.v1", other, b"stranger", [("ce_id", b"nonsense/1")])
    log.append("balances.v1", other, b"stranger")
    assert stands(log) == {3: 5}


def test_outcomes_of_a_topic_of_before_say_nothing() -> None:
    log, (name,) = Log(), names_in(3, 1)
    for receipt in range(1, 7):
        log.told(of(name, 1, receipt, at=log.frame(SFOX, name, 1, receipt)))
    letter(log, (3, 5))
    known = {SFOX: KnownTopic(SFOX, "a").replaced("b", PARTITIONS)}
    assert stands(log, known=known) == {}
    log.told(of(name, 1, 1, at=(3, 1)), f"{SFOX}~2")
    letter(log, (3, 2), incarnation=2)
    assert stands(log, known=known) == {3: 3}


def test_without_transactions_it_was_read_up_to_the_first_frame_without_an_outcome() -> None:
    """Of what was in flight at the end some may have been told and some not."""
    log, (name,) = Log(), names_in(3, 1)
    places = [log.frame(SFOX, name, 1, receipt) for receipt in range(1, IN_FLIGHT_MAX + 500)]
    for receipt, at in enumerate(places, 1):
        if receipt not in (5, IN_FLIGHT_MAX + 400):
            log.told(of(name, 1, receipt, at=at))
    assert stands(log) == {3: len(places)}
    # The fifth is of long ago: it holds no record of ours, but a transaction's marker.
    assert stands(log, exact=False) == {3: IN_FLIGHT_MAX + 399}


def test_a_topic_that_lost_its_end_is_new_from_the_first_frame_on_that_was_not_told() -> None:
    log, (name,) = Log(), names_in(3, 1)
    place, clients = (SFOX, 3), log
    for receipt in range(1, 10):
        at = log.frame(SFOX, name, 1, receipt)
        log.told(of(name, 1, receipt, at=at))
    raw = log.records[place]
    del raw[5:]
    for window in (2, 100):
        assert first_new(clients, log.picture({place: 9}), place, window=window) == 5  # type: ignore[arg-type]
    # Two have come since, in places that others had.
    log.frame(SFOX, name, 1, 10)
    log.frame(SFOX, name, 1, 11)
    for window in (1, 2, 3, 100):
        assert first_new(clients, log.picture({place: 9}), place, window=window) == 5  # type: ignore[arg-type]


def test_balances_were_read_up_to_the_first_that_the_rows_do_not_know() -> None:
    log, (name,) = Log(), names_in(3, 1)
    every = [of(name, 1, receipt, at=(3, receipt)) for receipt in range(1, 9)]
    for one in every:
        log.told(one)
    user = f"sfox:{name}"
    place = "balances.v1", partition_of(user)
    clients: Any = log
    for count in (0, 1, 5, 8):
        row = last(every[:count]).state if count else None
        rows = {} if row is None else {(place[1], user.encode()): encode(row)}
        assert first_unknown(clients, log.picture(), place, rows, exact=True) == count
        assert first_unknown(clients, log.picture(), place, rows, exact=False) == 0
    # Given away after the fifth: what came before was folded, what comes now is passed on.
    given = follow(last(every[:5]).state, Withdrawal("sfox", name, user, "ann", 1)).state
    rows = {(place[1], user.encode()): encode(given)}
    assert first_unknown(clients, log.picture(), place, rows, exact=True) == 5


# -- whose frames may be lost


def cast(
    log: Log,
    states: list[UserState],
    doubts: list[Doubt],
    commits: Mapping[tuple[str, int], int] = {},
    owners: Mapping[str, str] = {},
) -> dict[str, tuple[str, int, int]]:
    clients: Any = log
    found = accounts(clients, log.picture(commits), states, doubts, {}, owners)
    orders = list(found.orders(doubts, time=TIME))
    assert all((one.received_time, one.reason) == (TIME, "gone") for one in orders)
    return {f"{o.venue}:{o.account}": (o.user, o.epoch, o.receipt) for o in orders}


def gone(topic: str, partition: int, *, by_user: bool = False) -> Doubt:
    return Doubt((topic, partition), topic, "gone", 4, by_user=by_user)


def test_whose_key_lies_in_the_partition_is_in_doubt_and_nobody_else() -> None:
    names, others = names_in(3, 2), names_in(5, 2)
    states = [last([of(name, 7, 2, at=(0, 1))]).state for name in (*names, *others)]
    found = cast(Log(), states, [gone(SFOX, 3)])
    assert found == {f"sfox:{name}": (f"sfox:{name}", 7, 3) for name in names}
    # A frame of another's key lay there before: so it may have again.
    assert len(cast(Log(), states, [gone(SFOX, 3), gone(SFOX, 0)])) == 4


def test_a_doubt_stands_behind_all_that_is_known_of_the_account_and_not_folded() -> None:
    """Else the frames before the gap would take it away."""
    (name,) = names_in(3, 1)
    state = last([of(name, 7, 2, at=(3, 1))]).state
    log = Log()
    log.told(of(name, 7, 5, at=(3, 2)))
    assert cast(log, [state], [gone(SFOX, 3)]) == {f"sfox:{name}": (f"sfox:{name}", 7, 6)}
    moved = of(name, 7, 8, at=(3, 3))
    log.append("orders", "ann", encode(Adoption("sfox", name, "ann", 1, moved)))
    log.append("orders", "ann", b"stranger")
    assert cast(log, [state], [gone(SFOX, 3)]) == {f"sfox:{name}": (f"sfox:{name}", 7, 9)}
    doubted = msgspec.structs.replace(unread(1, epoch=8), account=name, user=f"sfox:{name}")
    log.append("orders", "ann", encode(doubted))
    assert cast(log, [], [gone(SFOX, 3)]) == {f"sfox:{name}": (f"sfox:{name}", 8, 2)}


def test_balances_that_are_lost_leave_the_accounts_of_their_users_in_doubt() -> None:
    states = [last([of(name, 7, 2, at=(0, 1))]).state for name in ("a", "b", "c", "d", "e")]
    number = partition_of("sfox:c")
    found = cast(Log(), states, [gone("balances.v1", number, by_user=True)])
    wanted = {one.user for one in states if partition_of(one.user) == number}
    assert found.keys() == wanted


def hercle(*names: str) -> bytes:
    data = [
        {
            "userId": name,
            "sequence": 1,
            "assets": [],
            "baseCurrency": "EUR",
            "totalCurrentExposure": 1,
            "totalMaxExposure": 2,
            "deleted": False,
        }
        for name in names
    ]
    event = {"subject": "account.balances.snapshot", "data": data}
    message = {"type": 1, "target": "executionEvents", "arguments": [event]}
    return json.dumps(message).encode()


@pytest.mark.parametrize(
    ("left", "elsewhere", "place"),
    [
        (None, 5, (7, 6)),  # nothing is left of the epoch: it may be older than the lost ones
        (9, 5, (7, 6)),  # older than what is left: it may be older than the lost ones
        (4, 5, (7, 3)),  # later than all that were lost: it vouches
    ],
)
def test_where_frames_tell_of_several_those_in_other_partitions_may_be_older_than_lost_ones(
    left: int | None, elsewhere: int, place: tuple[int, int]
) -> None:
    (key,), (other,) = names_in(3, 1), names_in(5, 1)
    one = msgspec.structs.replace(snapshot(7, 2, 2, venue="hercle", account="ann"), user="who")
    log = Log()
    if left is not None:
        log.frame(HERCLE, key, 7, left)
    log.frame(HERCLE, other, 7, elsewhere, frame=hercle(other, "ann", "new"))
    owners = {"hercle:new": "somebody"}
    found = cast(log, [last([one]).state], [gone(HERCLE, 3)], owners=owners)
    assert found["hercle:ann"] == ("who", *place)
    assert found.get("hercle:new", ("somebody",))[0] == "somebody"


# -- shares


def test_every_share_is_told_again_and_what_is_no_longer_held_with_nothing_in_it() -> None:
    first = snapshot(1, 1, 1, assets={"BTC": "1", "ETH": "2"})
    states = [last([first, snapshot(1, 2, 2, assets={"BTC": "3"})]).state]
    states.append(msgspec.structs.replace(states[0], user="gone", accounts={}))
    everything = frozenset(range(PARTITIONS))

    def told(wanted: frozenset[int]) -> dict[tuple[str, str], Any]:
        found = shares(
            states, "shares", wanted, partitions=PARTITIONS, in_assets=NOWHERE, time=TIME
        )
        records = list(found)
        assert {partition_of((key or b"").decode()) for _, _, key, _, _ in records} <= wanted
        return {
            (one.name, one.user): one for *_, value, _ in records for one in unbundle(value or b"")
        }

    every = told(everything)
    assert every.keys() == {
        (asset, user) for asset in ("BTC", "ETH") for user in ("sfox:a", "gone")
    }
    assert {one.version for one in every.values()} == {2}
    assert every["ETH", "sfox:a"].venues == every["BTC", "gone"].venues == {}
    assert Decimal(every["BTC", "sfox:a"].venues["sfox"].total) == 3
    assert every["BTC", "gone"].time == TIME
    bitcoin = partition_of('["asset","BTC"]')
    assert ("BTC", "gone") in told(frozenset([bitcoin]))
    assert ("BTC", "gone") not in told(everything - {bitcoin})
