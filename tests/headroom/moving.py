"""A Kafka that moves: a node that comes back at another port, and an address that leads to it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headroom.local.kafka import KafkaNode
from headroom.local.kafka.probe import free_port
from headroom.local.kafka.storage import Storage

SASL = "SASL_PLAINTEXT"
USER = "headroom"


class MovingNode:
    """A node, and a port that leads to it wherever it is; with a `password` only who knows it."""

    def __init__(self, folder: Path, password: str | None = None) -> None:
        self._folder = folder
        self._relay = _Relay()
        self._node: KafkaNode
        self.start(password)

    @property
    def bootstrap(self) -> str:
        """The address that stays."""
        return f"127.0.0.1:{self._relay.port}"

    def start(self, password: str | None = None) -> None:
        """Start where it has never been; its data is the same."""
        node = KafkaNode(data_dir=self._folder, port=free_port())
        if password is not None:
            node = _Guarded(self._folder, password)
        asyncio.run(node.start())
        self._node = node
        bootstrap = node.guarded if isinstance(node, _Guarded) else node.bootstrap
        self._relay.target = int(bootstrap.rpartition(":")[2])

    def kill(self) -> None:
        self._node.kill()

    def move(self) -> None:
        """Die, and come back elsewhere."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """For good."""
        asyncio.run(self._node.stop())
        self._relay.stop()


class _Guarded(KafkaNode):
    """A node with a second listener, for clients that have a password (SASL PLAIN).

    That port stays the same where the folder does: only the password is another one.
    """

    def __init__(self, folder: Path, password: str) -> None:
        super().__init__(data_dir=folder)
        remembered = folder / "guarded"
        if not remembered.exists():
            folder.mkdir(parents=True, exist_ok=True)
            remembered.write_text(str(free_port()))
        self.guarded = f"127.0.0.1:{remembered.read_text()}"
        self._password = password

    def _write_settings(self, place: Storage, port: int) -> None:
        super()._write_settings(place, port)
        written = place.server_properties.read_text()
        said = dict(line.split("=", 1) for line in written.splitlines())
        login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        more = {
            "listeners": f"{said['listeners']},{SASL}://{self.guarded}",
            "advertised.listeners": f"{said['advertised.listeners']},{SASL}://{self.guarded}",
            "listener.security.protocol.map": (
                f"{said['listener.security.protocol.map']},{SASL}:{SASL}"
            ),
            "sasl.enabled.mechanisms": "PLAIN",
            f"listener.name.{SASL.lower()}.plain.sasl.jaas.config": (
                f'{login} user_{USER}="{self._password}";'
            ),
        }
        lines = [f"{name}={value}\n" for name, value in more.items()]
        place.server_properties.write_text(written + "".join(lines))


class _Relay:
    """Passes everything on to a port of this machine and back; it lives in a thread."""

    def __init__(self) -> None:
        self.target = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        known = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(known,), daemon=True)
        self._thread.start()
        assert known.wait(20)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)

    def _run(self, known: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(known))
        self._loop.close()

    async def _serve(self, known: threading.Event) -> None:
        self._over = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        known.set()
        await self._over.wait()
        server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_passed_on(reader, forth), _passed_on(back, writer))


async def _passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except (ConnectionError, asyncio.CancelledError):
        pass  # either side may leave without a word
    finally:
        writer.close()


@contextmanager
def moving(folder: Path, password: str | None = None) -> Iterator[MovingNode]:
    """A node that may move while the block runs."""
    node = MovingNode(folder, password)
    try:
        yield node
    finally:
        node.stop()
