"""Records as strangers may write them: whatever Kafka takes, which looks at nothing."""

from collections.abc import Iterable
from typing import Final, Self

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy as Builder
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

_BATCH_BYTES: Final = 4 * 1024 * 1024
_AT_ANY_TIME: Final = ("message.timestamp.after.max.ms", "message.timestamp.before.max.ms")
_INT64_MAX: Final = 2**63 - 1

NANOSECONDS: Final = 1_795_933_078_806_830_264
MICROSECONDS: Final = 1_795_933_078_806_830


class Odd(msgspec.Struct, frozen=True):
    """One such record; names of headers are bytes, `time` is what stands there."""

    key: bytes | None = b"k"
    value: bytes | None = b"not JSON"
    headers: tuple[tuple[bytes, bytes | None], ...] = ()
    time: int | None = None


KINDS: Final = {
    "null": Odd(value=None),
    "empty": Odd(value=b""),
    "text": Odd(),
    "no UTF-8": Odd(value=b"\xff\xfe\x00"),
    "a number": Odd(value=b"5"),
    "a list": Odd(value=b'[1, {"a": null}]'),
    "an object": Odd(value=b'{"a": "b"}'),
    "nested": Odd(value=b"[" * 100_000),
    "a lone surrogate": Odd(value=b'{"user": "\\ud800"}'),
    "a status": Odd(value=b'{"venue":"sfox","connection":"","state":"connected"}'),
    "another kind": Odd(
        value=b'{"kind":"asset","asset":"BTC","user":"u","version":1,"time":"","venues":{}}'
    ),
    "no key": Odd(key=None),
    "an empty key": Odd(key=b""),
    "a key that is no UTF-8": Odd(key=b"\xff\xfe"),
    "a header's name that is no UTF-8": Odd(headers=((b"\xff\xfe", b"1"), (b"receipt", b"7"))),
    "a header without a name": Odd(headers=((b"", b"1"),)),
    "headers without values": Odd(
        headers=((b"epoch", None), (b"receipt", None), (b"received_time", None), (b"venue", None))
    ),
    "headers that are no UTF-8": Odd(
        headers=((b"epoch", b"\xff"), (b"received_time", b"\xff"), (b"venue", b"\xff"))
    ),
    "headers of a dead letter": Odd(
        headers=(
            (b"headroom.part", b"x"),
            (b"headroom.parts", b"9" * 5_000),
            (b"__connect.errors.topic", b"\xff"),
        )
    ),
    "a time in nanoseconds": Odd(time=NANOSECONDS),
    "a time in microseconds": Odd(time=MICROSECONDS),
    "a time before 1678": Odd(time=-10_000_000_000_000),
    "a time behind 2262": Odd(time=9_300_000_000_000),
    "a time behind 9999": Odd(time=_INT64_MAX),
    "huge": Odd(value=b"x" * 1_500_000),
}


class _Name(str):
    """A header's name that is not text."""

    __slots__ = ("_bytes",)

    def __new__(cls, name: bytes) -> Self:
        made = super().__new__(cls, name.decode("latin-1"))
        made._bytes = name
        return made

    def encode(self, *_: object) -> bytes:
        return self._bytes


async def write(bootstrap: str, topic: str, partition: int, records: Iterable[Odd]) -> list[int]:
    """Write records, each by itself; their offsets."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=2 * _BATCH_BYTES)
    await producer.start()
    try:
        offsets = []
        for record in records:
            batch = producer.create_batch()
            # The fast one takes text alone.
            batch._builder = Builder(
                magic=2,
                compression_type=0,
                is_transactional=0,
                producer_id=-1,
                producer_epoch=-1,
                base_sequence=-1,
                batch_size=_BATCH_BYTES,
            )
            headers = [(_Name(name), value) for name, value in record.headers]
            batch._builder.append(0, record.time, record.key, record.value, headers)
            batch._relative_offset = 1
            sent = await producer.send_batch(batch, topic, partition=partition)
            offsets.append((await sent).offset)
        return offsets
    finally:
        await producer.stop()


def take_any_time(bootstrap: str, topics: Iterable[str]) -> None:
    """Let topics take records of any time, as brokers before Kafka 4 do."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    resources = []
    for topic in topics:
        entries = [
            ConfigEntry(name, str(_INT64_MAX), incremental_operation=AlterConfigOpType.SET)
            for name in _AT_ANY_TIME
        ]
        resources.append(ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries))
    for done in admin.incremental_alter_configs(resources).values():
        done.result(10)
