"""Two questions that no client of ours has: a broker's features, and the quorum's clock.

Both only ask. Sources: Kafka's ApiVersionsRequest (version 3, KIP-584) and DescribeQuorumRequest
(version 1, KIP-836), as its message definitions have them.
"""

from io import BytesIO
from typing import Any, Final

import msgspec
from aiokafka.protocol.api import Request, RequestStruct, Response, ResponseHeader_v0
from aiokafka.protocol.types import (
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

_TEXT: Final = CompactString("utf-8")
_TAGS: Final = ("tags", TaggedFields)
_SUPPORTED_FEATURES: Final = 0
_METADATA_VERSION: Final = "metadata.version"
_METADATA_TOPIC: Final = "__cluster_metadata"
_FEATURES: Final = CompactArray(("name", _TEXT), ("min", Int16), ("max", Int16), _TAGS)
_REPLICAS: Final = CompactArray(
    ("id", Int32), ("end", Int64), ("fetched_ms", Int64), ("caught_up_ms", Int64), _TAGS
)


# aiokafka has no types to inherit from: that is what mypy says of each of these.
class _Versions(Response):  # type: ignore[misc]
    API_KEY = 18
    API_VERSION = 3
    SCHEMA = Schema(
        ("error_code", Int16),
        ("keys", CompactArray(("key", Int16), ("min", Int16), ("max", Int16), _TAGS)),
        ("throttle_ms", Int32),
        _TAGS,
    )


class _AskVersions(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 18
    API_VERSION = 3
    RESPONSE_TYPE = _Versions
    SCHEMA = Schema(("software", _TEXT), ("version", _TEXT), _TAGS)

    def parse_response_header(self, read_buffer: Any) -> Any:  # noqa: ANN401 - as above
        """The old header, whatever the version: a broker may not know it."""
        return ResponseHeader_v0.decode(read_buffer)


class _Quorum(Response):  # type: ignore[misc]
    API_KEY = 55
    API_VERSION = 1
    _PARTITION = (
        *(("partition", Int32), ("error_code", Int16), ("leader", Int32), ("epoch", Int32)),
        *(("end", Int64), ("voters", _REPLICAS), ("observers", _REPLICAS), _TAGS),
    )
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "topics",
            CompactArray(("name", _TEXT), ("partitions", CompactArray(*_PARTITION)), _TAGS),
        ),
        _TAGS,
    )


class _AskQuorum(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 55
    API_VERSION = 1
    RESPONSE_TYPE = _Quorum
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("name", _TEXT), ("partitions", CompactArray(("partition", Int32), _TAGS)), _TAGS
            ),
        ),
        _TAGS,
    )


class VersionsRequest(Request[_AskVersions]):  # type: ignore[misc]
    """What a broker understands."""

    API_KEY = 18

    def build(self, request_struct_class: Any) -> Any:  # noqa: ANN401 - as above
        """The request."""
        return request_struct_class("headroom", "1", {})


class QuorumRequest(Request[_AskQuorum]):  # type: ignore[misc]
    """How the controllers are; needs Describe on the cluster."""

    API_KEY = 55

    def build(self, request_struct_class: Any) -> Any:  # noqa: ANN401 - as above
        """The request."""
        return request_struct_class([(_METADATA_TOPIC, [(0, {})], {})], {})


class Clock(msgspec.Struct, frozen=True):
    """What time it was at the quorum's leader, or by which error Kafka does not say it."""

    error_code: int
    now_ms: int | None = None


def metadata_level(answer: Any) -> int | None:  # noqa: ANN401 - as above
    """The newest `metadata.version` that a broker supports; None where it tells of none."""
    features = answer.tags.get(_SUPPORTED_FEATURES)
    for name, _, newest, _ in _FEATURES.decode(BytesIO(features)) or () if features else ():
        if name == _METADATA_VERSION:
            return int(newest)
    return None


def clock_of(answer: Any) -> Clock:  # noqa: ANN401 - as above
    """The leader's own clock: it has caught up with itself at the moment that it answers."""
    if answer.error_code or not answer.topics:
        return Clock(answer.error_code)
    _, partitions, _ = answer.topics[0]
    _, error_code, leader, _, _, voters, _, _ = partitions[0]
    for number, _, _, caught_up_ms, _ in voters:
        if number == leader and caught_up_ms > 0:
            return Clock(error_code, caught_up_ms)
    return Clock(error_code)
