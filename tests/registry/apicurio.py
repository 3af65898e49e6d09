"""Apicurio Registry from Maven, in memory: `python -m tests.registry.apicurio` brings it.

Optional, since it is 158 MB: `.ci/run` brings it, and tests are skipped where it is not.
"""

import contextlib
import hashlib
import os
import shutil
import socket
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from headroom.local.kafka.jars import Jar, _maven, cache_directory
from headroom.local.kafka.java import find_java
from headroom.local.kafka.process import spawn

if TYPE_CHECKING:
    import subprocess

VERSION = "3.3.3"
SHA256 = "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63"
HOME = cache_directory() / f"apicurio-{VERSION}"


def bring() -> None:
    """Download, check and unpack it, once."""
    if HOME.exists():
        return
    HOME.parent.mkdir(parents=True, exist_ok=True)
    jar = Jar("io.apicurio", "apicurio-registry-app", VERSION, SHA256)
    with tempfile.TemporaryDirectory(dir=HOME.parent) as name:
        at_version = _maven(Path(name), jar).project(jar.group, jar.artifact).at_version(VERSION)
        archive = at_version.artifact(classifier="all", packaging="tar.gz").resolve()
        with archive.open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == SHA256, archive
        with tarfile.open(archive) as packed:
            packed.extractall(Path(name) / "unpacked", filter="data")
        shutil.move(Path(name) / "unpacked", HOME)


@contextlib.contextmanager
def running(log: Path) -> Iterator[str]:
    """A registry with nothing in it; its URL is that of Confluent's API."""
    port, other = _free_ports()
    settings = {"http.host": "127.0.0.1", "http.port": port}
    settings |= {"management.host": "127.0.0.1", "management.port": other}
    words = [f"-Dquarkus.{name}={value}" for name, value in settings.items()]
    command = [find_java(), "-Xmx400m", *words, "-jar", HOME / "quarkus-run.jar"]
    # It ends with this process, however that ends.
    process = spawn([str(word) for word in command], output=log, environment=os.environ)
    try:
        url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        _wait(f"{url}/subjects", process, log)
        yield url
    finally:
        process.kill()
        process.wait()


def _free_ports() -> tuple[int, int]:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        return one.getsockname()[1], other.getsockname()[1]


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 180
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own process
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, log.read_text()[-3_000:]
            assert time.monotonic() < deadline, log.read_text()[-3_000:]
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    bring()
    sys.stdout.write(f"{HOME}\n")
