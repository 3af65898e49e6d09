"""`headroom replay`: from what was asked to the comparison, and on from wherever it was stopped."""

import asyncio
import os
import sys

from rich.console import Console

from headroom.base.clients import Clients
from headroom.base.settings import Settings
from headroom.operate.accounts.bindings import read_bindings
from headroom.operate.generations import Generation, read_book, read_by
from headroom.operate.generations.kind import check_name
from headroom.operate.replay import show
from headroom.operate.replay.asked import Asked
from headroom.operate.replay.begin import advance, begin, known, planned, prepare, readable
from headroom.operate.replay.carry import count
from headroom.operate.replay.compare import SHOWN_MAX, Comparison, compare
from headroom.operate.replay.place import Workplace, workplace
from headroom.operate.replay.rebuild import Pace, job_of, rebuild
from headroom.operate.replay.terms import terms_of
from headroom.operate.topics import require
from headroom.operate.topics.known import known_book, unchanged
from processors.garbage import collect_rarely

RATE_GUESSED = 15_000.0
_ALL = sys.maxsize
_NICE = 10


async def run_replay(
    settings: Settings, name: str, asked: Asked, stop: asyncio.Event, *, as_json: bool
) -> None:
    """Make a generation, or go on with it, and compare it with the live one."""
    check_name(name)
    kafka, clients, terms = settings.kafka.arguments(), Clients(settings.kafka), terms_of(settings)
    await require(settings.kafka, partitions=settings.partitions)
    known(await read_book(kafka, partitions=settings.partitions), name, asked)
    with workplace(settings.data_dir, name, clients) as place:
        # Again: who worked on it a moment ago has come further.
        book = await known_book(settings.kafka, partitions=settings.partitions)
        generation = known(book, name, asked)
        await unchanged(settings.kafka, book, read_by(name))
        await readable(settings, book.live.name)
        if generation is None:
            bindings = await read_bindings(kafka, partitions=settings.partitions)
            generation = await asyncio.to_thread(
                lambda: planned(
                    clients, book, bindings, name, asked, terms, partitions=settings.partitions
                )
            )
            await begin(settings, generation)
        elif generation.state != "complete" and generation.terms != terms:
            # Helpers that have the terms of before see it, and end.
            generation = await advance(settings, generation, terms=terms)
        if generation.state == "carrying":
            await begin(settings, generation)
            generation = await prepare(settings, clients, generation)
        if generation.state == "replaying":
            made = await _made(settings, generation, place, stop)
            if made is None:
                sys.stderr.write(f"stopped; `headroom replay --generation {name}` goes on\n")
                return
            generation = made
        await _compared(settings, clients, generation, as_json=as_json)


async def run_dry(settings: Settings, name: str, asked: Asked) -> None:
    """Say what would be read, and how long it may take; nothing is touched."""
    check_name(name)
    kafka, clients, terms = settings.kafka.arguments(), Clients(settings.kafka), terms_of(settings)
    await require(settings.kafka, partitions=settings.partitions)
    book = await read_book(kafka, partitions=settings.partitions)
    if known(book, name, asked) is not None:
        sys.stdout.write(f"{name} was begun before: it would go on where it was\n")
        return

    bindings = await read_bindings(kafka, partitions=settings.partitions)

    def look() -> tuple[Generation, int]:
        found = planned(clients, book, bindings, name, asked, terms, partitions=settings.partitions)
        return found, count(clients, found, partitions=settings.partitions).accounts

    generation, carried = await asyncio.to_thread(look)
    total = 0
    for topic, starts in generation.starts.items():
        frames = sum(generation.ends[topic]) - sum(starts)
        total += frames
        sys.stdout.write(f"{topic}: {frames:,} frames\n")
    rates = [one.rate for one in book.generations.values() if one.rate]
    rate = rates[-1] if rates else RATE_GUESSED
    how = "as fast as the last replay" if rates else "a guess: nothing was replayed here yet"
    sys.stdout.write(f"{carried:,} accounts would be carried from {generation.origin}\n")
    sys.stdout.write(f"about {total / rate:,.0f} s at {rate:,.0f} frames a second ({how})\n")


def let_others_go_first() -> None:
    """Live workers on this machine have its processors before a replay has."""
    collect_rarely()
    os.nice(_NICE)


async def _made(
    settings: Settings, generation: Generation, place: Workplace, stop: asyncio.Event
) -> Generation | None:
    """The generation, once its frames are done; None where it was stopped before."""
    let_others_go_first()
    paces: list[Pace] = []

    def keep(pace: Pace) -> None:
        # The first and the last say how fast it was.
        del paces[1:]
        paces.append(pace)
        shown(pace)

    with show.bar(f"replay {generation.name}") as shown:
        folder = place.folder(generation.made_ns)
        done = await rebuild(settings, job_of(generation), folder, place.instance, keep, stop)
    if not done:
        return None
    # Whoever comes back to do the folding alone knows no rate.
    rate = paces[-1].rate_since(paces[0]) or generation.rate
    return await advance(settings, generation, state="complete", rate=rate)


async def _compared(
    settings: Settings, clients: Clients, generation: Generation, *, as_json: bool
) -> None:
    kafka, partitions = settings.kafka.arguments(), settings.partitions
    book = await read_book(kafka, partitions=partitions)
    bindings = await read_bindings(kafka, partitions=partitions)
    comparison = await asyncio.to_thread(
        lambda: compare(
            clients,
            generation,
            book.live.name,
            partitions=partitions,
            moved=bindings.moved,
            in_assets=settings.in_assets,
            shown_max=_ALL if as_json else SHOWN_MAX,
        )
    )
    print_comparison(generation, book.live.name, comparison, as_json=as_json)


def print_comparison(
    generation: Generation, live: str, comparison: Comparison, *, as_json: bool
) -> None:
    """Show a comparison on standard output."""
    if as_json:
        sys.stdout.write(show.as_json(generation, live, comparison) + "\n")
        return
    console = Console(soft_wrap=True)
    for each in show.tables(generation, live, comparison):
        console.print(each, markup=False, highlight=False)
