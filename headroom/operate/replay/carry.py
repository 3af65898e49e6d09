"""The baseline of a replay: accounts whose newest frame is not among those that are read.

Raw keeps frames for thirty days, and a quiet account's balance lasts longer. Such an account is
taken from the live table as it is: its row, and what follows from that.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from headroom.base.clients import Clients
from headroom.operate.generations.kind import Generation, changelog, names_of
from headroom.operate.replay.rows import live_rows, passed_by, user_of
from headroom.operate.replay.told import InPlaceOf
from processors.ledger.contributions import bundles, keyed
from processors.ledger.doubts import Doubtful, doubts
from processors.ledger.users import Unread, UserState
from processors.ledger.views import NOWHERE, Venues, View
from processors.names import USERS_TABLE
from schemas.codec import NotADocument, encode
from schemas.documents import BalanceSnapshot
from schemas.headers import Headers, cloud_event
from schemas.topics import BALANCES_LATEST, EXPOSURE_USER, UNCONFIRMED

TRANSACTION_SECONDS: Final = 120.0
_USERS_AT_ONCE: Final = 2_000

Out = tuple[str, int | None, bytes, bytes | None, Headers]
"""One record to write: topic, partition (None: that of the key), key, value, headers."""


class Carried(msgspec.Struct):
    """How many accounts, and how many users' rows they are in."""

    accounts: int = 0
    users: int = 0


def carried_state(
    state: UserState, reads: Callable[[BalanceSnapshot | Unread], bool]
) -> UserState | None:
    """A user's row with the accounts alone that are carried; None where there are none.

    `reads` says whether an account's newest frame is read. What the user ever held stays known.
    """
    accounts = {name: one for name, one in state.accounts.items() if not reads(one)}
    if not accounts:
        return None
    return msgspec.structs.replace(
        state,
        accounts=accounts,
        # Who gave an account away has to remember it only for what is under way.
        moved={},
        unread={name: one for name, one in state.unread.items() if not reads(one)},
        confirmed={name: one for name, one in state.confirmed.items() if name in accounts},
    )


def reader(generation: Generation) -> Callable[[BalanceSnapshot | Unread], bool]:
    """Whether the frame that a snapshot came from is one that a generation is made of.

    One that came later counts as such: the generation goes on to read it.
    """
    accounts = generation.frames_of

    def reads(snapshot: BalanceSnapshot | Unread) -> bool:
        ids = accounts.get(snapshot.venue, frozenset())
        if ids is not None and snapshot.account.encode() not in ids:
            return False
        source = snapshot.source
        topic, found = generation.known_as(source.topic, source.partition, source.offset)
        if found:
            return found > 0
        starts = generation.starts.get(topic, [])
        return source.partition < len(starts) and source.offset >= starts[source.partition]

    return reads


def records_of(
    state: UserState, generation: str, partition: int, in_assets: Venues = NOWHERE
) -> Iterator[Out]:
    """A user's row, documents and shares, as the agents would have told them."""
    names, view = names_of(generation, live=False), View(state, in_assets)
    key, time = state.user.encode(), max(one.received_time for one in state.accounts.values())
    yield changelog(generation, USERS_TABLE), partition, key, encode(state), []
    for topic, document in (
        (BALANCES_LATEST, view.balances()),
        (EXPOSURE_USER, view.exposure()),
    ):
        if document is not None:
            event_id = f"{topic}/{state.user}/{state.version}"
            headers = cloud_event(topic=topic, subject=state.user, event_id=event_id, time=time)
            yield names.output(topic), None, key, encode(document), headers
    for doubtful in doubts(None, state, ()):
        yield doubtful_record(doubtful, names.output(UNCONFIRMED))
    for sum_key, bundle in bundles(keyed(view.shares(time))):
        yield names.contributions, None, sum_key, bundle, []


def doubtful_record(doubtful: Doubtful, topic: str) -> Out:
    """What others are told of an account that is in doubt, or no longer, as a record of a topic."""
    document, key = doubtful.document, doubtful.key
    event_id = f"{UNCONFIRMED}/{doubtful.event}"
    headers = cloud_event(topic=UNCONFIRMED, subject=key, event_id=event_id, time=doubtful.time)
    return topic, None, key.encode(), None if document is None else encode(document), headers


def count(clients: Clients, generation: Generation, *, partitions: int) -> Carried:
    """How many accounts would be carried."""
    return _sum(state for _, state in _states(clients, generation, partitions))


def carry(
    clients: Clients,
    generation: Generation,
    *,
    partitions: int,
    producer: Any,  # noqa: ANN401 - librdkafka has no types
    in_assets: Venues = NOWHERE,
) -> Carried:
    """Write the baseline; what was written before is written again, the same."""
    carried, waiting = Carried(), 0
    producer.begin_transaction()
    for partition, state in _states(clients, generation, partitions):
        for out in records_of(state, generation.name, partition, in_assets):
            put(producer, out)
        carried.accounts += len(state.accounts)
        carried.users += 1
        waiting += 1
        if waiting == _USERS_AT_ONCE:
            producer.commit_transaction()
            producer.begin_transaction()
            waiting = 0
    producer.commit_transaction()
    return carried


def put(producer: Any, out: Out) -> None:  # noqa: ANN401 - librdkafka has no types
    """Hand a record over; waits while too many are on their way."""
    topic, partition, key, value, headers = out
    place: dict[str, int] = {} if partition is None else {"partition": partition}
    while True:
        try:
            producer.produce(topic, value, key, headers=headers, **place)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _states(
    clients: Clients, generation: Generation, partitions: int
) -> Iterator[tuple[int, UserState]]:
    """The rows that are carried, each with its partition."""
    topic, reads = changelog(generation.origin, USERS_TABLE), reader(generation)
    ends, told = clients.ends([topic], partitions), InPlaceOf(clients, USERS_TABLE, partitions)
    for partition in range(partitions):
        rows = live_rows(clients, generation.origin, USERS_TABLE, ends, [partition])
        for (_, key), row in rows.items():
            try:
                user = user_of(key, row)
            except NotADocument as error:
                passed_by(USERS_TABLE, key, partition, error)
                if (before := told.row(partition, key)) is None:
                    continue
                user = user_of(key, before)
            state = carried_state(user, reads)
            if state is not None:
                yield partition, state


def _sum(states: Iterable[UserState]) -> Carried:
    carried = Carried()
    for state in states:
        carried.accounts += len(state.accounts)
        carried.users += 1
    return carried
