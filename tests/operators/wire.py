"""Requests to Kafka that no client of ours can make: strangers' records, and offsets deleted.

Source: Kafka's protocol guide; KIP-98 (record batch v2); KIP-496 (OffsetDelete).
"""

import socket
import struct
import time
from collections.abc import Sequence

import msgspec
from aiokafka.record.util import calc_crc32c

_PRODUCE, _OFFSET_DELETE = 0, 47
_PRODUCE_VERSION = 3
_SECONDS = 10.0
_INVALID_TIMESTAMP = 32
_SETTING_SECONDS_MAX = 10.0


class Stranger(msgspec.Struct, frozen=True):
    """A record as anybody may write it: any bytes as a header's name, any number as its time."""

    value: bytes | None
    key: bytes | None = b"stranger"
    headers: tuple[tuple[bytes, bytes | None], ...] = ()
    timestamp: int = 1_700_000_000_000


def write(bootstrap: str, topic: str, partition: int, strangers: Sequence[Stranger]) -> int:
    """Write records as one batch; the offset of the first. Raises AssertionError where refused.

    A broker takes a topic's settings over a moment after it was told: a time that it refuses is
    told again.
    """
    records = _batch(strangers)
    body = struct.pack(">hhi", -1, -1, 10_000) + _array(
        [_string(topic) + _array([struct.pack(">ii", partition, len(records)) + records])]
    )
    at = 4 + 2 + len(topic.encode()) + 4 + 4
    code, offset, deadline = _INVALID_TIMESTAMP, -1, time.monotonic() + _SETTING_SECONDS_MAX
    while code == _INVALID_TIMESTAMP and time.monotonic() < deadline:
        answer = _ask(bootstrap, _PRODUCE, _PRODUCE_VERSION, body)
        code, offset = struct.unpack_from(">hq", answer, at)
    assert code == 0, f"Kafka refused a stranger's record in {topic}: error {code}"
    return int(offset)


def delete_offsets(bootstrap: str, group: str, topic: str, partitions: int) -> None:
    """Delete what a group has committed of a topic, as `kafka-consumer-groups` does."""
    indexes = _array([struct.pack(">i", one) for one in range(partitions)])
    answer = _ask(bootstrap, _OFFSET_DELETE, 0, _string(group) + _array([_string(topic) + indexes]))
    [code] = struct.unpack_from(">h", answer)
    assert code == 0, f"Kafka refused to delete offsets of {group}: error {code}"
    at = 2 + 4 + 4 + 2 + len(topic.encode()) + 4
    codes = {struct.unpack_from(">ih", answer, at + 6 * one)[1] for one in range(partitions)}
    assert codes == {0}, f"Kafka refused to delete offsets of {topic}: errors {codes}"


def _batch(strangers: Sequence[Stranger]) -> bytes:
    first = min(one.timestamp for one in strangers)
    last = max(one.timestamp for one in strangers)
    records = b"".join(_record(one, number, first) for number, one in enumerate(strangers))
    count = len(strangers)
    tail = struct.pack(">hiqqqhii", 0, count - 1, first, last, -1, -1, -1, count) + records
    head = struct.pack(">ibI", -1, 2, calc_crc32c(tail))
    return struct.pack(">qi", 0, len(head) + len(tail)) + head + tail


def _record(one: Stranger, number: int, first: int) -> bytes:
    headers = b"".join(_sized(name) + _sized(value) for name, value in one.headers)
    body = (
        b"\x00"
        + _varint(one.timestamp - first)
        + _varint(number)
        + _sized(one.key)
        + _sized(one.value)
        + _varint(len(one.headers))
        + headers
    )
    return _varint(len(body)) + body


def _sized(data: bytes | None) -> bytes:
    return _varint(-1) if data is None else _varint(len(data)) + data


def _varint(number: int) -> bytes:
    left = (number << 1) ^ (number >> 63)
    found = bytearray()
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    found.append(left)
    return bytes(found)


def _string(text: str) -> bytes:
    return struct.pack(">h", len(text.encode())) + text.encode()


def _array(items: Sequence[bytes]) -> bytes:
    return struct.pack(">i", len(items)) + b"".join(items)


def _ask(bootstrap: str, api: int, version: int, body: bytes) -> bytes:
    host, _, port = bootstrap.rpartition(":")
    request = struct.pack(">hhi", api, version, 7) + _string("a stranger") + body
    with socket.create_connection((host, int(port)), _SECONDS) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        [length] = struct.unpack(">i", _exactly(connection, 4))
        return _exactly(connection, length)[4:]


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = connection.recv(count - len(found))
        assert more, "Kafka closed the connection"
        found += more
    return found
