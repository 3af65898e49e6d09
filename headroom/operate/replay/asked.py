"""Which frames a replay is asked to read: from when to when, of which venue, of which user."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from headroom.base.clients import Clients, Place
from headroom.base.reading import Outside
from headroom.operate.generations import Mapped
from schemas.identity import accounts_of
from schemas.times import record_time_ns, rfc3339
from schemas.venues import VENUES

RAW_TOPICS: Final = tuple(venue.raw_topic for venue in VENUES.values())


class Offset(msgspec.Struct, frozen=True):
    """A place in a raw topic."""

    topic: str
    partition: int
    offset: int


Bound = int | Sequence[Offset] | None
"""A moment in milliseconds since 1970, or places; None: wherever the topics begin or end."""


class Asked(msgspec.Struct, frozen=True):
    """What a person asked for; None and nothing mean everything."""

    start: int | tuple[Offset, ...] | None = None
    end: int | tuple[Offset, ...] | None = None
    venue: str | None = None
    user: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing was said."""
        return self == Asked()

    @property
    def is_filtered(self) -> bool:
        """Whether only some accounts' frames are read."""
        return self.venue is not None or self.user is not None

    def accounts(
        self, of_user: Callable[[str], dict[str, list[str]]] = accounts_of
    ) -> dict[str, list[str] | None]:
        """The accounts whose frames are read, by venue; raises `Outside` where that is none.

        `of_user` knows the accounts of a user.
        """
        found: dict[str, list[str] | None] = dict.fromkeys(VENUES)
        if self.user is not None:
            found = {venue: list(ids) for venue, ids in of_user(self.user).items()}
        if self.venue is not None:
            found = {venue: ids for venue, ids in found.items() if venue == self.venue}
        if not found:
            raise Outside(f"{self.user!r} has no account at {self.venue or 'any venue'}")
        return found


def spans(clients: Clients, asked: Asked, *, partitions: int) -> tuple[Mapped, Mapped]:
    """Where each partition of raw is read from and to before; raises `Outside`."""
    begins, ends = clients.begins(RAW_TOPICS, partitions), clients.ends(RAW_TOPICS, partitions)
    held = clients.times_ms(RAW_TOPICS, partitions)
    if held is None:
        raise Outside("the raw topics hold no frame")
    starts = _bound(clients, asked.start, begins, ends, held, default=begins, partitions=partitions)
    stops = _bound(clients, asked.end, begins, ends, held, default=ends, partitions=partitions)
    if any(starts[place] > stops[place] for place in starts):
        raise Outside("--from lies behind --to")
    if starts == stops:
        raise Outside("no frame lies between --from and --to")
    return mapped(starts), mapped(stops)


def _bound(
    clients: Clients,
    bound: int | tuple[Offset, ...] | None,
    begins: dict[Place, int],
    ends: dict[Place, int],
    held: tuple[int, int],
    *,
    default: dict[Place, int],
    partitions: int,
) -> dict[Place, int]:
    if bound is None:
        return default
    if isinstance(bound, int):
        first, last = (rfc3339(record_time_ns(ms)) for ms in held)
        if not held[0] <= bound <= held[1]:
            raise Outside(f"raw holds frames from {first} to {last} only")
        found = clients.at(RAW_TOPICS, partitions, bound)
        behind = {place: ends[place] if at is None else at for place, at in found.items()}
        return {place: min(at, ends[place]) for place, at in behind.items()}
    named = dict(default)
    for one in bound:
        place = one.topic, one.partition
        if place not in begins:
            raise Outside(f"{one.topic}/{one.partition} is no partition of a raw topic")
        if not begins[place] <= one.offset <= ends[place]:
            limits = f"{begins[place]} to {ends[place]}"
            raise Outside(f"{one.topic}/{one.partition} holds the offsets {limits}")
        named[place] = one.offset
    return named


def mapped(offsets: Mapping[Place, int]) -> Mapped:
    """Offsets, topic by topic."""
    found: Mapped = {}
    for (topic, _), offset in sorted(offsets.items()):
        found.setdefault(topic, []).append(offset)
    return found


def placed(offsets: Mapped) -> dict[Place, int]:
    """The same, place by place."""
    return {
        (topic, number): offset
        for topic, of_topic in offsets.items()
        for number, offset in enumerate(of_topic)
    }
