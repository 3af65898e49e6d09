"""Reading a compacted topic to its end and on, through librdkafka: what runs in a thread.

A *look* asks Kafka where the topic's partitions end, once a second. That tells three things that
reading alone does not:

- what was there at first: all before the ends that the first look found;
- since when at the earliest a record can lie there: since a look that found the end before it.
  However late it is read, after a connection that hung for ten minutes, nobody takes it for news;
- whether Kafka answers. Where it has not for a while, the client is thrown away and a new one is
  made, with settings of the moment and the bootstrap servers' addresses of the moment.

Every few seconds it asks for the topic's id, too, and for the number of its partitions: librdkafka
reads on at the same offset in a topic that was deleted and made again (its issue 4898; the FIXME in
rd_kafka_topic_metadata_update). Then, and where the position is out of the topic's range, the topic
is read anew from its beginning. What is found is handed over as a whole once the end is reached, so
that nobody sees half of it.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from headroom.base.errors import OperatorError
from processors.engine.librdkafka import librdkafka_log, passes

if TYPE_CHECKING:
    from concurrent.futures import Future

_AT_ONCE: Final = 1_000
_WAIT_SECONDS: Final = 0.1
_LOOK_SECONDS: Final = 1.0
_IDENTITY_SECONDS: Final = 5.0
_CALL_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.2
_QUIET_SECONDS: Final = 3.0
_SILENT_SECONDS_MAX: Final = 20.0
_PAUSE_SECONDS: Final = 1.0
_LOOKS_MAX: Final = 64

_CLIENT: Final[Mapping[str, Any]] = {
    "socket.timeout.ms": 10_000,
    "socket.connection.setup.timeout.ms": 10_000,
    "reconnect.backoff.max.ms": 2_000,
    # A broker that came back elsewhere behind the same name (KIP-899, KIP-1102).
    "metadata.recovery.strategy": "rebootstrap",
    "metadata.recovery.rebootstrap.trigger.ms": 10_000,
}
_READING: Final[Mapping[str, Any]] = {
    # Nobody joins it; the client wants a name.
    "group.id": "headroom-read",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "allow.auto.create.topics": False,
    # Partitions that were added, and leaders that changed, are known by then whatever was missed.
    "topic.metadata.refresh.interval.ms": 10_000,
    # The end behind a transaction's marker shows after a fetch that found nothing.
    "fetch.wait.max.ms": 250,
    "fetch.error.backoff.ms": 200,
    "queued.max.messages.kbytes": 4 * 1024,
}
_AUTHENTICATION: Final = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001 - its public name
        KafkaError.SASL_AUTHENTICATION_FAILED,
    }
)
_OUT_OF_RANGE: Final = frozenset(
    {
        KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001 - its public name
        KafkaError.OFFSET_OUT_OF_RANGE,
    }
)
# A group that nobody joins needs no rights.
_OF_THE_GROUP: Final = frozenset(
    {KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.COORDINATOR_NOT_AVAILABLE}
)

Records = list[tuple[tuple[int, int], bytes | None, bytes | None, float | None]]
"""Of each record: partition and offset, key, value, and since when at the earliest it is there."""


class HandOver(Protocol):
    """Takes records; `anew`: they are all that there is, `known`: all of the first are taken."""

    def __call__(self, records: Records, *, anew: bool, known: bool) -> None: ...  # noqa: D102


class _Renew(Exception):
    """Make another client."""


class _Anew(Exception):
    """Read from the beginning, with another client."""


class Lost(OperatorError):
    """A topic that must not be read anew is another one, or has lost what was not read yet."""


class _Stopped(Exception):
    """Nobody reads any more."""


class Looks:
    """Where a partition ended at which times: what tells since when a record can be there."""

    def __init__(self) -> None:
        # Time asked and end found, both never falling.
        self._found: deque[tuple[float, int]] = deque()

    def found(self, asked: float, end: int) -> None:
        """The partition ended there when it was asked."""
        if len(self._found) >= _LOOKS_MAX:
            # Far behind: the last one says most, an earlier one is only less exact.
            self._found.pop()
        self._found.append((asked, end))

    def since(self, offset: int) -> float | None:
        """When it was not there yet; offsets are asked for in their order."""
        while len(self._found) > 1 and self._found[1][1] <= offset:
            self._found.popleft()
        asked, end = self._found[0] if self._found else (0.0, offset + 1)
        return asked if end <= offset else None


class Compacted:
    """Reads a topic until `stop`; `run` is for a thread."""

    def __init__(
        self,
        access: Callable[[], Mapping[str, Any]],
        topic: str,
        *,
        read_committed: bool,
        whole: bool,
        hand_over: HandOver,
        say: Callable[[str], None],
        lost: Callable[[Lost], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._access = access
        self._topic = topic
        self._isolation = "read_committed" if read_committed else "read_uncommitted"
        self._whole = whole
        self._hand_over = hand_over
        self._say = say
        self._lost = lost
        self._monotonic = monotonic
        self._stopping = threading.Event()
        self._consumer: Any = None
        self._admin: Any = None
        self._id: str | None = None
        self._looked_at = self._identified_at = self._answered_at = float("-inf")
        self._refused: str | None = None
        # Where to read on in each partition, and to where at least before all is known.
        self._positions: dict[int, int] = {}
        self._awaited: dict[int, int] = {}
        self._looks: dict[int, Looks] = {}
        self._known = False
        # What a topic that is read anew has said so far, by key; None where nothing is read anew.
        self._gathered: dict[bytes | None, Any] | None = None

    def stop(self) -> None:
        """Have `run` end; from any thread."""
        self._stopping.set()

    def run(self) -> None:
        """Read, for ever; with one client after another where that must be."""
        while not self._stopping.is_set():
            try:
                self._run_client()
            except _Stopped:
                return
            except Lost as error:
                self._lost(error)
                return
            except _Anew as why:
                self._say(f"is read again from its beginning: {why}")
            except _Renew as why:
                self._say(f"cannot be read: {why}; trying again with a new client")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told and tried again
                self._say(f"cannot be read: {error!r}; trying again")
            self._stopping.wait(_PAUSE_SECONDS)

    def _run_client(self) -> None:
        access = dict(self._access())
        self._refused, self._answered_at = None, self._monotonic()
        self._looked_at = self._identified_at = float("-inf")
        client = {**access, **_CLIENT, "error_cb": self._note}
        self._admin = AdminClient(client, logger=librdkafka_log)
        reading = {**client, **_READING, "isolation.level": self._isolation}
        self._consumer = Consumer(reading, logger=librdkafka_log)
        try:
            self._assign(self._positions)
            while not self._stopping.is_set():
                self._look()
                messages = self._consumer.consume(1, _WAIT_SECONDS)
                if messages:
                    messages += self._consumer.consume(_AT_ONCE - 1, 0)
                    self._take(messages)
                if self._refused is not None:
                    raise _Renew(self._refused)
        finally:
            self._admin = None
            self._consumer.close()

    def _note(self, error: KafkaError) -> None:
        if error.code() in _AUTHENTICATION:
            self._refused = error.str()

    # -- looks

    def _look(self) -> None:
        now = self._monotonic()
        if now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        try:
            if now - self._identified_at >= _IDENTITY_SECONDS:
                self._identify()
                self._identified_at = now
            self._find_ends()
        except KafkaException as error:
            why, silent = error.args[0], self._monotonic() - self._answered_at
            if silent > _SILENT_SECONDS_MAX:
                raise _Renew(why.str()) from None
            # A partition that is new, or changes hands, has no leader for a moment.
            if silent > _QUIET_SECONDS or not passes(why):
                self._say(f"cannot be read: {why.str()}; trying again")
            self._looked_at = self._monotonic() - _LOOK_SECONDS + _AGAIN_SECONDS
        else:
            self._answered_at = self._monotonic()

    def _identify(self) -> None:
        """Whether it is the same topic still, and has the partitions that it had."""
        asked = TopicCollection([self._topic])
        answers = self._admin.describe_topics(asked, request_timeout=_CALL_SECONDS)
        found = self._answer(answers[self._topic])
        if self._id is not None and str(found.topic_id) != self._id:
            self._begin_anew("it was deleted and made again")
        self._id = str(found.topic_id)
        added = {one.id for one in found.partitions} - self._positions.keys()
        if added:
            self._begin(added)

    def _begin(self, partitions: set[int]) -> None:
        """Read partitions from their beginnings on."""
        begins = self._offsets(partitions, OffsetSpec.earliest())
        asked = self._monotonic()
        ends = self._offsets(partitions, OffsetSpec.latest())
        for number in partitions:
            self._looks[number] = Looks()
            self._looks[number].found(asked, ends[number])
        self._positions |= begins
        self._awaited |= ends
        self._assign(begins)
        self._reached()

    def _begin_anew(self, why: str) -> None:
        """Read all of it again, with a new client; raises `_Anew`.

        The old one may take the topic for gone until its next round of metadata. Raises `Lost`
        where nothing that was said may be missing.
        """
        if self._whole:
            raise Lost(f"{self._topic} cannot be read on: {why}")
        self._positions, self._awaited, self._looks, self._id = {}, {}, {}, None
        self._gathered = {} if self._known or self._gathered is not None else None
        if self._gathered is None:
            self._hand_over([], anew=True, known=False)
        raise _Anew(why)

    def _find_ends(self) -> None:
        asked = self._monotonic()
        for number, end in self._offsets(self._positions, OffsetSpec.latest()).items():
            self._looks[number].found(asked, end)

    def _offsets(self, partitions: Any, spec: OffsetSpec) -> dict[int, int]:  # noqa: ANN401 - numbers
        if not partitions:
            return {}
        level = IsolationLevel.READ_COMMITTED
        if self._isolation != "read_committed":
            level = IsolationLevel.READ_UNCOMMITTED
        answers = self._admin.list_offsets(
            {TopicPartition(self._topic, number): spec for number in partitions},
            isolation_level=level,
            request_timeout=_CALL_SECONDS,
        )
        found = {place.partition: self._answer(one).offset for place, one in answers.items()}
        # A broker that has just come back answers with no offset, and no error either.
        if any(offset < 0 for offset in found.values()):
            raise KafkaException(KafkaError(KafkaError.OFFSET_NOT_AVAILABLE))
        return found

    def _answer(self, asked: "Future[Any]") -> Any:  # noqa: ANN401 - librdkafka has no types
        """What was asked for; raises KafkaException, and `_Stopped` where nobody waits any more."""
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                return asked.result(_WAIT_SECONDS)
        raise _Stopped

    def _assign(self, positions: Mapping[int, int]) -> None:
        if positions:
            places = [TopicPartition(self._topic, *place) for place in positions.items()]
            self._consumer.incremental_assign(places)

    # -- records

    def _take(self, messages: list[Any]) -> None:
        found: Records = []
        for message in messages:
            number = message.partition()
            if message.error() is not None:
                self._mind(message.error(), number, message.offset())
            elif number in self._positions:
                offset = message.offset()
                since = self._looks[number].since(offset)
                found.append(((number, offset), message.key(), message.value(), since))
                self._positions[number] = offset + 1
        if self._gathered is not None:
            for record in found:
                self._gathered.pop(record[1], None)  # the last of each key, in their order
                self._gathered[record[1]] = record
        elif found:
            self._hand_over(found, anew=False, known=False)
        self._reached()

    def _mind(self, error: KafkaError, number: int, offset: int) -> None:
        """Mind an error, or an end; raises `_Anew`."""
        code = error.code()
        if code == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
            if number in self._positions:
                self._positions[number] = max(self._positions[number], offset)
        elif code in _OUT_OF_RANGE:
            self._begin_anew("its records were taken away before they were read")
        elif code in _AUTHENTICATION:
            self._refused = error.str()
        elif not passes(error) and code not in _OF_THE_GROUP:
            self._say(f"cannot be read: {error.str()}; trying again")

    def _reached(self) -> None:
        """Say so once all that was there at first has been taken."""
        if not self._awaited or not self._positions:
            return
        if any(self._positions[number] < end for number, end in self._awaited.items()):
            return
        self._awaited = {}
        self._known = True
        gathered, self._gathered = self._gathered, None
        records = [] if gathered is None else list(gathered.values())
        self._hand_over(records, anew=gathered is not None, known=True)
