"""The beginning of a replay: what is to be read, written down before anything is made."""

import asyncio
import time
from importlib import metadata
from typing import Final

import msgspec

from headroom.base.clients import Clients
from headroom.base.errors import OperatorError
from headroom.base.settings import Settings
from headroom.operate.accounts.bindings import Bindings
from headroom.operate.generations import (
    FIRST,
    Book,
    Generation,
    app_name,
    names_of,
    tables_of,
    topics_of,
    write,
)
from headroom.operate.generations.book import entry
from headroom.operate.replay.asked import RAW_TOPICS, Asked, placed, spans
from headroom.operate.replay.carry import TRANSACTION_SECONDS, carry
from headroom.operate.topics import create
from schemas.topics import BALANCES, MOVES
from schemas.venues import VENUES

BEHIND_SECONDS_MAX: Final = 30.0
_LOOK_SECONDS: Final = 0.2


class IsLive(OperatorError):
    """What cannot be done to the generation that is live."""


class OtherwiseAsked(OperatorError):
    """A generation of this name was begun with other options."""


class IsGoing(OperatorError):
    """A generation that is being removed."""


class OtherRaw(OperatorError):
    """Raw topics were made again, or lost their ends, since a generation was begun."""


class LiveBehind(OperatorError):
    """The live tables do not hold yet what would have to be taken from them."""


def planned(
    clients: Clients,
    book: Book,
    bindings: Bindings,
    name: str,
    asked: Asked,
    terms: dict[str, str],
    *,
    partitions: int,
) -> Generation:
    """The generation that a replay would make on these terms; raises `Outside`."""
    accounts = asked.accounts(bindings.accounts_of)
    starts, ends = spans(clients, asked, partitions=partitions)
    for venue in VENUES.values():
        if venue.name not in accounts:
            starts[venue.raw_topic] = ends[venue.raw_topic]
    return Generation(
        name=name,
        made_ns=time.time_ns(),
        code=metadata.version("headroom"),
        state="carrying",
        accounts=accounts,
        starts=starts,
        ends=ends,
        origin=book.live.name,
        incarnations=book.incarnations,
        terms=terms,
    )


def known(book: Book, name: str, asked: Asked) -> Generation | None:
    """The generation of this name, if it was begun before.

    Raises `IsLive`, `IsGoing`, `OtherRaw`, `OtherwiseAsked`.
    """
    not_live(book, name)
    found = book.generations.get(name)
    if found is not None:
        not_going(found)
        same_raw(book, found)
    if found is not None and not asked.is_everything:
        problem = f"the generation {name} was begun before: go on without options, or drop it"
        raise OtherwiseAsked(problem)
    return found


def not_live(book: Book, name: str) -> None:
    """That no workers work for the generation, or are about to; raises `IsLive`."""
    if name in (FIRST, book.live.name, book.live.promoting):
        raise IsLive(f"{name} is the live generation, or was the first: choose another name")


def not_going(generation: Generation) -> None:
    """That a generation is not being removed; raises `IsGoing`."""
    if generation.is_going:
        way = f"`headroom replay drop {generation.name}` goes on with that"
        raise IsGoing(f"the generation {generation.name} is being removed: {way}")


def same_raw(book: Book, generation: Generation) -> None:
    """That raw topics are those that a generation was made of; raises `OtherRaw`."""
    if generation.incarnations != book.incarnations:
        problem = "raw topics are not those that it was made of (`headroom resume`)"
        raise OtherRaw(f"the generation {generation.name}: {problem}; drop it, and make another")


async def begin(settings: Settings, generation: Generation) -> None:
    """Write a generation down, and make its topics."""
    await write(settings.kafka.arguments(), entry(generation))
    await create(
        settings.kafka,
        topics_of(generation.name),
        partitions=settings.partitions,
        replication_factor=settings.replication_factor,
    )


async def readable(settings: Settings, live: str) -> None:
    """Let the changelogs of the live generation be there, if with nothing in them.

    Where they were lost a replay is the way on, which compares with what there is. No worker takes
    them for what they were: by their identities they are not.
    """
    await create(
        settings.kafka,
        tables_of(live),
        partitions=settings.partitions,
        replication_factor=settings.replication_factor,
    )


async def prepare(settings: Settings, clients: Clients, generation: Generation) -> Generation:
    """Let its group stand at the first frames, and carry what is not read; can be done again."""
    await caught_up(clients, generation, partitions=settings.partitions)
    own = names_of(generation.name, live=False)
    group = app_name(generation.name)
    private = [own.output(BALANCES), own.adoptions, own.contributions]
    beginnings = {(t, n): 0 for t in private for n in range(settings.partitions)}
    # Of earlier moves the bindings tell, which are read after this.
    moves = await asyncio.to_thread(clients.ends, [own.source(MOVES)], settings.partitions)
    stands = placed(generation.starts) | beginnings | moves
    await asyncio.to_thread(lambda: clients.move(group, stands, ours=True))
    producer = await asyncio.to_thread(
        lambda: clients.producer(f"{group}.baseline", seconds_max=TRANSACTION_SECONDS)
    )
    carried = await asyncio.to_thread(
        lambda: carry(
            clients,
            generation,
            partitions=settings.partitions,
            producer=producer,
            in_assets=settings.in_assets,
        )
    )
    return await advance(settings, generation, state="replaying", carried=carried.accounts)


async def caught_up(
    clients: Clients,
    generation: Generation,
    *,
    partitions: int,
    seconds_max: float = BEHIND_SECONDS_MAX,
) -> None:
    """Wait until the live tables hold every frame before the replay's end that it does not read.

    Those frames are never read again. Raises `LiveBehind`.
    """
    if generation.accounts == dict.fromkeys(VENUES):
        return
    group, names = app_name(generation.origin), names_of(generation.origin, live=True)
    deadline = time.monotonic() + seconds_max
    await _reached(clients, group, placed(generation.ends), RAW_TOPICS, partitions, deadline)
    topics = [names.output(BALANCES), names.adoptions]
    ends = await asyncio.to_thread(clients.ends, topics, partitions)
    await _reached(clients, group, ends, topics, partitions, deadline)


async def _reached(
    clients: Clients,
    group: str,
    ends: dict[tuple[str, int], int],
    topics: tuple[str, ...] | list[str],
    partitions: int,
    deadline: float,
) -> None:
    while True:
        done = await asyncio.to_thread(clients.committed, group, topics, partitions)
        left = sum(max(0, end - done.get(place, 0)) for place, end in ends.items())
        if not left:
            return
        if time.monotonic() > deadline:
            problem = f"the live tables are {left} records behind, and are needed for the rest"
            raise LiveBehind(f"{problem}: is a worker running?")
        await asyncio.sleep(_LOOK_SECONDS)


async def advance(settings: Settings, generation: Generation, **changed: object) -> Generation:
    """Write down how far a generation is."""
    found = msgspec.structs.replace(generation, **changed)
    await write(settings.kafka.arguments(), entry(found))
    return found
