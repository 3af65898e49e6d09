r"""Server-sent events as text: written for readers, and read from a fellow worker.

A stretch is one event or several, and ends before the id that is written behind the last of them:
a reader who has got a part of it begins again with all of it, and misses nothing. Whatever is told
is JSON on one line, so `\nid: ` stands nowhere but before an id.

Source: HTML Living Standard, 9.2 Server-sent events. Pure.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from schemas.documents import Partition

RETRY: Final = b"retry: 1000\n\n"
_ID: Final = b"\nid: "
_END: Final = b"\n\n"
CONTROLS: Final = frozenset({"reset", "current", "moved"})
"""The events about partitions."""


class TooLong(ValueError):
    """A stretch that does not end."""


class Stretch(NamedTuple):
    """What a fellow told: the events, and the id behind them."""

    text: bytes
    id: str


class Control(msgspec.Struct, frozen=True, omit_defaults=True):
    """The data of `reset`, `current` and `moved`: the partitions that they are about.

    `why`: why a reader could not go on, or why it has to. `to` is the worker that tells of the
    partitions from here on, None where nobody is known to; `workers` are all that may be asked.
    """

    partitions: list[Partition]
    why: str | None = None
    to: str | None = None
    workers: list[str] = []


def event(kind: str, data: bytes) -> bytes:
    """One event; `data` is JSON without a line's end."""
    return b"event: %s\ndata: %s\n" % (kind.encode(), data)


def control(kind: str, **fields: Any) -> bytes:  # noqa: ANN401 - Control's
    """An event about partitions."""
    return event(kind, msgspec.json.encode(Control(**fields)))


def joined(events: Iterable[bytes]) -> bytes:
    """A stretch of several events."""
    return b"\n".join(events)


def ended(stretch: bytes, last_id: str) -> tuple[bytes, bytes]:
    """A stretch as it is sent, and its end, which tells the id; without events a sign of life."""
    return stretch or b":\n", b"id: %s\n\n" % last_id.encode()


def control_of(stretch: bytes) -> tuple[str, Control] | None:
    """What a stretch says of partitions; None: it tells of users. Raises msgspec.DecodeError."""
    first, _, data = stretch.partition(b"\ndata: ")
    kind = first.removeprefix(b"event: ").decode("ascii", "replace")
    return (kind, msgspec.json.decode(data, type=Control)) if kind in CONTROLS else None


def only_of(text: bytes, keys: frozenset[bytes]) -> bytes:
    """The events of a stretch that are about these users; raises msgspec.DecodeError."""
    return joined(
        event(kind, data) for kind, data in events_of(text) if _user_of(data).encode() in keys
    )


def events_of(text: bytes) -> Iterator[tuple[str, bytes]]:
    """The events of a stretch: the kind of each, and its data."""
    for one in text.removesuffix(b"\n").split(_END):
        first, _, data = one.partition(b"\ndata: ")
        yield first.removeprefix(b"event: ").decode("ascii", "replace"), data


class _Named(msgspec.Struct, frozen=True):
    user: str


def _user_of(data: bytes) -> str:
    return msgspec.json.decode(data, type=_Named).user


class Reading:
    """The bytes of a fellow's answer, taken apart; `most` bytes of one stretch are kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = bytearray()

    def take(self, some: bytes) -> Iterable[Stretch]:
        """The stretches that are whole by now; raises TooLong, or ValueError for what is none."""
        self._bytes += some
        while (end := self._end()) is not None:
            start, stop = end
            text = bytes(self._bytes[: start + 1])
            last_id = bytes(self._bytes[start + len(_ID) : stop]).decode()
            del self._bytes[: stop + len(_END)]
            text = text.removeprefix(RETRY)
            yield Stretch(b"" if text == b":\n" else text, last_id)
        if len(self._bytes) > self._most:
            raise TooLong(f"more than {self._most} bytes without an id")

    def _end(self) -> tuple[int, int] | None:
        start = self._bytes.find(_ID)
        stop = -1 if start < 0 else self._bytes.find(_END, start + 1)
        return None if stop < 0 else (start, stop)
