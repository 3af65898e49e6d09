"""What was learned once: Kafka's classes for the JVM, and what a new node's storage begins with.

The classes are in JDK 25's AOT cache (JEP 483, 514, 515); beside it lies the first metadata that
Kafka's own tool wrote for these jars, which names no cluster and no node.

`headroom.local.kafka.training` makes one, which a checkout's `make test` does once, and it is used
wherever it lies. Measured on two cores, up to 26 topics of 8 partitions: 4.4 s of CPU instead of
7. A JVM that cannot use it (another Java, other jars) says so in its log and starts as without.
"""

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from headroom.local.kafka.jars import cache_directory


def place(java: Path, jars: Sequence[Path], cache: Path | None = None) -> Path:
    """Where the cache for this Java and these jars lies, or would."""
    known = hashlib.sha256(os.fsencode(java.resolve()))
    with contextlib.suppress(OSError):
        known.update((java.resolve().parents[1] / "release").read_bytes())
    for jar in jars:
        known.update(os.fsencode(jar))
    return (cache or cache_directory()) / "aot" / f"kafka-{known.hexdigest()[:16]}.aot"


def first_metadata(java: Path, jars: Sequence[Path], cache: Path | None = None) -> Path:
    """Where the first metadata for these jars lies, or would: Kafka's `bootstrap.checkpoint`."""
    return place(java, jars, cache).with_suffix(".checkpoint")


def options(java: Path, jars: Sequence[Path], cache: Path | None = None) -> list[str]:
    """The JVM's options: to use the cache where there is one."""
    path = place(java, jars, cache)
    return [f"-XX:AOTCache={path}"] if path.is_file() else []
