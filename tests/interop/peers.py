"""SignalR and WebSocket programs that are not ours: `python -m tests.interop.peers` brings them.

Optional: `.ci/run` brings them, and tests are skipped, with the reason, where one is missing. What
they are is pinned by the locks in `peers/`; they lie in the user's cache, beside Kafka's jars.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.streams.java import COMPILER_LOCK
from headroom.local.kafka.errors import LocalKafkaError
from headroom.local.kafka.jars import cache_directory, ensure
from headroom.local.kafka.java import find_java

HERE = Path(__file__).parent / "peers"
JARS = HERE / "signalr.lock.toml"
_NPM = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
_PIP = ("--disable-pip-version-check", "--no-input", "install", "--quiet", "--require-hashes")


def _home(name: str, *locks: str) -> Path:
    """Where something lies that these locks describe: another lock, another place."""
    digest = hashlib.sha256(b"".join((HERE / lock).read_bytes() for lock in locks)).hexdigest()
    return cache_directory() / f"interop-{name}-{digest[:12]}"


NODE_HOME = _home("node", "package.json", "package-lock.json")
PYTHON_HOME = _home("python", "requirements.lock")
JAVA_HOME = _home("java", "signalr.lock.toml", "Official.java")
PYTHON = PYTHON_HOME / "bin" / "python"


def node_missing() -> str | None:
    """Why there is no Node with Microsoft's client; None where there is."""
    return _missing(NODE_HOME) if shutil.which("node") else "no Node.js here"


def python_missing() -> str | None:
    """Why there are no Python clients; None where there are."""
    return _missing(PYTHON_HOME)


def java_missing() -> str | None:
    """Why there is no Java client; None where there is."""
    return _missing(JAVA_HOME)


def java_command() -> list[str]:
    """What runs the Java client, compiled."""
    class_path = os.pathsep.join(map(str, [JAVA_HOME, *ensure(JARS)]))
    return [str(find_java()), "-Xmx128m", "-XX:+UseSerialGC", "-cp", class_path, "Official"]


def bring() -> list[str]:
    """Bring all that can be had, once; what could not, and why."""
    failed = []
    for home, make in ((NODE_HOME, _node), (PYTHON_HOME, _python), (JAVA_HOME, _java)):
        try:
            _once(home, make)
        except (OSError, subprocess.CalledProcessError, LocalKafkaError) as error:
            failed.append(f"{home.name}: {error}")
    return failed


def lock_jars() -> int:
    """Make the Java client's lock anew; the number of its jars."""
    from headroom.local.kafka.lock import write_lock

    return write_lock(HERE / "signalr.toml", JARS)


def _missing(home: Path) -> str | None:
    return None if home.exists() else "not brought: `python -m tests.interop.peers`"


def _once(home: Path, make: Callable[[Path], None]) -> None:
    if home.exists():
        return
    home.parent.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    try:
        make(place)
        place.rename(home)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _node(place: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, place)
    subprocess.run(["npm", *_NPM], cwd=place, check=True, stdout=sys.stderr)


def _python(place: Path) -> None:
    # It is moved afterwards: only its `python` is called, which finds its place by itself.
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    lock = HERE / "requirements.lock"
    command = [place / "bin" / "python", "-m", "pip", *_PIP, "-r", lock]
    subprocess.run(command, check=True, stdout=sys.stderr)


def _java(place: Path) -> None:
    class_path = os.pathsep.join(map(str, ensure(JARS)))
    compiler = [find_java(), "-jar", ensure(COMPILER_LOCK)[0], "-17", "-proc:none"]
    options = ["-encoding", "UTF-8", "-d", place, "-cp", class_path]
    subprocess.run([*compiler, *options, HERE / "Official.java"], check=True, stdout=sys.stderr)


if __name__ == "__main__":
    problems = bring()
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    sys.exit(bool(problems))
