"""Following compacted topics: what they say now, and what they say next. The one reader of them.

It reads by position and without a group, in a thread of its own (`headroom.base.compacted`), and
hands over in the event loop.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from headroom.base.compacted import Compacted, Lost, Records
from headroom.base.known_topics import FOLLOWED
from headroom.base.settings import KafkaSettings
from processors.engine.librdkafka import properties
from schemas.codec import NotADocument
from schemas.following import Take
from schemas.words import Words

log = logging.getLogger("headroom.following")

_STOP_SECONDS: Final = 2.0
_LETTERS_MAX: Final = 400


class Reader:
    """Follows topics of one Kafka, a `schemas.following.Follow`.

    The book and the bindings are never read anew: what they are then is not what they were.

    `access` gives librdkafka's properties, anew for each client: a password may be another one.
    """

    def __init__(
        self,
        access: Callable[[], Mapping[str, Any]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.access = access
        self._monotonic = monotonic

    @classmethod
    def of(cls, kafka: KafkaSettings) -> "Reader":
        """The reader of the Kafka that the settings name."""

        def access() -> Mapping[str, Any]:
            now = kafka.fresh()
            return {**properties(now.arguments()), **now.properties()}

        return cls(access)

    @contextlib.asynccontextmanager
    async def __call__(
        self,
        topic: str,
        take: Take,
        *,
        forget: Callable[[], object],
        foreign: Callable[[], object] = lambda: None,
        read_committed: bool = True,
    ) -> AsyncIterator["Following"]:
        """Follow a topic while the block runs."""
        following = Following(topic, take, forget, foreign, self._monotonic)
        reading = Compacted(
            self.access,
            topic,
            read_committed=read_committed,
            whole=topic in FOLLOWED,
            hand_over=following.hand_over,
            say=following.say,
            lost=following.lose,
            monotonic=self._monotonic,
        )
        thread = threading.Thread(target=reading.run, name=f"follow {topic}", daemon=True)
        thread.start()
        try:
            yield following
        finally:
            reading.stop()
            following.close()
            # A call of librdkafka's that hangs ends with the process, and does not hold it back.
            await asyncio.to_thread(thread.join, _STOP_SECONDS)


class Following:
    """A topic that is being followed: the event loop's side of it."""

    def __init__(
        self,
        topic: str,
        take: Take,
        forget: Callable[[], object],
        foreign: Callable[[], object],
        monotonic: Callable[[], float],
    ) -> None:
        self._topic = topic
        self._take = take
        self._forget = forget
        self._foreign = foreign
        self._monotonic = monotonic
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._closed = threading.Event()
        self._words = Words()
        self._known = False
        self._lost: Lost | None = None

    @property
    def known(self) -> bool:
        """Whether all that was there at first has been taken."""
        return self._known

    async def until(self, condition: Callable[[], bool] = lambda: True) -> None:
        """Wait until all that was there at first has been taken, and something holds.

        Raises `Lost` where a topic whose every record counts is another one, or was cut.
        """
        while not (self._known and condition()):
            if self._lost is not None:
                raise self._lost
            await self._changed.wait()

    def close(self) -> None:
        """Take nothing more."""
        self._closed.set()

    # -- called in the thread

    def hand_over(self, records: Records, *, anew: bool, known: bool) -> None:
        """Have records taken in the event loop, and wait until they are: memory is bounded."""
        taken = threading.Event()

        def take() -> None:
            try:
                if not self._closed.is_set():
                    self._take_all(records, anew=anew, known=known)
            finally:
                taken.set()

        # The loop may be over: then nobody waits for anything any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(take)
            while not taken.wait(0.1) and not self._closed.is_set():
                pass

    def lose(self, error: Lost) -> None:
        """Nothing more can be taken."""

        def tell() -> None:
            self._lost = error
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

        self.say(str(error))
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(tell)

    def say(self, text: str) -> None:
        """Say what goes wrong, each kind of it once a minute."""
        line = self._words.say(text, int(self._monotonic()))
        if line is not None:
            log.warning("%s: %s", self._topic, line[:_LETTERS_MAX])

    # -- called in the event loop

    def _take_all(self, records: Records, *, anew: bool, known: bool) -> None:
        if anew:
            self._forget()
        for place, key, value, since in records:
            try:
                self._take(key, value, since)
            except Exception as error:  # noqa: BLE001 - whatever a stranger wrote, the rest goes on
                self._foreign()
                at = f"partition {place[0]}, offset {place[1]}"
                # Of others nobody knows what they quote.
                why = str(error) if isinstance(error, NotADocument) else type(error).__name__
                self.say(f"passed by a record that nobody of us wrote ({at}): {why}")
        self._known = self._known or known
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
