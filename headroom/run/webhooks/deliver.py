"""`headroom alerts deliver`: alerts of `alerts.v1`, by a consumer group of its own, to a receiver.

A partition's alerts go one after the other, so a user's come in their order; partitions beside each
other. An alert counts as delivered once the receiver has taken it, and is committed after that: who
is killed between the two delivers it again, under the same id.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import aiokafka
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord, TopicPartition

from headroom.base.errors import OperatorError
from headroom.base.reaching import check_credentials, keep_reaching
from headroom.run.webhooks.receiver import Alert, Receiver
from headroom.run.webhooks.watched import Watched

log = logging.getLogger("headroom.webhooks")

_LOOK_MS: Final = 500
_AT_ONCE_MAX: Final = 50
_ID: Final = "ce_id"


class NoTopic(OperatorError):
    """The topic of the alerts is not there."""


class _Assigned(aiokafka.ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells of partitions that come and go."""

    def __init__(self, delivery: "Delivery") -> None:
        self._delivery = delivery

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        await self._delivery.let_go(revoked)

    async def on_partitions_assigned(self, _: Collection[TopicPartition]) -> None:
        self._delivery.begun()


class Delivery:
    """Carries the alerts of a topic to a receiver; `kafka` are aiokafka's client arguments."""

    def __init__(
        self,
        kafka: Mapping[str, Any],
        receiver: Receiver,
        watched: Watched,
        *,
        group: str,
        topic: str,
    ) -> None:
        self._kafka = kafka
        self._receiver = receiver
        self._watched = watched
        self._group = group
        self._topic = topic
        self._consumer: Any = None
        # Of which it is known where they begin: others may have been read from anywhere.
        self._placed: set[TopicPartition] = set()
        self._tasks: dict[TopicPartition, asyncio.Task[None]] = {}
        self._refused: list[Exception] = []

    async def run(self) -> None:
        """Deliver until cancelled; raises `ReceiverGone`, `NoTopic`, `KafkaRefuses`."""
        await check_credentials(self._kafka)
        consumer = self._consumer = aiokafka.AIOKafkaConsumer(
            **self._kafka,
            group_id=self._group,
            enable_auto_commit=False,
            isolation_level="read_committed",
            # Where a partition begins that the group was never in: see `_place`. What retention
            # deleted before it was delivered is gone: whoever is still there comes next.
            auto_offset_reset="earliest",
        )
        try:
            await consumer.start()
            keep_reaching(consumer._client, self._refused.append)  # noqa: SLF001 - its one way in
            if self._topic not in await consumer.topics():
                message = f"no topic {self._topic}: `headroom topics apply` makes it"
                raise NoTopic(message)
            consumer.subscribe([self._topic], listener=_Assigned(self))
            while True:
                await self._look()
        finally:
            await self.let_go(list(self._tasks))
            await consumer.stop()

    # -- which partitions are ours

    def begun(self) -> None:
        """Kafka has said which partitions are ours."""
        self._watched.begun()

    async def let_go(self, revoked: Collection[TopicPartition]) -> None:
        """These are another one's: what is under way there comes again."""
        self._placed.difference_update(revoked)
        tasks = [self._tasks.pop(tp) for tp in revoked if tp in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _place(self, tp: TopicPartition) -> None:
        """Where a partition begins: where the group stands, or, the first time, what comes now.

        That place is committed before anything is read: so what is told while nobody delivers
        is delivered later, from the first start on.
        """
        consumer = self._consumer
        stands = await consumer.committed(tp)
        if stands is None:
            end = (await consumer.end_offsets([tp]))[tp]
            await consumer.commit({tp: end})
            consumer.seek(tp, end)
            return
        consumer.seek(tp, stands)
        begin = (await consumer.beginning_offsets([tp]))[tp]
        if begin > stands:
            self._watched.missed.inc(begin - stands)
            log.error(
                "%s/%d: up to %d alerts were deleted before they were delivered",
                *(tp.topic, tp.partition, begin - stands),
            )

    # -- carrying

    async def _look(self) -> None:
        if self._refused:
            raise self._refused[0]
        for tp, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[tp]
                task.result()
                self._consumer.resume(tp)
        try:
            for tp in self._consumer.assignment() - self._placed:
                await self._place(tp)
                self._placed.add(tp)
            found = await self._consumer.getmany(timeout_ms=_LOOK_MS, max_records=_AT_ONCE_MAX)
        except KafkaError as error:
            # A rebalance, or a broker that is away: the client goes on by itself.
            log.warning("Kafka does not answer as it should: %s", type(error).__name__)
            await asyncio.sleep(_LOOK_MS / 1000)
            return
        self._watched.looked()
        for tp in found.keys() & self._placed:
            # The others go on; who is not asked for long would lose its place in the group.
            self._consumer.pause(tp)
            self._tasks[tp] = asyncio.create_task(self._carry(tp, found[tp]))

    async def _carry(self, tp: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        for record in records:
            event = dict(record.headers).get(_ID)
            if event is None or record.value is None:
                self._watched.missed.inc()
                place = {"topic": tp.topic, "partition": tp.partition, "offset": record.offset}
                log.warning("%s/%d/%d is no alert of ours", *place.values(), extra=place)
            else:
                await self._receiver.deliver(Alert(_printed(event), record.value))
            try:
                await self._consumer.commit({tp: record.offset + 1})
            except KafkaError as error:
                # The next one commits for both; who takes the partition over delivers it again.
                log.warning("a delivery is not committed yet: %s", type(error).__name__)


def _printed(event: bytes) -> str:
    """An identity as a header may carry it: a stranger's may have anything in it."""
    text = event.decode("ascii", "replace")
    return "".join(one if "!" <= one <= "~" else "?" for one in text)
