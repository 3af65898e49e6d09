"""Following a topic of a Kafka that goes away, comes back elsewhere, hangs, or refuses us."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headroom.base import compacted
from headroom.base.following import Reader
from headroom.local.kafka import KafkaNode, config
from headroom.local.kafka.probe import free_port
from tests.headroom.base.test_following import DEADLINE_SECONDS, Taken, Topic, told


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that come sooner, and less patience."""
    monkeypatch.setattr(compacted, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(compacted, "_CALL_SECONDS", 1.0)
    monkeypatch.setattr(compacted, "_PAUSE_SECONDS", 0.1)


async def test_kafka_may_be_away_at_the_start_and_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port, taken = free_port(), Taken()
    node = KafkaNode(data_dir=tmp_path, port=port)
    topic = Topic(f"127.0.0.1:{port}", "away")
    async with taken.of(topic) as following:
        await told(caplog, "away: cannot be read")
        async with node:
            await asyncio.to_thread(topic.create)
            await asyncio.to_thread(topic.write, (b"a", b"1"))
            await following.until(lambda: taken.now == {b"a": b"1"})
        async with node:
            await asyncio.to_thread(topic.write, (b"a", b"2"))
            await following.until(lambda: taken.now == {b"a": b"2"})
    assert (taken.values, taken.forgotten) == ([b"1", b"2"], 0)
    assert len([one for one in caplog.messages if "cannot be read" in one]) < 10


class Door:
    """A bootstrap address that leads to a broker's, whichever that is at present."""

    def __init__(self) -> None:
        self.port = 0
        self._within = set[asyncio.Task[None]]()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._let_in, "127.0.0.1", 0)
        async with server:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            for task in self._within:
                task.cancel()
            await asyncio.gather(*self._within, return_exceptions=True)

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._within.add(task)
        task.add_done_callback(self._within.discard)
        async with _closing(writer):
            with contextlib.suppress(OSError):
                inner, outer = await asyncio.open_connection("127.0.0.1", self.port)
                async with _closing(outer):
                    both = _pass_on(reader, outer), _pass_on(inner, writer)
                    await asyncio.gather(*both, return_exceptions=True)


@contextlib.asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_a_broker_that_comes_back_elsewhere_behind_the_same_name_is_found(
    tmp_path: Path,
) -> None:
    taken, door = Taken(), Door()
    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        door.open() as address,
        contextlib.AsyncExitStack() as stack,
    ):
        node = KafkaNode(data_dir=tmp_path, port=free_port())
        async with node:
            door.port = int(node.bootstrap.rpartition(":")[2])
            topic = Topic(node.bootstrap, "moved")
            await asyncio.to_thread(topic.create)
            await asyncio.to_thread(topic.write, (b"a", b"1"))
            read = Reader(lambda: {"bootstrap.servers": address})
            followed = read("moved", taken.take, forget=taken.forget)
            following = await stack.enter_async_context(followed)
            await following.until(lambda: taken.now == {b"a": b"1"})
        async with KafkaNode(data_dir=tmp_path, port=free_port()) as node:
            door.port = int(node.bootstrap.rpartition(":")[2])
            topic = Topic(node.bootstrap, "moved")
            await asyncio.to_thread(topic.write, (b"a", b"2"))
            await following.until(lambda: taken.now == {b"a": b"2"})
            await stack.aclose()
    assert taken.forgotten == 0


async def test_a_broker_that_hangs_is_waited_for_and_nobody_waits_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compacted, "_SILENT_SECONDS_MAX", 2.0)
    taken, other = Taken(), Taken()
    async with KafkaNode(data_dir=tmp_path) as node:
        topic = Topic(node.bootstrap, "hung")
        await asyncio.to_thread(topic.create)
        await asyncio.to_thread(topic.write, (b"a", b"1"))
        async with taken.of(topic) as following:
            await following.until()
            os.kill(node.pid, signal.SIGSTOP)
            try:
                await told(caplog, "with a new client")
                async with other.of(topic):
                    pass
            finally:
                os.kill(node.pid, signal.SIGCONT)
            await asyncio.to_thread(topic.write, (b"a", b"2"))
            await following.until(lambda: taken.now == {b"a": b"2"})
    assert taken.values == [b"1", b"2"]


def with_passwords(monkeypatch: pytest.MonkeyPatch, port: int) -> dict[str, str]:
    """Have nodes listen to who says a password, too; the one that holds is `["password"]`."""
    plain, own = config.server_properties, {"password": "first"}

    def server_properties(**places: Any) -> str:
        text = plain(**places)
        for name in ("listeners", "advertised.listeners"):
            (line,) = [one for one in text.splitlines() if one.startswith(f"{name}=")]
            text = text.replace(line, f"{line},SASL://127.0.0.1:{port}")
        module = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        password = own["password"]
        return text + (
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            "SASL:SASL_PLAINTEXT\n"
            "inter.broker.listener.name=PLAINTEXT\n"
            "sasl.enabled.mechanisms=PLAIN\n"
            f'listener.name.sasl.plain.sasl.jaas.config={module} user_us="{password}";\n'
        )

    monkeypatch.setattr(config, "server_properties", server_properties)
    return own


@pytest.mark.long
async def test_a_password_that_was_changed_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    port, taken = free_port(), Taken()
    broker, ours = with_passwords(monkeypatch, port), {"password": "first"}

    def access() -> dict[str, str]:
        return {
            "bootstrap.servers": f"127.0.0.1:{port}",
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "us",
            "sasl.password": ours["password"],
        }

    async with asyncio.timeout(DEADLINE_SECONDS), contextlib.AsyncExitStack() as stack:
        async with KafkaNode(data_dir=tmp_path) as node:
            topic = Topic(node.bootstrap, "secret")
            await asyncio.to_thread(topic.create)
            await asyncio.to_thread(topic.write, (b"a", b"1"))
            read = Reader(access)("secret", taken.take, forget=taken.forget)
            following = await stack.enter_async_context(read)
            await following.until()
        broker["password"] = "second"
        async with KafkaNode(data_dir=tmp_path) as node:
            await told(caplog, "uthentication")
            await asyncio.to_thread(topic.write, (b"a", b"2"))
            ours["password"] = "second"
            await following.until(lambda: taken.now == {b"a": b"2"})
            await stack.aclose()
    assert taken.values == [b"1", b"2"]
    assert not any("first" in one or "second" in one for one in caplog.messages)
