"""Sending records through librdkafka: idempotent, to all in-sync replicas, in transactions or not.

Handing a record over takes microseconds and never waits; what waits for Kafka runs in a thread.
"""

import asyncio
import contextlib
import logging
import re
import struct
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from faust.types import TP

from processors.engine.batch import Headers
from processors.engine.client import (
    LEFT_ROWS,
    REQUEST_BYTES_MAX,
    OwnThread,
    librdkafka_log,
)

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

SENDING: Final[Mapping[str, Any]] = {
    "acks": "all",
    "enable.idempotence": True,
    "partitioner": "murmur2_random",  # Java's
    "message.max.bytes": REQUEST_BYTES_MAX,
    "linger.ms": 1,
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 128 * 1024,
}
# A commit sends what waits, so waiting costs no latency: requests may be filled until then.
IN_TRANSACTIONS: Final[Mapping[str, Any]] = {"linger.ms": 20}
# Without transactions a record is tried for as long as Kafka is away.
WITHOUT_TRANSACTIONS: Final[Mapping[str, Any]] = {"message.timeout.ms": 0}


# What librdkafka says of each connection that ends, in its debugging of brokers ("FAIL", then the
# connection's age and state); it says nothing else of it each time, and nothing of its own accord.
_DEBUG: Final = "broker"
_ENDED: Final = frozenset({"FAIL", "REQTMOUT"})
# A connection that was not there yet has carried no request of a transaction; one to a server of
# the list that it begins with never does, and is given up once that server is known by its number.
_HARMLESS: Final = re.compile(
    r"/bootstrap: |after \d+ms in state (INIT|DOWN|TRY_CONNECT|CONNECT|SSL_HANDSHAKE|AUTH_LEGACY"
    r"|APIVERSION_QUERY|AUTH_HANDSHAKE|AUTH_REQ)\b"
)


class Doubt:
    """Whether a request of a client may still be under way, unanswered: a log for librdkafka.

    It is written to by whoever polls the client; `raised` is for good. librdkafka tells its error
    callback of the same error only once in 30 seconds, and of many endings not at all. What is
    debugged it tells each time, before it tries the lost requests again (`rd_kafka_broker_fail`
    in its rdkafka_broker.c): so whoever polls once the second try has succeeded has heard of it.
    """

    def __init__(self, *, told: bool = False) -> None:
        self.raised = False
        self._told = told

    def log(self, level: int, text: str, facility: str, *arguments: Any) -> None:  # noqa: ANN401 - as a logger's
        """Hear of a connection that ended; pass on what is more than debugging, or was `told`."""
        if facility in _ENDED and not _HARMLESS.search(str(arguments[-1])):
            self.raised = True
        if level > logging.DEBUG or self._told:
            librdkafka_log.log(level, text, facility, *arguments)


class Sender:
    """A producer; `open` connects. With a `transactional_id` everything lies in transactions.

    Where `in_doubt`, a request of the last transaction may still be under way and end the next
    one, or add to it: Kafka tells transactions of one epoch apart by nothing (KIP-890, whose second
    part librdkafka lacks). So before another one is begun, `renew`: late requests are then refused.
    """

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
        self._in_transactions = transactional_id is not None
        self._thread = OwnThread("send")
        self._client: Any = None
        self._doubt = Doubt()
        self._begun = False
        self._polling = False
        self._closing = False

    # -- life

    async def open(self) -> None:
        """Connect; what a transaction of this id left open is aborted. KafkaException if not."""
        if not self._in_transactions:
            self._client = Producer(self._properties, logger=librdkafka_log)
        else:
            debugged = self._properties.get("debug")
            self._doubt = Doubt(told=bool(debugged))
            debug = f"{debugged},{_DEBUG}" if debugged else _DEBUG
            self._client = Producer({**self._properties, "debug": debug}, logger=self._doubt)
            await self._thread.call(self._again, self._client, self._client.init_transactions)
            # No transaction was begun yet, so none has lost a request.
            self._doubt.raised = False

    async def close(self) -> None:
        """Let go of the connections; what is still on its way has a moment to land."""
        self._closing = True
        if self._client is not None:
            await self._thread.call(self._leave, self._client)
        self._thread.close()

    async def renew(self) -> None:
        """A new client of the same id: Kafka refuses whatever else comes of the old one."""
        self._let_go()
        self._begun = False
        await self.open()

    @property
    def in_doubt(self) -> bool:
        """Whether a request may be under way unanswered; exact once a transaction has ended."""
        return self._doubt.raised

    def _let_go(self) -> None:
        """Have the client destroyed, which waits for its threads; it sends nothing any more."""
        old, self._client = [self._client], None
        threading.Thread(target=old.clear, name="let go", daemon=True).start()

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
            TopicPartition(*tp, offset, metadata=LEFT_ROWS if tp in left_rows else "")
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
        doubt = self._doubt
        while True:
            try:
                call(_CALL_SECONDS)
            except KafkaException as error:
                doubt.raised = True
                if not error.args[0].retriable() or self._closing or client is not self._client:
                    raise
                log.warning("Kafka does not answer yet: %s", error.args[0])
            else:
                # What happened to connections meanwhile is heard of now.
                while client.poll(0):
                    pass
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
