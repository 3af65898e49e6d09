"""Following the book of generations: a worker is told when another one becomes the live one."""

import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence

from headroom.base.known_topics import KnownTopic
from headroom.operate.generations.book import Book
from schemas.following import Follow, Followed
from schemas.incarnations import Incarnation
from schemas.topics import GENERATIONS

log = logging.getLogger("headroom.generations")


class LiveGeneration:
    """Which generation is live, kept up to date while `followed` runs."""

    def __init__(self, follow: Follow) -> None:
        self._follow = follow
        self._book = Book()
        self._following: Followed

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator["LiveGeneration"]:
        """Follow the book while the block runs."""
        async with self._follow(GENERATIONS, self._take, forget=self._book.forget) as following:
            self._following = following
            yield self

    def _take(self, key: bytes | None, value: bytes | None, _: float | None) -> None:
        self._book.take(key, value)

    async def settled(self) -> str:
        """Wait until no promotion is under way; which generation is live then."""
        await self._following.until()
        if self._book.live.promoting is not None:
            log.info("waiting: %s is being promoted", self._book.live.promoting)
        await self._following.until(lambda: self._book.live.promoting is None)
        return self._book.live.name

    async def over(self, name: str) -> None:
        """Wait until this generation is not the live one any more, or is about not to be."""
        await self._following.until(
            lambda: self._book.live.promoting is not None or self._book.live.name != name
        )

    @property
    def incarnations(self) -> Mapping[str, Sequence[Incarnation]]:
        """Which incarnations raw topics' offsets are of, as of now."""
        return self._book.incarnations

    @property
    def made_ns(self) -> Mapping[str, int]:
        """When each generation that is recorded was made."""
        return {name: one.made_ns for name, one in self._book.generations.items()}

    @property
    def topics(self) -> Mapping[str, KnownTopic]:
        """The topics that were read, as they were."""
        return self._book.topics
