"""Which of several producers works: a lease on Kafka, held by one of those who ask for it.

It is the one partition of a topic, as a member of a consumer group has it: of those who share a
lease's name one has the partition. Who is not heard for six seconds has it no more. Who has it
proves that every second (a commit, which only a member's own generation is allowed): until six
seconds after it asked for the last proof that came, nobody else can have it.

A holder that cannot reach Kafka does not know whether there is another one by now. It goes on until
it does: Kafka may be away for all. What it writes meanwhile is fenced (`producers.transactions`).
"""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from producers.outcomes import excerpt
from producers.sink import librdkafka_log

SESSION_SECONDS: Final = 6.0
"""The least that brokers allow (`group.min.session.timeout.ms`)."""
_HUNG_SECONDS: Final = 10.0
_TURN_SECONDS: Final = 0.2
_PROOF_SECONDS: Final = 1.0
_YIELD_SECONDS: Final = 3.0
_LEAVE_SECONDS: Final = 3.0
_NOTHING_READ: Final = 0

JOINING: Final[Mapping[str, Any]] = {
    "session.timeout.ms": int(SESSION_SECONDS * 1_000),
    "heartbeat.interval.ms": 1_000,
    # Whose event loop stands still loses it, too.
    "max.poll.interval.ms": int(_HUNG_SECONDS * 1_000),
    # Who has it keeps it when another one comes.
    "partition.assignment.strategy": "cooperative-sticky",
    "enable.auto.commit": False,
    "auto.offset.reset": "latest",
    "allow.auto.create.topics": False,
}

_NO_MEMBER: Final = frozenset(
    {
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_INSTANCE_ID,
    }
)
"""Answers after which librdkafka joins anew."""


class _State(Enum):
    JOINING = "joining"
    WAITING = "waiting"
    HELD = "held"
    DOUBTFUL = "doubtful"


class Lease:
    """One who asks for a lease: an async context manager, a member while inside.

    `access` gives librdkafka's properties, `name` is the lease's, `monotonic` is in seconds.
    """

    def __init__(
        self,
        access: Callable[[], Mapping[str, Any]],
        topic: str,
        name: str,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        log: logging.Logger,
    ) -> None:
        self._access = access
        self._topic = topic
        self.name = name
        self._monotonic = monotonic
        self._sleep = sleep
        self._log = log
        self._client: Any = None
        self._state = _State.JOINING
        self._changed = asyncio.Event()
        self._asked: deque[float] = deque()
        self._asked_at = float("-inf")
        # Only a member may ask: the refusal of a commit makes librdkafka break off the joining
        # that it is at, and nobody would ever be a member again.
        self._is_member = False
        self._proved_at: float | None = None
        self._yields_until: float | None = None
        self._turning: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._client = Consumer(
            {
                **self._access(),
                **JOINING,
                "group.id": self.name,
                "on_commit": self._answered,
            },
            logger=librdkafka_log,
        )
        self._subscribe()
        self._turning = asyncio.create_task(self._turns())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._turning.cancel()
        await asyncio.gather(self._turning, return_exceptions=True)
        # A call that hangs ends with the process, and does not hold it back.
        leaving = threading.Thread(target=self._client.close, name="leave", daemon=True)
        leaving.start()
        await asyncio.to_thread(leaving.join, _LEAVE_SECONDS)

    # -- questions

    @property
    def is_held(self) -> bool:
        """Whether it was given to us, and nothing has cast that into doubt."""
        return self._state is _State.HELD

    def is_proved(self) -> bool:
        """Whether nobody else can have it at this moment."""
        return (
            self.is_held
            and self._proved_at is not None
            and self._monotonic() < self._proved_at + SESSION_SECONDS
        )

    async def until_held(self) -> None:
        """Wait until it is ours, and nobody else's at that moment."""
        while not self.is_proved():
            await self._change()

    async def until_lost(self) -> None:
        """Wait until it is known that it is not ours."""
        while self._may_be_held():
            await self._change()

    async def proved_anew(self) -> bool:
        """Whether it is ours at a moment after this one; waits for as long as nobody knows."""
        since = self._monotonic()
        while self._may_be_held():
            if self.is_held and (self._proved_at or 0.0) >= since:
                return True
            await self._change()
        return False

    def _may_be_held(self) -> bool:
        return self._state in (_State.HELD, _State.DOUBTFUL)

    async def _change(self) -> None:
        changed = self._changed
        await changed.wait()

    # -- turns

    async def _turns(self) -> None:
        while True:
            try:
                self._turn()
            except KafkaException as error:
                self._log.warning("lease %s: %s", self.name, excerpt(str(error)))
            await self._sleep(_TURN_SECONDS)

    def _turn(self) -> None:
        message = self._client.poll(0)  # calls what is below
        if message is not None and message.error() is not None:
            self._log.info("lease %s: %s", self.name, excerpt(str(message.error())))
        now = self._monotonic()
        if self._yields_until is not None:
            if now >= self._yields_until:
                self._yields_until = None
                self._subscribe()
        elif self._is_member and not self._asked and now - self._asked_at >= _PROOF_SECONDS:
            self._ask(now)

    def _ask(self, now: float) -> None:
        """Ask for a proof that we are a member."""
        self._asked_at = now
        place = TopicPartition(self._topic, 0, _NOTHING_READ)
        with contextlib.suppress(KafkaException):  # a queue that is full
            self._client.commit(offsets=[place], asynchronous=True)
            self._asked.append(now)

    def _answered(self, error: object, places: Sequence[Any]) -> None:
        asked_at = self._asked.popleft() if self._asked else None
        if error is None and asked_at is not None and all(one.error is None for one in places):
            self._proved_at = asked_at
            self._tell()
        elif isinstance(error, KafkaError) and error.code() in _NO_MEMBER:
            self._is_member = False

    def _subscribe(self) -> None:
        self._client.subscribe(
            [self._topic],
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )

    # -- what Kafka says

    def _assigned(self, client: Any, places: Sequence[Any]) -> None:  # noqa: ANN401 - untyped
        self._is_member = True
        if any(one.partition == 0 for one in places):
            given = [TopicPartition(self._topic, one.partition, _NOTHING_READ) for one in places]
            client.incremental_assign(given)
            client.pause(given)
            if not self._may_be_held() and self._was_away():
                # Who had it has not died for that: it is sooner where its spool is.
                self._yields_until = self._monotonic() + _YIELD_SECONDS
                self._proved_at = None
                self._is_member = False
                client.unsubscribe()
                return
            self._become(_State.HELD)
            self._asked_at = float("-inf")
        elif self._state is not _State.HELD:
            self._become(_State.WAITING)

    def _was_away(self) -> bool:
        """Whether we had been a member, and were not when this was decided."""
        since = self._proved_at
        return since is not None and self._monotonic() - since > SESSION_SECONDS

    def _revoked(self, _: object, places: Sequence[Any]) -> None:
        if any(one.partition == 0 for one in places):
            self._become(_State.WAITING)

    def _lost(self, _: object, __: object) -> None:
        self._is_member = False
        if self._state is _State.HELD:
            self._become(_State.DOUBTFUL)

    def _become(self, state: _State) -> None:
        if state is not self._state:
            self._log.info("lease %s: %s", self.name, state.value)
        self._state = state
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
