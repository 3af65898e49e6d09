"""Where events come from: a table whose rows change, and what is told of a row."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol

import msgspec

from processors.engine.table import Table
from processors.http.events.log import Thing
from processors.http.events.wanted import Wanted


class Told(msgspec.Struct, frozen=True):
    """An event about somebody, and by which filters it is found."""

    event: bytes
    assets: frozenset[str]
    venues: frozenset[str]

    def belongs_to(self, wanted: Wanted) -> bool:
        """Whether a reader who wants this is told of it."""
        return wanted.takes(self.assets, self.venues)


class Source(Protocol):
    """Tells events of some kinds, from the rows of one table.

    The table has its rows in the partitions of their users. All methods raise KeyError where this
    worker does not hold the partition any more.
    """

    table: Table
    kinds: tuple[str, ...]

    def changed(self, partition: int, keys: Iterable[bytes]) -> Iterable[Thing]:
        """Of rows that were written: what is another one now for whoever reads events of a kind."""

    def look(self, partition: int) -> AsyncIterator[Thing]:
        """What became another one by itself, since it was looked at last; it lets others go on."""

    def forget(self, partition: int) -> None:
        """Nobody is told of a partition any more."""

    def tell(self, partition: int, kind: str, key: bytes, about: bytes = b"") -> Sequence[Told]:
        """The events as they are now; none: there is nothing to tell of a key.

        Where a key has several things of a kind: that of this one, or without it all that stand.
        """

    def page(
        self, partition: int, kinds: frozenset[str], after: bytes | None, count: int
    ) -> tuple[list[tuple[str, bytes]], bytes | None]:
        """The next kinds and keys of a partition; and the last key, None where no more follow."""
