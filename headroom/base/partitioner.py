"""In which partition a key lies, in any topic of ours: Kafka's own murmur2, as in Java."""

from typing import Final

from aiokafka.partitioner import murmur2

_POSITIVE: Final = 0x7FFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """The number of a key's partition."""
    return int(murmur2(key) & _POSITIVE) % partitions
