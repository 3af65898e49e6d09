"""Compile the Java once, and the command that runs it: the broker's own Java, locked jars.

That Java has no compiler, so Eclipse's (one jar) makes the classes. They are kept in Headroom's
cache under the sum of the sources, beside the jars.
"""

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.job import Options
from headroom.local.kafka.jars import cache_directory, ensure
from headroom.local.kafka.java import find_java

HERE: Final = Path(__file__).parent
JARS_LOCK: Final = HERE / "jgo.lock.toml"
COMPILER_LOCK: Final = HERE / "ecj.lock.toml"
_COMPILE_SECONDS: Final = 120.0
# A heap that is never short, the collector with the most throughput, both compilers: a JVM as
# one that runs for weeks would have it.
_JVM: Final = ("-Xms1g", "-Xmx1g", "-XX:+UseParallelGC", "-Djava.awt.headless=true")


def java_command(options: Options, mode: str = "job") -> list[str | Path]:
    """The command of a Kafka Streams contender (compiles, and downloads jars, the first time)."""
    jars = ensure(JARS_LOCK)
    class_path = os.pathsep.join(map(str, (compiled(jars), *jars)))
    told = [f"{name}={value}" for name, value in options._asdict().items()]
    return [
        *(find_java(), *_JVM, "--enable-native-access=ALL-UNNAMED", "-cp", class_path),
        *("headroom.bench.Main", f"mode={mode}", *told),
    ]


def compiled(jars: list[Path]) -> Path:
    """The directory of the classes."""
    sources = sorted(HERE.glob("*.java"))
    digest = hashlib.sha256()
    for path in (*sources, JARS_LOCK, COMPILER_LOCK):
        digest.update(path.read_bytes())
    target = cache_directory() / "bench-classes" / digest.hexdigest()[:16]
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, ignore_cleanup_errors=True) as name:
        classes = Path(name) / "classes"
        command: list[str | Path] = [
            *(find_java(), "-jar", ensure(COMPILER_LOCK)[0], "-17", "-encoding", "UTF-8"),
            *("-proc:none", "-nowarn", "-d", classes, "-cp", os.pathsep.join(map(str, jars))),
            *sources,
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_COMPILE_SECONDS
        )
        if done.returncode:
            message = f"the Java of the benchmark does not compile:\n{done.stdout}{done.stderr}"
            raise RuntimeError(message)
        classes.replace(target)
    return target
