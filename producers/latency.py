"""How long frames take from here into Kafka, measured on some of them."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

EVERY_SECONDS: Final = 0.05
"""One frame in so much time is measured, the first that comes."""
_MEASURED_MAX: Final = 1_000
_ASK_SECONDS: Final = 60.0


class Settling(Protocol):
    """The frames on their way to Kafka: see `producers.publisher.Publisher`."""

    received: int

    async def settled(self, received: int, seconds: float) -> bool:
        """Whether Kafka has all of the first so many frames, or does so in time."""


class Latency:
    """Tells `observe` how many seconds a frame took: from `handed_over` to what Kafka has.

    With it all before it, which is what counts. While Kafka is away the first thousand are kept.
    """

    def __init__(
        self,
        frames: Settling,
        observe: Callable[[float], object],
        *,
        monotonic: Callable[[], float],
    ) -> None:
        self._frames = frames
        self._observe = observe
        self._monotonic = monotonic
        self._measured: deque[tuple[int, float]] = deque()
        self._last_at = float("-inf")
        self._woken = asyncio.Event()

    def handed_over(self) -> None:
        """A frame was handed to the publisher."""
        now = self._monotonic()
        if now - self._last_at < EVERY_SECONDS or len(self._measured) >= _MEASURED_MAX:
            return
        self._last_at = now
        self._measured.append((self._frames.received, now))
        self._woken.set()

    async def run(self) -> None:
        """Wait for one after the other, for ever; what ended the sending ends this, too."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._measured:
                received, at = self._measured[0]
                while not await self._frames.settled(received, _ASK_SECONDS):
                    pass
                self._observe(max(0.0, self._monotonic() - at))
                self._measured.popleft()
