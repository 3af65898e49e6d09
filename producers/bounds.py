"""What a venue's limits have to outlive: how often it was dialled and asked, how long to stay away.

A producer that is started again and again is otherwise as impolite as one that never waits. Kept is
what a minute's limit counts and until when each connection stays away, by the clock of this
machine; what is found there is believed only as far as it can do no harm.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import msgspec

from producers.outcomes import excerpt
from producers.pace import RateBound

FORMAT: Final = 1
LASTING_SECONDS: Final = 10.0
"""Limits over less time than this are over before a process has started."""
AWAY_SECONDS_MAX: Final = 3_600.0
_NS_PER_S: Final = 1_000_000_000


class Away(msgspec.Struct, frozen=True):
    """A connection stays away until then; `keys` where only these keys (a fingerprint) have to."""

    until_ns: int
    seconds: float
    keys: str = ""


class Past(msgspec.Struct, frozen=True):
    """When the venue was dialled and asked (ns since 1970), and who stays away, by connection."""

    format: int = FORMAT
    attempts_ns: tuple[int, ...] = ()
    requests_ns: tuple[int, ...] = ()
    away: dict[str, Away] = {}


class Store(Protocol):
    """Where the past is kept; OSError and ValueError are for who uses it to bear."""

    def load(self) -> Past:
        """What was saved last; an empty past where nothing was."""

    def save(self, past: Past) -> None:
        """Keep this instead."""


class FileStore:
    """One small JSON file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Past:
        """The past in the file; raises ValueError for one that is of no use, or newer."""
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return Past()
        past = msgspec.json.decode(text, type=Past)
        if past.format != FORMAT:
            raise ValueError(f"it has form {past.format}, this version knows {FORMAT}")
        return past

    def save(self, past: Past) -> None:
        """Write the file anew."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._path.with_name(self._path.name + ".new")
        new.write_bytes(msgspec.json.encode(past))
        os.replace(new, self._path)  # noqa: PTH105 - as a whole


class Bounds:
    """The bounds of one producer: `restore` at its start, then told of every use.

    Without a store, or with one that fails, they last as long as the process.
    """

    def __init__(
        self,
        store: Store | None,
        *,
        attempts: RateBound,
        requests: RateBound,
        keys: str,
        clock_ns: Callable[[], int],
        monotonic: Callable[[], float],
        log: logging.Logger,
    ) -> None:
        self._store = store
        self._attempts = attempts
        self._requests = requests
        self._keys = keys
        self._clock_ns = clock_ns
        self._monotonic = monotonic
        self._log = log
        self._away: dict[str, Away] = {}

    def restore(self) -> None:
        """Take up what an earlier process left."""
        if self._store is None:
            return
        try:
            past = self._store.load()
        except (OSError, ValueError) as error:
            self._say("cannot be read", error)
            return
        pairs = ((self._attempts, past.attempts_ns), (self._requests, past.requests_ns))
        for bound, uses_ns in pairs:
            if _lasts(bound):
                for use_ns in sorted(uses_ns):
                    bound.note(self._then(use_ns))
        self._away = {
            name: away for name, away in past.away.items() if away.keys in ("", self._keys)
        }

    def used(self, bound: RateBound) -> None:
        """The venue was dialled or asked just now."""
        if _lasts(bound):
            self._save()

    def stay_away(self, connection: str, seconds: float, *, for_key: bool = False) -> None:
        """A connection stays away for so long; `for_key`: with this key."""
        until_ns = self._clock_ns() + round(seconds * _NS_PER_S)
        self._away[connection] = Away(until_ns, seconds, self._keys if for_key else "")
        self._save()

    def away(self, connection: str) -> tuple[float, bool]:
        """For how many seconds a connection still has to stay away, and whether for its key."""
        away = self._away.get(connection)
        if away is None:
            return 0.0, False
        left = (away.until_ns - self._clock_ns()) / _NS_PER_S
        # The clock may have been set back.
        return max(0.0, min(left, away.seconds, AWAY_SECONDS_MAX)), bool(away.keys)

    def _save(self) -> None:
        if self._store is None:
            return
        now_ns = self._clock_ns()
        self._away = {name: one for name, one in self._away.items() if one.until_ns > now_ns}
        past = Past(
            attempts_ns=self._uses_ns(self._attempts),
            requests_ns=self._uses_ns(self._requests),
            away=self._away,
        )
        try:
            self._store.save(past)
        except OSError as error:
            self._store = None
            self._say("cannot be kept", error)

    def _then(self, use_ns: int) -> float:
        ago_seconds = max(0.0, (self._clock_ns() - use_ns) / _NS_PER_S)
        return self._monotonic() - ago_seconds

    def _uses_ns(self, bound: RateBound) -> tuple[int, ...]:
        if not _lasts(bound):
            return ()
        now, now_ns = self._monotonic(), self._clock_ns()
        return tuple(now_ns - round((now - at) * _NS_PER_S) for at in bound.uses(now))

    def _say(self, what: str, error: BaseException) -> None:
        words = "how often the venue was dialled %s (%s): it counts from now on"
        self._log.warning(words, what, excerpt(str(error) or type(error).__name__))


def _lasts(bound: RateBound) -> bool:
    return bound.window_seconds >= LASTING_SECONDS
