"""What a worker does with its accounts file before it starts: it must say what Kafka says.

The first word on an account is recorded; whatever differs from that afterwards is refused, and only
`headroom accounts move` changes it.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from headroom.base.clients import Clients
from headroom.base.errors import OperatorError
from headroom.base.partitioner import partition_of
from headroom.base.settings import Settings
from headroom.operate.accounts.bindings import Binding, Bindings, read_bindings
from headroom.operate.accounts.file import read_accounts
from headroom.operate.accounts.orders import MovedElsewhere, order, ordering
from headroom.operate.generations import read_book
from headroom.operate.generations.kind import changelog
from processors.ledger.users import UserState
from processors.names import USERS_TABLE
from schemas.codec import NotADocument, decode

_TRIES: Final = 5
_NAMED_MAX: Final = 5


class AccountsDiffer(OperatorError):
    """The accounts file says otherwise than what is recorded in Kafka."""


async def claim(settings: Settings) -> None:
    """Record what the file says first of an account; raises `AccountsDiffer`, `SettingsError`."""
    wanted = read_accounts(settings.accounts_file)
    kafka = settings.kafka.arguments()
    for attempt in range(_TRIES):
        known = await read_bindings(kafka, partitions=settings.partitions)
        new = {own: user for own, user in wanted.items() if own not in known.all}
        _check(wanted, known)
        if not new:
            return
        await _nobody_has(settings, new)
        try:
            async with ordering(kafka) as producer:
                known = await read_bindings(kafka, partitions=settings.partitions)
                _check(wanted, known)
                moves = [
                    (own, _binding(own, user)) for own, user in new.items() if own not in known.all
                ]
                await order(producer, moves)
        except MovedElsewhere:
            # Workers that start at once have the same file, mostly.
            if attempt == _TRIES - 1:
                raise
        else:
            return


def _binding(own: str, user: str) -> Binding:
    venue, _, account = own.partition(":")
    return Binding(venue, account, user, 1)


def _check(wanted: Mapping[str, str], known: Bindings) -> None:
    unlike = []
    for own in sorted(known.all.keys() | wanted.keys()):
        recorded = known.all[own].user if own in known.all else None
        said = wanted.get(own, own)
        if recorded is not None and recorded != said:
            unlike.append(f"{own} belongs to {recorded}, not {said}")
    _refuse(unlike)


def _refuse(unlike: list[str]) -> None:
    if unlike:
        more = f" and {len(unlike) - _NAMED_MAX} more" if len(unlike) > _NAMED_MAX else ""
        told = "; ".join(unlike[:_NAMED_MAX]) + more
        hint = "`headroom accounts move` changes that, the file alone does not"
        raise AccountsDiffer(f"HEADROOM_ACCOUNTS_FILE differs from Kafka: {told}: {hint}")


async def _nobody_has(settings: Settings, new: Mapping[str, str]) -> None:
    """Of an account that has been seen the first word was that it belongs to itself."""
    book = await read_book(settings.kafka.arguments(), partitions=settings.partitions)
    topic = changelog(book.live.name, USERS_TABLE)
    seen = await asyncio.to_thread(_seen, settings, topic, set(new))
    _refuse([f"{own} belongs to {own}, not {new[own]}" for own in sorted(seen)])


def _seen(settings: Settings, topic: str, users: set[str]) -> set[str]:
    clients, keys = Clients(settings.kafka), {user.encode() for user in users}
    try:
        if topic not in clients.admin.list_topics(timeout=10.0).topics:
            return set()
        partitions = {partition_of(key, settings.partitions) for key in keys}
        ends = clients.ends([topic], settings.partitions)
        places = {(topic, number): (0, ends[topic, number]) for number in partitions}
        last = {m.key(): m.value() for m in clients.read(places) if m.key() in keys}
    finally:
        clients.close()
    return {key.decode() for key, row in last.items() if row is not None and _has_own(key, row)}


def _has_own(key: bytes, row: bytes) -> bool:
    try:
        return key.decode() in decode(row, UserState).accounts
    except NotADocument:
        # None of ours: where it counts (the worker's restore) that is told, and stops the worker.
        return False
