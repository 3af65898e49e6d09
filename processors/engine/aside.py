"""Rows of a changelog that are none of ours, set aside while it is read.

A later row of the same key takes the place of one, as in any compacted topic: then nothing is lost.
What is left at the end stops the worker. Until it is decided, a store stays behind the first of
them, so that whoever reads on after a crash finds it again.
"""

import logging
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from faust.types import TP

from processors.engine.errors import ForeignRow
from processors.engine.holes import place_of

log = logging.getLogger(__name__)

Check = Callable[[bytes, bytes], str | None]
"""Why the row of a key is none of the table's, None where it is one; called in a thread."""


class Aside:
    """What was set aside; `checks` are the tables' by their changelogs."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._found: dict[TP, dict[bytes | None, tuple[int, str]]] = {}

    def forget(self) -> None:
        """Another reading begins."""
        self._found.clear()

    def take(
        self, tp: TP, rows: MutableMapping[bytes, bytes | None], messages: list[Any], last: int
    ) -> int:
        """Take what is none of ours out of rows that go up to `last`; to where the store stands."""
        check = self._checks.get(tp.topic)
        if check is None:
            return last
        aside = self._found.get(tp, {})
        foreign = {
            key: why for key, row in rows.items() if (why := _why(check, key, row)) is not None
        }
        for key in aside.keys() & rows.keys():
            del aside[key]
        for key, why in foreign.items():
            del rows[key]
            offset = next(m.offset() for m in reversed(messages) if m.key() == key)
            aside[key] = offset, why
            told = place_of(tp, offset)
            log.warning("%s[%d] at offset %d is no row of ours: %s", *tp, offset, why, extra=told)
        if not aside:
            self._found.pop(tp, None)
            return last
        self._found[tp] = aside
        return min(last, min(offset for offset, _ in aside.values()) - 1)

    def check(self) -> None:
        """Raise `ForeignRow` for the first row that nothing took the place of."""
        for tp, aside in sorted(self._found.items()):
            key, (offset, why) = min(aside.items(), key=lambda one: one[1][0])
            raise ForeignRow(
                topic=tp.topic, partition=tp.partition, key=key or b"", why=why, offset=offset
            )


def _why(check: Check, key: bytes | None, row: bytes | None) -> str | None:
    if key is None:
        return "it has no key"
    return None if row is None else check(key, row)
