"""The records on the way from a user's number back to the venue's frame, as they lie in Kafka.

What blocks is for a thread. A record that Kafka no longer keeps is a value that says so.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from headroom.base.clients import Clients
from headroom.base.partitioner import partition_of
from processors.engine.headers import headers_of
from schemas.codec import NotADocument, decode_snapshot
from schemas.documents import BalanceSnapshot, Source
from schemas.headers import GENERATION, REDACTED, RETRY_OF, Receipt, read_receipt
from schemas.identity import user_for
from schemas.incarnations import Incarnation, number_at, parted
from schemas.times import record_time_ns, rfc3339, time_ns_of
from schemas.topics import BALANCES

_NS_PER_MS: Final = 1_000_000
_CLOCKS_DIFFER_MS: Final = 10 * 60 * 1000
"""How much earlier than it was received, by another clock, a frame's snapshot may be written."""


class Hop(msgspec.Struct, frozen=True):
    """A record: where it lies, when it was written, its identity where it has one."""

    topic: str
    partition: int
    offset: int
    time: str
    id: str | None = None

    @property
    def place(self) -> str:
        """The place as a text."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class Told(msgspec.Struct, frozen=True):
    """A snapshot as `balances.v1` tells it; `correction` is the generation that told it anew."""

    hop: Hop
    snapshot: BalanceSnapshot
    correction: str | None = None


class Raw(msgspec.Struct, frozen=True):
    """A raw record: its headers, and the frame; `gone` says why it is not there.

    `receipt` is that of the record that lies there, `redacted` its header of that name.
    """

    hop: Hop | None = None
    gone: str | None = None
    receipt: Receipt | None = None
    redacted: str | None = None
    retry_of: str | None = None
    frame: bytes = b""


def hop_of(message: Any, identity: str | None = None) -> Hop:  # noqa: ANN401 - librdkafka has no types
    """Where a message lies, and when it was written."""
    time = rfc3339(record_time_ns(message.timestamp()[1]))
    return Hop(message.topic(), message.partition(), message.offset(), time, identity)


def last_of(
    clients: Clients, topic: str, partition: int, partitions: int, wanted: Callable[[bytes], bool]
) -> dict[bytes, tuple[Hop, bytes]]:
    """What a partition of a compacted topic says last of each key that is wanted."""
    place = topic, partition
    begins, ends = clients.begins([topic], partitions), clients.ends([topic], partitions)
    found: dict[bytes, tuple[Hop, bytes]] = {}
    for message in clients.read({place: (begins[place], ends[place])}):
        key, value = message.key(), message.value()
        if key is None or not wanted(key):
            continue
        if value is None:
            found.pop(key, None)
        else:
            found[key] = hop_of(message, _identity(message)), value
    return found


def find_told(
    clients: Clients, snapshot: BalanceSnapshot, user: str, partitions: int
) -> list[Told] | str:
    """What `balances.v1` tells of a snapshot's frame, corrections behind; or why it tells nothing.

    The account may have had another user then, so that it lies in another partition.
    """
    begins, ends = clients.begins([BALANCES], partitions), clients.ends([BALANCES], partitions)
    since_ms = time_ns_of(snapshot.received_time) // _NS_PER_MS - _CLOCKS_DIFFER_MS
    at = clients.at([BALANCES], partitions, max(0, since_ms))
    since = {p: ends[p] if offset is None else offset for p, offset in at.items()}
    own = user_for(snapshot.venue, snapshot.account)
    near = {(BALANCES, partition_of(name.encode(), partitions)) for name in (user, own)}
    # The nearest first; and whatever clocks say, it is not gone before all has been looked at.
    looks = [(since, near), (since, since.keys() - near), (begins, since.keys())]
    for starts, places in looks:
        spans = {place: (starts[place], ends[place]) for place in places}
        if found := list(_told_of(clients.read(spans), snapshot)):
            return sorted(found, key=lambda one: one.hop.time)
    return f"{BALANCES} no longer keeps it, or never had it"


def _told_of(messages: Iterable[Any], snapshot: BalanceSnapshot) -> Iterator[Told]:
    source = snapshot.source
    whole = f"{source.topic}/{source.partition}/{source.offset}"
    for message in messages:
        identity = _identity(message) or ""
        if identity != whole and not identity.startswith(f"{whole}/"):
            continue
        try:
            told = decode_snapshot(message.value() or b"")
        except NotADocument:
            continue
        if (told.venue, told.account) == (snapshot.venue, snapshot.account):
            made = dict(headers_of(message)).get(GENERATION)
            correction = None if made is None else made.decode("utf-8", "replace")
            yield Told(hop_of(message, identity), told, correction)


def find_raw(
    clients: Clients,
    source: Source,
    partitions: int,
    incarnations: Mapping[str, tuple[Incarnation, ...]],
) -> Raw:
    """The raw record at a place that a snapshot names."""
    topic, number = parted(source.topic)
    place = topic, source.partition
    begin, end = (
        found.get(place, 0)
        for found in (clients.begins([topic], partitions), clients.ends([topic], partitions))
    )
    history = incarnations.get(topic, ())
    if number_at(history, source.partition, source.offset) != number:
        return Raw(gone=f"{topic} was made again since, and what lies there now is another frame")
    if source.offset < begin:
        return Raw(gone=f"raw is no longer kept: {topic}/{source.partition} begins at {begin} now")
    if source.offset >= end:
        return Raw(gone=f"{topic}/{source.partition} ends at {end}, before it")
    for message in clients.read({place: (source.offset, source.offset + 1)}):
        return _raw(message)
    return Raw(gone=f"Kafka has no record at {topic}/{source.partition}/{source.offset} any more")


def _raw(message: Any) -> Raw:  # noqa: ANN401 - librdkafka has no types
    headers = headers_of(message)
    said = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
    receipt = read_receipt(
        headers, offset=message.offset(), appended_ns=record_time_ns(message.timestamp()[1])
    )
    return Raw(
        hop=hop_of(message),
        receipt=receipt,
        redacted=said.get(REDACTED),
        retry_of=said.get(RETRY_OF),
        frame=message.value() or b"",
    )


def _identity(message: Any) -> str | None:  # noqa: ANN401 - librdkafka has no types
    for name, value in headers_of(message):
        if name == "ce_id" and value is not None:
            return value.decode("utf-8", "replace")
    return None
