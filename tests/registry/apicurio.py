"""Apicurio Registry from Maven, in memory: `python -m tests.registry.apicurio` brings it.

Optional, since it is 158 MB: `.ci/run` brings it, and tests are skipped where it is not.
"""

import contextlib
import hashlib
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from headroom.kafka.jars import Jar, _maven, cache_directory
from headroom.kafka.java import find_java

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
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"http.host": "127.0.0.1", "http.port": port, "management.enabled": "false"}
    words = [f"-Dquarkus.{name}={value}" for name, value in settings.items()]
    command = [find_java(), "-Xmx300m", *words, "-jar", HOME / "quarkus-run.jar"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        _wait(f"{url}/subjects", process, log)
        yield url
    finally:
        process.kill()
        process.wait()


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own process
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    bring()
    sys.stdout.write(f"{HOME}\n")
