"""One real Apache Kafka node (KRaft, broker and controller in one JVM) on the loopback address.

The life of it: take the data directory → jars and Java → format the storage if it is new → start
the JVM → wait until a client gets metadata. Measured on two cores with the jars in the cache:
about 3.5 s the first time, 2.5 s on storage that is formatted, half of both with what `training`
leaves, 300 MB of memory.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from headroom.local.kafka import aot, config, logtail, storage
from headroom.local.kafka.errors import KafkaStartError, PortTaken
from headroom.local.kafka.jars import ensure
from headroom.local.kafka.java import find_java
from headroom.local.kafka.probe import answers, free_port, is_free
from headroom.local.kafka.process import spawn

if TYPE_CHECKING:
    import subprocess

START_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 15.0
POLL_SECONDS: Final = 0.05
PORT_ATTEMPTS: Final = 3


class KafkaNode:
    """A local Kafka, for `async with`; it may be started again after it was stopped or killed.

    Args:
        data_dir: where its data lasts; None: a temporary directory, removed by `stop`.
        port: the port of its clients on 127.0.0.1; None: the last one of `data_dir` if it is
            free, else any free one. A node that is started again keeps its port.
        log_path: Kafka's log; None: `broker.log` in the data directory.
        heap_bytes_max: the JVM's largest heap.
        java_options: the JVM's, beside its own.
        start_seconds_max: how long to wait for the first answer.

    `start` is to be called from a thread that lasts (on Linux the JVM ends with that thread).
    Errors of `start`: the tree in `headroom.local.kafka.errors`.
    """

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        port: int | None = None,
        log_path: Path | None = None,
        heap_bytes_max: int = config.HEAP_BYTES_MAX,
        java_options: Sequence[str] = (),
        start_seconds_max: float = START_SECONDS_MAX,
    ) -> None:
        self._data_dir = data_dir
        self._log_path_wanted = log_path
        self._heap_bytes_max = heap_bytes_max
        self._java_options = java_options
        self._start_seconds_max = start_seconds_max
        self._id, self._cluster_id = config.NODE_ID, storage.new_id()
        self._storage: storage.Storage | None = None
        self._port: int | None = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:PORT`, for clients; known once started."""
        if self._process is None:
            raise RuntimeError("this Kafka node was not started")
        return f"{config.HOST}:{self._port}"

    @property
    def pid(self) -> int:
        """The JVM's process id."""
        if self._process is None:
            raise RuntimeError("this Kafka node was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the JVM lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log_path(self) -> Path:
        """Kafka's log; known once started, or named by the caller."""
        if self._log_path_wanted is not None:
            return self._log_path_wanted
        if self._storage is None:
            raise RuntimeError("this Kafka node was not started")
        return self._storage.log

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop()

    async def start(self) -> None:
        """Start the JVM and wait until a client gets metadata."""
        if self.running:
            raise RuntimeError("this Kafka node is running")
        fresh = self._storage is None
        if self._storage is None:
            root = self._data_dir or Path(tempfile.mkdtemp(prefix="headroom-kafka-"))
            self._storage = storage.Storage(root.absolute())
        try:
            await self._start(self._storage)
        except BaseException:
            self.kill()
            if fresh:
                self._remove_temporary()
            raise

    async def _start(self, place: storage.Storage) -> None:
        lock_fd = await storage.lock(place)
        try:
            self.log_path.parent.mkdir(parents=True, exist_ok=True)
            jars = await asyncio.to_thread(ensure)
            program = await asyncio.to_thread(find_java)
            java = [str(program)]
            learned = aot.options(program, jars)
            class_path = ["-cp", os.pathsep.join(map(str, jars))]
            for attempts_left in reversed(range(PORT_ATTEMPTS)):
                port = self._choose_port(place)
                self._write_settings(place, port)
                if not place.formatted:
                    tool = [*java, *config.format_options(), *learned, *class_path]
                    await self._format(place, tool, aot.first_metadata(program, jars))
                options = config.jvm_options(
                    log4j2=place.log4j2_properties, heap_bytes_max=self._heap_bytes_max
                )
                main = ["kafka.Kafka", str(place.server_properties)]
                command = [*java, *options, *learned, *self._java_options, *class_path, *main]
                if await self._run_broker(command, port, lock_fd, retry=attempts_left > 0):
                    self._port = port
                    place.remember_port(port)
                    return
        finally:
            os.close(lock_fd)  # the JVM holds it from here on

    def _choose_port(self, place: storage.Storage) -> int:
        if self._port is not None:
            if not is_free(self._port):
                raise PortTaken(self._port)
            return self._port
        remembered = place.remembered_port()
        return remembered if remembered and is_free(remembered) else free_port()

    def _write_settings(self, place: storage.Storage, port: int) -> None:
        place.server_properties.write_text(
            config.server_properties(
                log_dir=place.data, port=port, controller_port=free_port(other_than=port)
            ),
            encoding="ascii",
        )
        place.log4j2_properties.write_text(
            config.log4j2_properties(self.log_path.absolute()), encoding="ascii"
        )

    async def _format(self, place: storage.Storage, java: Sequence[str], learned: Path) -> None:
        """Write the storage's identity and its first metadata: Kafka's own tool does it (1 s).

        It need not run where it has written the same metadata once, which is `learned`.
        """
        if place.format(self._id, learned, cluster_id=self._cluster_id):
            return
        offset = logtail.size_bytes(self.log_path)
        tool = ["kafka.tools.StorageTool", "format", "--config", str(place.server_properties)]
        self._process = spawn(
            [*java, *tool, "--cluster-id", self._cluster_id], output=self.log_path
        )
        if status := await self.wait():
            raise self._failed(f"Kafka's storage could not be formatted (exit {status})", offset)

    async def _run_broker(
        self, command: Sequence[str], port: int, lock_fd: int, *, retry: bool
    ) -> bool:
        """Start the broker and wait for its first answer.

        False where another process was faster to take a port that was free a moment ago and
        `retry` allows for another one.
        """
        offset = logtail.size_bytes(self.log_path)
        self._process = spawn(command, output=self.log_path, inherited_fd=lock_fd)
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._start_seconds_max
        while clock() < deadline:
            if (status := self._process.poll()) is not None:
                if "BindException" in logtail.read_since(self.log_path, offset):
                    if self._port is not None and not is_free(self._port):
                        raise PortTaken(self._port)
                    if retry:
                        return False
                raise self._failed(f"Kafka ended while starting (exit {status})", offset)
            if await answers(config.HOST, port):
                return True
            await asyncio.sleep(POLL_SECONDS)
        raise self._failed(f"Kafka did not answer within {self._start_seconds_max:g} s", offset)

    def _failed(self, what: str, offset: int) -> KafkaStartError:
        last_line = logtail.last_meaningful_line(logtail.read_since(self.log_path, offset))
        log_path = self.log_path
        if self._data_dir is None and self._log_path_wanted is None:
            # The temporary directory goes; its log must not go with it.
            fd, name = tempfile.mkstemp(prefix="headroom-kafka-", suffix=".log")
            os.close(fd)
            log_path = Path(shutil.copyfile(log_path, name))
        return KafkaStartError(what, log_path, last_line)

    async def wait(self) -> int:
        """Wait for the JVM to end; its exit status, negative for a signal."""
        if self._process is None:
            raise RuntimeError("this Kafka node was not started")
        # Asked for, not waited for: so the node belongs to no event loop (a test session's fixture
        # may start it in one and stop it in another) and needs no thread.
        while (status := self._process.poll()) is None:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)
        return status

    def kill(self) -> None:
        """SIGKILL to the JVM, for tests of a broker's death; the data stays until `stop`."""
        if self.running and self._process is not None:
            self._process.kill()
            self._process.wait()

    async def stop(self) -> None:
        """Stop the JVM in order, by force after a while; remove a temporary data directory."""
        try:
            if self.running and self._process is not None:
                self._process.terminate()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STOP_SECONDS_MAX):
                        await self.wait()
        finally:
            self.kill()
            self._remove_temporary()

    def _remove_temporary(self) -> None:
        if self._data_dir is None and self._storage is not None:
            shutil.rmtree(self._storage.root, ignore_errors=True)
            self._storage = None
