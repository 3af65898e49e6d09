"""What a reader is sent: one stretch at a time, each with the id that says how far it goes."""

import asyncio
from types import MappingProxyType
from typing import Final

from aiohttp import web

from processors.http.events import text
from processors.http.events.log import Place, Places, told
from processors.http.events.zipped import BEGIN, Zipped

SLOW_SECONDS: Final = 10.0
"""A reader who takes a stretch for longer is cut: it comes back with its last id."""
BUFFER_BYTES: Final = 64 * 1024
"""So much may wait for a reader's socket, beside the stretch that is being sent."""

_NONE: Final[Places] = MappingProxyType({})


class TooSlow(Exception):
    """A reader does not take what it is sent."""


class Out:
    """A reader's answer, and how far it was told, all partitions together.

    `zipped` where it takes that.
    """

    def __init__(
        self, response: web.StreamResponse, places: Places, *, zipped: Zipped | None = None
    ) -> None:
        self._response = response
        self._zipped = zipped
        self._sending = asyncio.Lock()
        self.places: dict[int, Place] = dict(places)

    async def begin(self) -> None:
        """Send what comes before all events; raises ConnectionError."""
        if self._zipped is None:
            await self._response.write(text.RETRY)
        else:
            await self._response.write(BEGIN + self._zipped.take(b"", text.RETRY))

    async def end(self) -> None:
        """Send what comes behind all of them; raises ConnectionError."""
        if self._zipped is not None:
            await self._response.write(self._zipped.end())

    async def send(
        self,
        stretch: bytes,
        places: Places = _NONE,
        *,
        less: frozenset[int] = frozenset(),
    ) -> None:
        """Send a stretch; `places` is how far it goes, of the partitions in `less` nothing counts.

        Without events it is a sign of life. Raises TooSlow, or ConnectionError where nobody is
        there.
        """
        async with self._sending:
            for partition in less:
                self.places.pop(partition, None)
            self.places.update(places)
            shared, own = text.ended(stretch, told(self.places))
            data = shared + own if self._zipped is None else self._zipped.take(shared, own)
            try:
                async with asyncio.timeout(SLOW_SECONDS):
                    await self._response.write(data)
            except TimeoutError:
                raise TooSlow from None
