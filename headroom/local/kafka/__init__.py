"""A real Apache Kafka without Docker: one node, from published jars, checked by their sums."""

from headroom.local.kafka.errors import (
    DataDirError,
    JarMismatch,
    JarsUnavailable,
    JavaMissing,
    KafkaStartError,
    LocalKafkaError,
    PortTaken,
)
from headroom.local.kafka.node import KafkaNode

__all__ = [
    "DataDirError",
    "JarMismatch",
    "JarsUnavailable",
    "JavaMissing",
    "KafkaNode",
    "KafkaStartError",
    "LocalKafkaError",
    "PortTaken",
]
