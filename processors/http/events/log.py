"""What has changed in one partition, in order: each thing once, where it changed last.

A reader is a place in this log, and nothing else is kept of it. What changed after its place is
what it has not been told; where a thing changed again meanwhile, it is told once, as it is by
then. So a reader of any slowness needs no memory, and is never told the older after the newer.

A log has a `life`: as long as one worker hears of every change of the partition without a gap. An
event's id names for each partition the life and the place in it; a place of another life, or one
from before what was forgotten, proves nothing, and whoever has it is told everything anew.

Pure.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

NOWHERE: Final = "-"
"""The id of a reader who was told nothing yet."""
_PLACE: Final = re.compile(r"(\d{1,6})\.([0-9a-z]{1,32})\.(\d{1,15})")
_ID_LETTERS_MAX: Final = 8_000


class Place(NamedTuple):
    """How far a reader was told of a partition: in which life of its log, up to which change."""

    life: str
    seq: int


class Thing(NamedTuple):
    """What may change: the key of a table, as events of a kind tell of it.

    `about`: which of the key's things of that kind, where there are several; else nothing.
    """

    kind: str
    key: bytes
    about: bytes = b""


class Change(NamedTuple):
    """A thing changed."""

    seq: int
    kind: str
    key: bytes
    about: bytes = b""


Places = Mapping[int, Place]
"""How far a reader was told, by partition."""


class Log:
    """The changes of one partition; of those that were longest ago more than `most` are forgotten.

    `head` is the last change's number, `floor` up to which number changes may be forgotten.
    """

    def __init__(self, life: str, *, most: int) -> None:
        self.life = life
        self.head = 0
        self.floor = 0
        self._most = most
        # In the order of their numbers: what changes again goes to the end.
        self._changes: dict[Thing, Change] = {}
        # Of keys that have several things of a kind: which of them have changed.
        self._abouts: dict[tuple[str, bytes], dict[bytes, None]] = {}

    def __len__(self) -> int:
        return len(self._changes)

    def enter(self, kind: str, key: bytes, about: bytes = b"") -> None:
        """Note that something changed."""
        self.head += 1
        thing = Thing(kind, key, about)
        self._changes.pop(thing, None)
        self._changes[thing] = Change(self.head, *thing)
        if about:
            self._abouts.setdefault((kind, key), {})[about] = None
        while len(self._changes) > self._most:
            self._forget(next(iter(self._changes)))

    def _forget(self, oldest: Thing) -> None:
        self.floor = self._changes.pop(oldest).seq
        if oldest.about:
            name = oldest.kind, oldest.key
            del self._abouts[name][oldest.about]
            if not self._abouts[name]:
                del self._abouts[name]

    def place(self) -> Place:
        """Where a reader is who knows everything."""
        return Place(self.life, self.head)

    def why_not(self, place: Place | None) -> str | None:
        """Why a reader cannot go on from a place without a gap; None: it can."""
        if place is None:
            return "unknown_place"
        if place.life != self.life or place.seq > self.head:
            return "another_life"
        return "too_old" if place.seq < self.floor else None

    def since(
        self, seq: int, kinds: frozenset[str], keys: frozenset[bytes] | None, count: int
    ) -> tuple[list[Change], int]:
        """The first of the changes after a place, and the place that follows them.

        `keys`: of these only; None: of all. At most `count` of them, the oldest first.
        """
        if keys is None or len(keys) * len(kinds) > self.head - seq:
            found = self._backwards(seq, kinds, keys)
        else:
            looked_up = (self._changes.get(one) for one in self._things(kinds, keys))
            found = sorted(one for one in looked_up if one is not None and one.seq > seq)
        if len(found) > count:
            found = found[:count]
            return found, found[-1].seq
        return found, self.head

    def _things(self, kinds: frozenset[str], keys: frozenset[bytes]) -> Iterator[Thing]:
        for kind in kinds:
            for key in keys:
                yield Thing(kind, key)
                for about in self._abouts.get((kind, key), ()):
                    yield Thing(kind, key, about)

    def _backwards(
        self, seq: int, kinds: frozenset[str], keys: frozenset[bytes] | None
    ) -> list[Change]:
        found = []
        for change in reversed(self._changes.values()):
            if change.seq <= seq:
                break
            if change.kind in kinds and (keys is None or change.key in keys):
                found.append(change)
        found.reverse()
        return found


def told(places: Places) -> str:
    """An event's id: how far its reader was told, of all partitions that it reads."""
    if not places:
        return NOWHERE
    return "_".join(f"{number}.{one.life}.{one.seq}" for number, one in sorted(places.items()))


def places_of(text: str) -> dict[int, Place]:
    """What an event's id says; nothing, where it is none of ours."""
    found: dict[int, Place] = {}
    if len(text) > _ID_LETTERS_MAX:
        return found
    for part in text.split("_"):
        match = _PLACE.fullmatch(part) if part.isascii() else None
        if match is None:
            return {}
        found[int(match[1])] = Place(match[2], int(match[3]))
    return found
