"""A broker that is no leader yet when the first records come, and is when the next ones do.

The first request to a topic's partition 0 goes to a partition that there is not; the client is told
that the broker is not its leader. Until another one has come, or for a moment, it hears nothing.
"""

import asyncio
import contextlib

from tests.engine.proxy import Kind, Proxy

_NOBODYS = (9_999).to_bytes(4)
_FIRST = (0).to_bytes(4)
_ONE = b"\x02"  # an array of one, in the compact form
_NOT_LEADER = (6).to_bytes(2)
_UNKNOWN = (3).to_bytes(2)
_WAIT_SECONDS = 1.0


class Leaderless(Proxy):
    """Refuses the first records for `topic`."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        super().__init__(bootstrap)
        name = topic.encode()
        self._named = bytes([len(name) + 1]) + name + _ONE
        self._came = 0
        self._second = asyncio.Event()
        self.refused = False

    def request(self, kind: int, frame: bytes) -> bytes:
        """The first one goes where nobody is."""
        if kind != Kind.PRODUCE or self._named + _FIRST not in frame:
            return frame
        self._came += 1
        if self._came > 1:
            self._second.set()
            return frame
        return frame.replace(self._named + _FIRST, self._named + _NOBODYS, 1)

    async def answer(self, kind: int, frame: bytes) -> bytes:
        """That of the first one, as it would be of a partition that is led elsewhere."""
        refused = self._named + _NOBODYS + _UNKNOWN
        if kind != Kind.PRODUCE or refused not in frame:
            return frame
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._second.wait(), _WAIT_SECONDS)
        self.refused = True
        return frame.replace(refused, self._named + _FIRST + _NOT_LEADER, 1)
