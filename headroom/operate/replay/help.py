"""`headroom replay help`: one process more for a replay that somebody began, until that is done.

It joins the replay's consumer group, and Kafka gives it partitions. It compares nothing and ends
nothing: the book of generations says when there is nothing more to do.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from headroom.base.clients import Clients
from headroom.base.errors import OperatorError
from headroom.base.following import Reader
from headroom.base.settings import Settings
from headroom.operate.generations import Book, Generation, check_name, read_by
from headroom.operate.replay import show
from headroom.operate.replay.begin import not_going, not_live, same_raw
from headroom.operate.replay.place import Workplace, helping_place
from headroom.operate.replay.rebuild import job_of, work_along
from headroom.operate.replay.run import let_others_go_first
from headroom.operate.replay.terms import otherwise, terms_of
from headroom.operate.topics import require
from headroom.operate.topics.known import known_book, unchanged
from schemas.topics import GENERATIONS

if TYPE_CHECKING:
    from schemas.following import Followed


class NoHelp(OperatorError):
    """A generation that is not to be helped with, or not from here."""


async def run_help(settings: Settings, name: str, stop: asyncio.Event) -> None:
    """Work along until the generation is complete, or `stop` is set.

    Raises `Unknown`, `IsLive`, `IsGoing`, `OtherRaw`, `NoHelp`: at once, or as soon as the
    generation becomes such a one.
    """
    check_name(name)
    clients, terms = Clients(settings.kafka), terms_of(settings)
    await require(settings.kafka, partitions=settings.partitions)
    book = await known_book(settings.kafka, partitions=settings.partitions)
    generation = helpable(book, name, terms)
    if generation.state == "complete":
        raise NoHelp(f"the generation {name} is complete: nothing is left to help with")
    await unchanged(settings.kafka, book, read_by(name))
    with helping_place(settings.data_dir, name, clients) as place:
        async with _Helped(settings, generation, terms).followed() as helped:
            await helped.work_along(place, stop)
            if stop.is_set():
                sys.stderr.write(f"stopped; the replay {name} goes on without this helper\n")
                return
        # Of no use to a later helper, and whoever began it has tables of its own.
        place.clear()
        helped.check()
    sys.stdout.write(f"{name} is complete; {helped.frames_read:,} frames were read here\n")


def helpable(
    book: Book, name: str, terms: Mapping[str, str], made_ns: int | None = None
) -> Generation:
    """The generation of this name, which somebody with these terms may help with, or might have.

    `made_ns`: that one, and no later one of its name.
    Raises `Unknown`, `IsLive`, `IsGoing`, `OtherRaw`, `NoHelp`.
    """
    not_live(book, name)
    found = book.find(name)
    if made_ns is not None and found.made_ns != made_ns:
        raise NoHelp(f"the generation {name} was dropped, and another one begun")
    not_going(found)
    same_raw(book, found)
    if (unlike := otherwise(found.terms, terms)) is not None:
        raise NoHelp(f"the generation {name} cannot be helped with from here: {unlike}")
    return found


class _Helped:
    """A generation in the making, as the book says from moment to moment that it is."""

    def __init__(
        self, settings: Settings, generation: Generation, terms: Mapping[str, str]
    ) -> None:
        self._settings = settings
        self._generation = generation
        self._terms = terms
        self._book = Book()
        self._followed: Followed
        self.frames_read = 0

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator["_Helped"]:
        """Follow the book while the block runs."""
        follow = Reader.of(self._settings.kafka)
        async with follow(GENERATIONS, self._take, forget=self._book.forget) as self._followed:
            yield self

    def _take(self, key: bytes | None, value: bytes | None, _: float | None) -> None:
        self._book.take(key, value)

    def check(self) -> Generation:
        """The generation as it is now; raises as `helpable` does."""
        one = self._generation
        return helpable(self._book, one.name, self._terms, one.made_ns)

    def _is_over(self) -> bool:
        try:
            return self.check().state == "complete"
        except OperatorError:
            return True

    def _is_carried(self) -> bool:
        return self._is_over() or self.check().state == "replaying"

    async def work_along(self, place: Workplace, stop: asyncio.Event) -> None:
        """Work until there is nothing more to do, or `stop` is set."""
        name = self._generation.name
        await _unless(stop, self._followed.until())
        if self._generation.state == "carrying":
            sys.stderr.write(f"waiting until {name} is prepared\n")
            # Its group has to be empty until then.
            await _unless(stop, self._followed.until(self._is_carried))
        over = asyncio.Event()
        telling = asyncio.create_task(self._tell(stop, over))
        try:
            if not (stop.is_set() or self._is_over()):
                await self._work_along(place, over)
        finally:
            telling.cancel()
        if telling.done() and not telling.cancelled():
            telling.result()

    async def _tell(self, stop: asyncio.Event, over: asyncio.Event) -> None:
        """Set an event once it is over, or `stop` is set; raises where nobody knows any more."""
        try:
            await _unless(stop, self._followed.until(self._is_over))
        finally:
            over.set()

    async def _work_along(self, place: Workplace, over: asyncio.Event) -> None:
        let_others_go_first()
        one = self._generation
        with show.bar(f"help {one.name}") as shown:
            folder = place.folder(one.made_ns)
            job = job_of(one)
            self.frames_read = await work_along(
                self._settings, job, folder, place.instance, shown, over
            )


async def _unless(stop: asyncio.Event, found: Coroutine[Any, Any, None]) -> None:
    """Wait for what is awaited, or until `stop` is set."""
    tasks = [asyncio.ensure_future(found), asyncio.ensure_future(stop.wait())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
