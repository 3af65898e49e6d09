"""Events about alerts: the documents of `alerts.v1`, as they are told and as they stand."""

from collections.abc import AsyncIterator, Iterable
from typing import Final

import msgspec

from processors.alerts.batch import AlertState
from processors.alerts.kept import Kept, kept_of
from processors.engine.table import Table, rows_in_turns
from processors.http.events.log import Thing
from processors.http.events.source import Told
from processors.http.events.text import event
from schemas.codec import NotADocument, decode_by, encode

ALERT: Final = "alert"
_ROWS_AT_ONCE: Final = 100
_CLEARED: Final = "cleared"
_ROWS: Final = msgspec.json.Decoder(AlertState)


class AlertEvents:
    """The rows of the alerts' table, each of which keeps the last word on each rule and subject.

    Each of these is a thing of its own: who is told late is told the newest of each.
    """

    kinds: tuple[str, ...] = (ALERT,)

    def __init__(self, table: Table) -> None:
        self.table = table
        # By partition and user: the number of the newest alert that was entered, or was there.
        self._numbers: dict[int, dict[bytes, int]] = {}

    def changed(self, partition: int, keys: Iterable[bytes]) -> Iterable[Thing]:
        """The alerts that are new in the rows of these keys."""
        numbers = self._numbers.setdefault(partition, {})
        for key in keys:
            state = self._state(partition, key)
            known = numbers.get(key, 0)
            if state is None or state.count == known:
                continue
            numbers[key] = state.count
            for kept in _kept(state):
                if kept.number > known:
                    yield Thing(ALERT, key, _about(kept))

    async def look(self, partition: int) -> AsyncIterator[Thing]:
        """Nothing changes by itself; the first time it is noted which alerts are there already."""
        if partition not in self._numbers:
            numbers = dict[bytes, int]()
            async for key, row in rows_in_turns(self.table, partition):
                state = _read(row)
                if state is not None:
                    numbers[key] = state.count
            self._numbers[partition] = numbers
        for nothing in tuple[Thing, ...]():
            yield nothing

    def forget(self, partition: int) -> None:
        """Nobody is told of a partition any more."""
        self._numbers.pop(partition, None)

    def tell(self, partition: int, kind: str, key: bytes, about: bytes = b"") -> tuple[Told, ...]:
        """The last word on something, or without `about` all of a user's alerts that stand."""
        state = self._state(partition, key)
        found = [] if state is None else _kept(state)
        return tuple(
            _told(kind, one)
            for one in found
            if (_about(one) == about if about else one.alert.level != _CLEARED)
        )

    def page(
        self, partition: int, kinds: frozenset[str], after: bytes | None, count: int
    ) -> tuple[list[tuple[str, bytes]], bytes | None]:
        """The next users of whom alerts stand."""
        found: list[tuple[str, bytes]] = []
        if ALERT not in kinds:
            return found, None
        rows, last = self._some(partition, after or b"")
        alerts = 0
        for key, state in rows:
            stand = sum(one.alert.level != _CLEARED for one in _kept(state))
            if stand:
                found.append((ALERT, key))
            alerts += stand
            if alerts >= count:
                return found, key
        return found, last

    def _some(
        self, partition: int, after: bytes
    ) -> tuple[list[tuple[bytes, AlertState]], bytes | None]:
        """The next rows; and the last key of them, None where no more follow."""
        found: list[tuple[bytes, AlertState]] = []
        for key, row in self.table.committed_items(partition, start=after):
            if key == after:
                continue
            if len(found) >= _ROWS_AT_ONCE:
                return found, found[-1][0]
            state = _read(row)
            if state is not None:
                found.append((key, state))
        return found, None

    def _state(self, partition: int, key: bytes) -> AlertState | None:
        row = self.table.committed(partition, key)
        return None if row is None else _read(row)


def _read(row: bytes) -> AlertState | None:
    """A row that nobody of us wrote is not told of: an agent that meets it stops the worker."""
    try:
        return decode_by(row, _ROWS)
    except NotADocument:
        return None


def _kept(state: AlertState) -> list[Kept]:
    try:
        return kept_of(state.told)
    except NotADocument:
        return []


def _about(kept: Kept) -> bytes:
    return msgspec.json.encode(kept.about)


def _told(kind: str, kept: Kept) -> Told:
    alert = kept.alert
    assets = frozenset(() if alert.asset is None else (alert.asset,))
    return Told(event(kind, encode(alert)), assets, frozenset((alert.venue,)))
