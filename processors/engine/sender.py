"""Sending records through librdkafka: idempotent, to all in-sync replicas, in transactions or not.

Handing a record over takes microseconds and never waits; what waits for Kafka runs in a thread.
"""

import asyncio
import contextlib
import logging
import re
import struct
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from faust.types import TP

from processors.engine.client import OwnThread
from processors.engine.headers import Headers
from processors.engine.librdkafka import IN_TRANSACTIONS, SENDING, librdkafka_log
from processors.engine.marks import mark

log = logging.getLogger(__name__)

Delivered = Callable[[Any, Any], None]
"""Called with an error or None, and the record as Kafka has it."""

TRANSACTION_SECONDS_MAX: Final = 10.0
# After twice a transaction's longest life it is void, whatever librdkafka still waits for: one of
# its calls may never return once a broker has come back (librdkafka #5456, #5511).
ENDING_SECONDS_MAX: Final = 2 * TRANSACTION_SECONDS_MAX
_CALL_SECONDS: Final = 5.0
_CLOSE_SECONDS: Final = 5.0
# How soon an acknowledgement is heard of: librdkafka has no way to wake an event loop.
_POLL_SECONDS: Final = 0.002
_FULL_SECONDS: Final = 0.005
_ANY: Final = -1  # librdkafka's word for the partitioner's choice

# Without transactions a record is tried for as long as Kafka is away.
WITHOUT_TRANSACTIONS: Final[Mapping[str, Any]] = {"message.timeout.ms": 0}


# In which states a connection may have a request on its way. One to a server of the list that a
# client begins with never has one of a transaction, and is given up once that server is known.
_BROKEN: Final = re.compile(
    r"(?<!/bootstrap): Broker changed state (?:UP|UPDATE|REAUTH|AUTH_\w+) -> (?!UP|REAUTH|AUTH_)"
)


class Ear:
    """librdkafka's logger of a sender: it hears whether a connection broke.

    Of that librdkafka tells a program nothing else that is exact: an error that is the same as the
    last one is told once in 30 s, statistics come by the clock. In `debug=broker` each change of a
    connection's state is told, before any request that was on it is tried again, in the queue that
    `poll` empties.
    """

    def __init__(self) -> None:
        self.broke = False

    def log(self, level: int, form: str, *told: Any) -> None:  # noqa: ANN401 - librdkafka's
        """Take one line: those of debugging are heard and not told."""
        if level > logging.DEBUG:
            librdkafka_log.log(level, form, *told)
        elif told[0] == "STATE" and _BROKEN.search(told[-1]) is not None:
            self.broke = True


class Sender:
    """A producer; `open` connects. With a `transactional_id` everything lies in transactions."""

    def __init__(
        self,
        properties: Mapping[str, Any],
        *,
        transactional_id: str | None,
    ) -> None:
        self._properties = {**properties, **SENDING}
        if transactional_id is None:
            self._properties |= WITHOUT_TRANSACTIONS
        else:
            self._properties |= IN_TRANSACTIONS
            self._properties["transactional.id"] = transactional_id
            self._properties["transaction.timeout.ms"] = int(TRANSACTION_SECONDS_MAX * 1000)
            debug = {*filter(None, str(self._properties.get("debug", "")).split(",")), "broker"}
            self._properties["debug"] = ",".join(sorted(debug))
        self._in_transactions = transactional_id is not None
        self._thread = OwnThread("send")
        self._client: Any = None
        self._begun = False
        # Whether a request of a transaction that has ended may still be on its way.
        self._ear = Ear()
        self._tried_again = False
        self._polling = False
        self._closing = False

    # -- life

    async def open(self) -> None:
        """Connect; what a transaction of this id left open is aborted. KafkaException if not."""
        if not self._in_transactions:
            self._client = Producer(self._properties, logger=librdkafka_log)
        else:
            self._ear, self._tried_again = Ear(), False
            self._client = Producer(self._properties, logger=self._ear)
            await self._thread.call(self._again, self._client, self._client.init_transactions)

    async def close(self) -> None:
        """Let go of the connections; what is still on its way has a moment to land."""
        self._closing = True
        if self._client is not None:
            await self._thread.call(self._leave, self._client)
        self._thread.close()

    async def renew(self) -> None:
        """A new client of the same id, and with it a new epoch: the old one's requests are void."""
        gone, self._client = [self._client], None
        self._begun = False
        # Its last breath may wait for the network; and it must be over before the next one begins.
        await self._thread.call(gone.clear)
        await self.open()

    @property
    def in_doubt(self) -> bool:
        """Whether a request of an ended transaction may still reach Kafka, and end the next one.

        So it is where a connection broke while a transaction was open, or a call had to be made
        again: what was tried again was answered, what was tried first may lie somewhere. Kafka
        takes it for one of the present transaction, whose epoch it has (KIP-890).
        """
        if self._client is None or not self._in_transactions:
            return False
        self._client.poll(0)
        return self._ear.broke or self._tried_again

    # -- records

    def offer(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None = None,
        headers: Headers = (),
        delivered: Delivered | None = None,
    ) -> None:
        """Take a record; BufferError where too many wait, KafkaException if it is unfit."""
        # By position: a call with names takes a microsecond longer. After `delivered` comes another
        # name of it, and a time that the client gives.
        self._client.produce(
            topic,
            value,
            key,
            _ANY if partition is None else partition,
            delivered,
            None,
            0,
            headers if isinstance(headers, list) else list(headers),
        )
        if not self._polling and not self._in_transactions:
            self._polling = True
            asyncio.get_running_loop().call_later(_POLL_SECONDS, self._poll)

    async def put(self, *record: Any) -> None:  # noqa: ANN401 - `offer`'s parameters
        """Like `offer`, but wait until there is room."""
        while True:
            try:
                self.offer(*record)
            except BufferError:
                self._client.poll(0)
                await asyncio.sleep(_FULL_SECONDS)
            else:
                return

    def _poll(self) -> None:
        """Call `delivered` of what Kafka acknowledged, for as long as something is on its way."""
        self._client.poll(0)
        self._polling = len(self._client) > 0 and not self._closing
        if self._polling:
            asyncio.get_running_loop().call_later(_POLL_SECONDS, self._poll)

    # -- transactions

    def begin(self) -> None:
        """Begin a transaction: Kafka hears of it with its first record."""
        # What broke since the last one had nothing of a transaction on it.
        self._client.poll(0)
        self._ear.broke = self._tried_again = False
        self._client.begin_transaction()
        self._begun = True

    async def commit(
        self, offsets: Mapping[TP, int], group: bytes, *, left_rows: Collection[TP] = ()
    ) -> None:
        """Commit the transaction with these offsets; KafkaException where it cannot be.

        `left_rows` names the partitions that have left rows in a table. The group refuses offsets
        of a member that it no longer has, and then the whole transaction is void.
        """
        positions = [
            TopicPartition(*tp, offset, metadata=mark(offset, left_rows=tp in left_rows))
            for tp, offset in offsets.items()
        ]
        await self._in_time(self._commit, self._client, positions, group)
        self._begun = False

    async def abort(self) -> None:
        """Make everything in the open transaction never have been."""
        if self._client is None:
            raise _gone("there is no client")
        await self._in_time(self._again, self._client, self._client.abort_transaction)
        self._begun = False

    async def _in_time(self, function: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - whatever the function takes
        try:
            async with asyncio.timeout(ENDING_SECONDS_MAX):
                await self._thread.call(function, *arguments)
        except TimeoutError:
            # Whatever it hangs in goes on hanging, in a thread that nobody waits for.
            self._thread.close()
            self._thread = OwnThread("send")
            self._client = None
            raise _gone("librdkafka does not answer") from None

    # -- in the thread

    def _leave(self, client: Any) -> None:  # noqa: ANN401 - librdkafka has no types
        if not self._begun:
            client.flush(_CLOSE_SECONDS)
            return
        # Readers wait for a transaction that is open until its time is out.
        with contextlib.suppress(KafkaException):
            client.abort_transaction(_CLOSE_SECONDS)

    def _commit(self, client: Any, positions: list[TopicPartition], group: bytes) -> None:  # noqa: ANN401 - librdkafka has no types
        self._again(
            client,
            lambda seconds: client.send_offsets_to_transaction(positions, group, seconds),
        )
        self._again(client, client.commit_transaction)

    def _again(self, client: Any, call: Callable[[float], Any]) -> None:  # noqa: ANN401 - as above
        """Call until Kafka has answered: librdkafka goes on where a call timed out."""
        while True:
            try:
                call(_CALL_SECONDS)
            except KafkaException as error:
                if not error.args[0].retriable() or self._closing or client is not self._client:
                    raise
                self._tried_again = True
                log.warning("Kafka does not answer yet: %s", error.args[0])
            else:
                return


def _gone(why: str) -> KafkaException:
    return KafkaException(KafkaError(KafkaError._FATAL, why, fatal=True))  # noqa: SLF001 - its public name


def group_metadata(group: str, generation: int, member: str, instance: str | None) -> bytes:
    """A group's member, as librdkafka writes it: it has no call to make one of.

    Source: `rd_kafka_consumer_group_metadata_write` in librdkafka's rdkafka_cgrp.c. The fences
    of KIP-447 hang on the generation, so one that is none is refused here.
    """
    if generation < 0 or not member:
        message = "the group has no such member: its offsets would be taken without a fence"
        raise ValueError(message)
    named = b"\x01" if instance is None else b"\x00" + instance.encode() + b"\x00"
    return b"".join(
        (
            b"CGMDv2:",
            struct.pack("=i", generation),
            group.encode() + b"\x00",
            member.encode() + b"\x00",
            named,
        )
    )
