"""The ids of our schemas for a worker, which works without them, too.

A registry that does not tell them is a warning, and is asked again while the worker works.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from typing import Final

from headroom.base.settings import RegistrySettings
from headroom.operate.registry.client import (
    Known,
    Missing,
    Refused,
    Registry,
    RegistryAway,
    host_of,
    reached,
)
from headroom.operate.registry.subjects import subject_of, texts
from processors.schema_ids import SchemaIds
from producers.pace import Backoff

ROUND_SECONDS: Final = 10.0
"""For all questions of a round together: so long does a start wait for a registry that hangs."""
_FIRST_SECONDS: Final = 2.0
_LEAST_SECONDS: Final = 1.0
_LONGEST_SECONDS: Final = 300.0

log = logging.getLogger("headroom.registry")


@contextlib.asynccontextmanager
async def schema_ids(
    settings: RegistrySettings | None,
    *,
    round_seconds: float = ROUND_SECONDS,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    rng: Random | None = None,
) -> AsyncIterator[SchemaIds]:
    """The ids, as far as the registry tells them within `round_seconds`; the others as it does.

    Nothing that a registry does is an error here. Without one there are no ids.
    """
    if settings is None:
        yield SchemaIds()
        return
    asking = _Asking(settings, round_seconds)
    await asking.ask()
    again = asyncio.create_task(asking.ask_again(sleep, rng or Random()))  # noqa: S311 - jitter
    try:
        yield asking.ids
    finally:
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)


class _Asking:
    """Rounds of questions about the schemas whose ids are not known yet."""

    def __init__(self, settings: RegistrySettings, round_seconds: float) -> None:
        self._settings = settings
        self._round_seconds = round_seconds
        self._texts = texts()
        self.ids = SchemaIds(self._texts)
        self._said = ""

    async def ask_again(self, sleep: Callable[[float], Awaitable[None]], rng: Random) -> None:
        """Ask until all are known: soon at first, then less and less often."""
        pauses = Backoff(rng, first_seconds=_FIRST_SECONDS, longest_seconds=_LONGEST_SECONDS)
        while self.ids.missing:
            await sleep(pauses.pause_seconds(at_least_seconds=_LEAST_SECONDS))
            await self.ask()
            if not self.ids.missing:
                log.info("the schema registry has told all ids: from here on headers have them")

    async def ask(self) -> None:
        """One round; why an id is still missing is said where it was not said before."""
        problem = ""
        try:
            async with asyncio.timeout(self._round_seconds):
                problem = await self._round()
        except TimeoutError:
            problem = f"it has not told them all within {self._round_seconds:g} s"
        except RegistryAway as error:
            problem = error.why
        if not problem:
            return
        self.ids.failures += 1
        if problem != self._said:
            self._said = problem
            log.warning(
                "schema registry at %s: %s: records of %d of %d topics have no __value_schema_id "
                "until it tells the ids",
                host_of(self._settings.url),
                problem,
                len(self.ids.missing),
                len(self.ids.wanted),
            )

    async def _round(self) -> str:
        """Ask about each; why some have no id, "" where all have one."""
        problems: dict[str, list[str]] = {}
        async with reached(self._settings, seconds=self._round_seconds) as registry:
            for topic in self.ids.missing:
                found = await self._id_of(registry, topic)
                if isinstance(found, Known):
                    self.ids.tell(topic, found.header)
                else:
                    problems.setdefault(_why(found), []).append(topic)
        if len(problems) == 1 and len(self.ids.missing) == len(self.ids.wanted):
            return next(iter(problems))
        return "; ".join(f"{why} ({', '.join(topics)})" for why, topics in problems.items())

    async def _id_of(self, registry: Registry, topic: str) -> Known | Missing | Refused:
        """A registry that has the schema is asked to write nothing: it may be read-only."""
        subject, text = subject_of(topic), self._texts[topic]
        found = await registry.look_up(subject, text)
        if isinstance(found, Known) or self._settings.mode == "lookup":
            return found
        return await registry.register(subject, text)


def _why(found: Missing | Refused) -> str:
    if isinstance(found, Missing):
        return "it has no such schema, which `headroom schemas register` brings"
    return found.why
