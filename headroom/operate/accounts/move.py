"""`headroom accounts`: which user has which accounts, and giving one to another user."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

from headroom.base.clients import Clients
from headroom.base.errors import OperatorError
from headroom.base.printable import printable
from headroom.base.settings import Settings
from headroom.operate.accounts.bindings import Binding, read_bindings
from headroom.operate.accounts.file import user_problem
from headroom.operate.accounts.orders import order, ordering
from headroom.operate.generations import app_name, names_of, read_book
from headroom.operate.topics import require
from headroom.operate.topics.known import known_book
from schemas.identity import is_account
from schemas.topics import MOVES
from schemas.venues import VENUES

_LOOK_SECONDS: Final = 0.2
PATIENCE_SECONDS: Final = 30.0


class NoMove(OperatorError):
    """A move that cannot be, or changes nothing."""


async def run_list(settings: Settings) -> None:
    """Print every account that belongs to a user of another name."""
    kafka = settings.kafka.arguments()
    await require(settings.kafka, partitions=settings.partitions)
    await known_book(settings.kafka, partitions=settings.partitions)
    found = await read_bindings(kafka, partitions=settings.partitions)
    for own, user in sorted(found.owners.items()):
        sys.stdout.write(f"{printable(own)}  {printable(user)}\n")


async def run_move(settings: Settings, account: str, user: str) -> None:
    """Give an account to another user, once; waits until the workers have done it.

    Raises `NoMove`, `MovedElsewhere`.
    """
    venue, _, name = account.partition(":")
    if venue not in VENUES or not is_account(name):
        raise NoMove(f"{account!r} is no account: VENUE:ACCOUNT, of {', '.join(VENUES)}")
    problem = None if user == account else user_problem(user)
    if problem is not None:
        raise NoMove(problem)
    kafka = settings.kafka.arguments()
    await require(settings.kafka, partitions=settings.partitions)
    await known_book(settings.kafka, partitions=settings.partitions)
    async with ordering(kafka) as producer:
        found = await read_bindings(kafka, partitions=settings.partitions)
        known = found.all.get(account)
        before = account if known is None else known.user
        if before == user:
            raise NoMove(f"{account} belongs to {user} already")
        number = 1 if known is None else known.number + 1
        await order(producer, [(before, Binding(venue, name, user, number))])
    done = await _done(settings)
    told = "" if done else "; no worker has done it yet: it will when one runs"
    sys.stdout.write(f"{printable(account)} belongs to {printable(user)} now{told}\n")
    sys.stderr.write("the accounts file of every worker has to say so before it is started again\n")


async def _done(settings: Settings) -> bool:
    """Wait until the live workers have followed all orders, or nobody seems to."""
    book = await read_book(settings.kafka.arguments(), partitions=settings.partitions)
    return await followed(Clients(settings.kafka), book.live.name, partitions=settings.partitions)


async def followed(
    clients: Clients,
    live: str,
    *,
    partitions: int,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> bool:
    """Wait until a generation's workers have followed all orders; False where nobody seems to."""
    group, names = app_name(live), names_of(live, live=True)
    topics = [names.source(MOVES), names.adoptions]
    deadline = clock() + PATIENCE_SECONDS

    def is_done() -> bool:
        # An order that was followed may have led to another one: so twice the same ends.
        ends = clients.ends(topics, partitions, committed=False)
        stands = clients.committed(group, topics, partitions)
        reached = all(stands.get(place, 0) >= end for place, end in ends.items())
        return reached and clients.ends(topics, partitions, committed=False) == ends

    while clock() < deadline:
        if await asyncio.to_thread(is_done):
            return True
        if not (await asyncio.to_thread(clients.group, group)).members:
            return False
        await sleep(_LOOK_SECONDS)
    return False
