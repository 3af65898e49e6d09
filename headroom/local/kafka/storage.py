"""A node's data directory: whose it is, what it remembers.

```
DIR/
  node.lock            held by the JVM itself, so also when its parent was killed; owner's pid
  node.json            the ports of the last start
  server.properties    written at each start
  log4j2.properties    the same
  broker.log           Kafka's log, unless another place was named
  data/                what Kafka keeps
```
"""

import asyncio
import base64
import fcntl
import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headroom.local.kafka.errors import DataDirError
from headroom.local.kafka.process import is_alive

ORPHAN_SECONDS_MAX: Final = 20
POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Storage:
    """The paths within one data directory."""

    root: Path

    @property
    def data(self) -> Path:
        """What Kafka keeps."""
        return self.root / "data"

    @property
    def server_properties(self) -> Path:
        """Kafka's settings, written at each start."""
        return self.root / "server.properties"

    @property
    def log4j2_properties(self) -> Path:
        """Kafka's logging, written at each start."""
        return self.root / "log4j2.properties"

    @property
    def log(self) -> Path:
        """Where Kafka's log goes when no other place was named."""
        return self.root / "broker.log"

    @property
    def formatted(self) -> bool:
        """Whether the storage was formatted before."""
        return (self.data / "meta.properties").is_file()

    def format(self, node_id: int, first_metadata: Path, *, cluster_id: str) -> bool:
        """What `kafka-storage format` does, given what else it would write, in a second less.

        Nodes of one cluster have one id of it. False where what else it would write is not there.
        What says that it is formatted comes last.
        Source: MetaProperties, version 1.
        """
        if not first_metadata.is_file():
            return False
        self.data.mkdir(parents=True, exist_ok=True)
        (self.data / "bootstrap.checkpoint").write_bytes(first_metadata.read_bytes())
        says = {
            "version": 1,
            "node.id": node_id,
            "cluster.id": cluster_id,
            "directory.id": new_id(),
        }
        written = self.data / "meta.properties.new"
        written.write_text("".join(f"{key}={value}\n" for key, value in says.items()), "ascii")
        written.replace(self.data / "meta.properties")
        return True

    def remembered_port(self) -> int | None:
        """The port of the last start, or None."""
        try:
            remembered = json.loads((self.root / "node.json").read_text(encoding="utf-8"))
            return int(remembered["port"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remember_port(self, port: int) -> None:
        """Keep the port for the next start."""
        (self.root / "node.json").write_text(json.dumps({"port": port}) + "\n", encoding="utf-8")


async def lock(storage: Storage) -> int:
    """Take the directory for one node; the file descriptor that the JVM is to inherit.

    The lock belongs to the open file, not to a process: it is free again when the last holder,
    usually the JVM, has ended. Where the owner died and its JVM is still shutting down, this
    waits for it; where the owner lives, it refuses at once.

    Errors: `DataDirError`.
    """
    root = storage.root
    if "," in str(root):
        raise DataDirError(root, "Kafka takes a comma in its path for a list")
    try:
        root.mkdir(parents=True, exist_ok=True)
        fd = os.open(root / "node.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise DataDirError(root, error.strerror or str(error)) from error
    try:
        await _flock(fd, root)
        os.truncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    except BaseException:
        os.close(fd)
        raise
    return fd


async def _flock(fd: int, root: Path) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + ORPHAN_SECONDS_MAX
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
            if not owner.isdigit() or is_alive(int(owner)) or loop.time() > deadline:
                held_by = f" (process {owner})" if owner.isdigit() else ""
                raise DataDirError(root, f"another node is running on it{held_by}") from None
        else:
            return
        await asyncio.sleep(POLL_SECONDS)


def new_id() -> str:
    """A random id in Kafka's form: 16 bytes, base64url, not beginning with a dash.

    Source: org.apache.kafka.common.Uuid.
    """
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode("ascii")
        if not text.startswith("-"):
            return text
