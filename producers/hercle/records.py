"""SignalR's records put together again: 0x1E ends one, whatever messages it came in. Pure.

Hubs behind proxies cut a record over several messages, or glue the rest of one to the next; what
has no end yet is no record.
"""

from producers.hercle.signalr import SEPARATOR


class Records:
    """Bytes in, whole records out; `bytes_max` bounds one that has no end."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._rest = bytearray()

    def take(self, message: bytes) -> list[bytes]:
        """The records that end in this message, without their separators, byte for byte."""
        *ended, rest = message.split(SEPARATOR)
        if ended and self._rest:
            ended[0] = bytes(self._rest) + ended[0]
            self._rest.clear()
        self._rest += rest
        return ended

    @property
    def too_large(self) -> bool:
        """Whether the record that has no end yet is larger than any may be."""
        return len(self._rest) > self._bytes_max
