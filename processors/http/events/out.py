"""What a reader is sent: one stretch at a time, each with the id that says how far it goes."""

import asyncio
from types import MappingProxyType
from typing import Final

from aiohttp import web

from processors.http.events import text
from processors.http.events.log import Place, Places, told

SLOW_SECONDS: Final = 10.0
"""A reader who takes a stretch for longer is cut: it comes back with its last id."""
BUFFER_BYTES: Final = 64 * 1024
"""So much may wait for a reader's socket, beside the stretch that is being sent."""

_NONE: Final[Places] = MappingProxyType({})


class TooSlow(Exception):
    """A reader does not take what it is sent."""


class Out:
    """A reader's answer, and how far it was told, all partitions together."""

    def __init__(self, response: web.StreamResponse, places: Places) -> None:
        self._response = response
        self._sending = asyncio.Lock()
        self.places: dict[int, Place] = dict(places)

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
            data = text.ended(stretch, told(self.places))
            try:
                async with asyncio.timeout(SLOW_SECONDS):
                    await self._response.write(data)
            except TimeoutError:
                raise TooSlow from None
