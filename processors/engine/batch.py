"""What an agent gets and what it answers with: records of one partition, rows and sends."""

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Final, Protocol

import msgspec
from faust.types import TP

from processors.engine.headers import Headers, headers_of


class Message(Protocol):
    """A record as Kafka's client has it, for what is rarely asked for."""

    def headers(self) -> "Headers | None":
        """All headers, in their order."""

    def timestamp(self) -> tuple[int, int]:
        """What kind of time, and the time in milliseconds since 1970."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record as it lies in Kafka: nothing decoded."""

    key: bytes | None
    value: bytes | None
    offset: int
    message: Message

    @property
    def headers(self) -> Headers:
        """Made when they are asked for: many agents never do."""
        return headers_of(self.message)

    @property
    def timestamp_ms(self) -> int:
        """When the record was made or appended, as its topic has it; since 1970."""
        return self.message.timestamp()[1]


class Send(msgspec.Struct, frozen=True, gc=False):
    """One record that follows from a batch."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


class Rows(Protocol):
    """A table, as far as a batch knows it: where its rows go."""

    changelog_topic_name: str

    def settle(self, batch: "Batch", last_offset: int) -> None:
        """Kafka has the batch's rows for good, the last of them at this offset."""

    def check_alone(self, batch: "Batch", offsets: Sequence[int]) -> None:
        """Raise if somebody else wrote to the changelog before or between these offsets."""


class Batch:
    """Consecutive records of one partition, and what an agent wants done because of them.

    An agent iterates a batch, writes tables (`table[key] = row`) and calls `send`. Nothing leaves
    the process before the agent asks for the next batch: then rows and sends go out together, and
    the batch's offset may be committed once Kafka has acknowledged all of them. From then on its
    records are gone: an agent that wants one for longer keeps it.

    Faust's conductor and stream pass a batch on as they would a message. `era` tells the batches
    of one assignment from those of another: what was delivered in an earlier one is not begun.
    """

    # What Faust reads of a message: a batch counts as its last record.
    key = None
    value = None
    headers: Any = None
    timestamp = 0.0
    refcount = 0

    def __init__(
        self, tp: TP, records: Sequence[Record], *, generation_id: int = 0, era: int = 0
    ) -> None:
        self.tp = tp
        self.topic = tp.topic
        self.partition = tp.partition
        self.offset = records[-1].offset
        self.generation_id = generation_id
        self.era = era
        self.first_offset = records[0].offset
        self._count = len(records)
        self._records = records
        self.bytes = sum([len(record.value) for record in records if record.value is not None])
        self.sends: list[Send] = []
        self.rows: dict[Rows, dict[bytes, bytes | None]] = {}
        # Where Kafka put the rows: of each table, offsets in the changelog, the last one at least.
        self.row_offsets: dict[Rows, list[int]] = {}
        self.acknowledged = False
        self.told_when_done: list[Callable[[], None]] = []
        self._latest: dict[tuple[str, bytes], Send] = {}

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<Batch {self.topic}[{self.partition}] {len(self)} records to {self.offset}>"

    def send(
        self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> None:
        """Send a record once the batch is done; the partition is murmur2 of the key."""
        self.sends.append(Send(topic, key, value, headers))

    def send_latest(
        self, topic: str, *, key: bytes, value: bytes | None, headers: Headers = ()
    ) -> None:
        """Send a record to a compacted topic; of several with one key only the last goes out."""
        self._latest[topic, key] = Send(topic, key, value, headers)

    def when_done(self, call: Callable[[], None]) -> None:
        """Call once Kafka has the batch for good, and its rows are in the tables."""
        self.told_when_done.append(call)

    def all_sends(self) -> list[Send]:
        """Every record to send: in the order of `send`, then the latest of each key."""
        return [*self.sends, *self._latest.values()]

    # A batch waits for Kafka while thousands of others are made: what it needs no more is freed at
    # once, so that the next ones find memory that the processor still has at hand.

    def forget_records(self) -> None:
        """The agent has read them."""
        self._records = ()

    def forget_sends(self) -> None:
        """Kafka's client has them."""
        self.sends.clear()
        self._latest.clear()

    def incref(self, n: int = 1) -> None:
        """Faust counts references of a message; a batch has one reader and one end."""

    def ack(self, consumer: object, n: int = 1) -> bool:  # noqa: ARG002 - as above
        """Faust acknowledges what it drops; a batch is acknowledged by Kafka alone."""
        return False


current_batch: Final[ContextVar[Batch | None]] = ContextVar("current_batch", default=None)
"""The batch that the running agent works on: where its table writes go."""
