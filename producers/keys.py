"""The keys of a venue's lines, which may be others tomorrow: read again, never shown.

Where they come from a file, it is read every few seconds, when somebody says so (SIGHUP), and once
the venue has refused one. A connection that stands is left alone: it was accepted, and what a
venue does not tell after a reconnect would be in doubt. Only who says so has it made anew.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from producers.errors import ProducerError
from schemas.secrets import Secret

READ_SECONDS: Final = 5.0

ReadAgain = Callable[[], Sequence[Secret] | None]
"""The keys as they are now, or None where nothing has changed; raises ProducerError."""


class Keys:
    """One key for each line, by the line's `connection`, a number from 1.

    `read_again` is None where keys cannot change. What it finds counts as soon as it can be right:
    as many keys as before. Else the keys stay what they are, and it is said once.
    """

    def __init__(self, keys: Sequence[Secret], read_again: ReadAgain | None = None) -> None:
        self._keys = list(keys)
        self._versions = [0] * len(keys)
        self._read_again = read_again
        self._said = ""

    @property
    def can_change(self) -> bool:
        """Whether there is something to read again."""
        return self._read_again is not None

    def of(self, connection: str) -> Secret:
        """The key of a line."""
        return self._keys[int(connection) - 1]

    def version(self, connection: str) -> int:
        """How many times the key of a line has changed."""
        return self._versions[int(connection) - 1]

    def renew(self, log: logging.Logger) -> bool:
        """Read the keys again; whether one of them is another. Cannot fail."""
        if self._read_again is None:
            return False
        try:
            found = self._read_again()
        except ProducerError as error:
            self._say(log, f"the keys stay what they are: {error}")
            return False
        if found is None:
            return False
        if len(found) != len(self._keys):
            words = f"{len(found)} keys instead of {len(self._keys)}: start the producer again"
            self._say(log, f"the keys stay what they are: {words}")
            return False
        self._said = ""
        changed = [number for number, key in enumerate(found) if key != self._keys[number]]
        for number in changed:
            self._keys[number] = found[number]
            self._versions[number] += 1
        if changed:
            lines = ", ".join(str(number + 1) for number in changed)
            log.info("another key was read for connection %s", lines)
        return bool(changed)

    def _say(self, log: logging.Logger, words: str) -> None:
        if words != self._said:
            self._said = words
            log.warning("%s", words)


class LineKey:
    """The key of one line, as who keeps the line up sees it: the one in use, or another by now."""

    def __init__(self, keys: Keys | None, connection: str) -> None:
        self._keys = keys
        self._connection = connection
        self._in_use = self._version()
        self.again = asyncio.Event()
        """Set where there is a reason not to wait any longer after a refusal."""

    def use(self) -> None:
        """From now on the present key is in use."""
        self._in_use = self._version()
        self.again.clear()

    @property
    def is_other(self) -> bool:
        """Whether the key is another than the one in use."""
        return self._version() != self._in_use

    def is_other_once_read(self, log: logging.Logger) -> bool:
        """The same, after it was looked whether it is: the venue has refused the one in use."""
        if self._keys is not None:
            self._keys.renew(log)
        return self.is_other

    async def until_other(self) -> None:
        """Wait for another key; `again` tells of it."""
        while not self.is_other:
            self.again.clear()
            await self.again.wait()

    def _version(self) -> int:
        return 0 if self._keys is None else self._keys.version(self._connection)
