"""SignalR's records put together again: 0x1E ends one, whatever messages it came in. Pure.

Hubs behind proxies cut a record over several messages, or glue the rest of one to the next; what
has no end yet is no record.
"""

from producers.hercle.signalr import SEPARATOR


class Records:
    """Bytes in, whole records out; `bytes_max` bounds one that has no end."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._parts: list[bytes] = []
        self._bytes = 0

    def take(self, message: bytes) -> list[bytes]:
        """The records that end in this message, without their separators, byte for byte."""
        *ended, rest = message.split(SEPARATOR)
        if ended and self._parts:
            ended[0] = b"".join((*self._parts, ended[0]))
            self._parts, self._bytes = [], 0
        if rest:
            self._parts.append(rest)
            self._bytes += len(rest)
        return ended

    @property
    def too_large(self) -> bool:
        """Whether the record that has no end yet is larger than any may be."""
        return self._bytes > self._bytes_max
