"""The Kafka without Docker: it starts, keeps what it was given, and never outlives its parent."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from headroom.local.kafka import DataDirError, KafkaNode, KafkaStartError, PortTaken
from headroom.local.kafka.process import is_alive

ROOT = Path(__file__).parents[4]
FRAME_BYTES_MAX = 16 * 1024 * 1024


async def create_topic(bootstrap, topic):
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def produce(bootstrap, topic, value):
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        max_request_size=FRAME_BYTES_MAX + 65536,
    ) as producer:
        await producer.send_and_wait(topic, value, key=b"sfox:test3")


async def consume_one(bootstrap, topic):
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id="test", auto_offset_reset="earliest"
    ) as consumer:
        async with asyncio.timeout(30):
            return await consumer.getone()


async def wait_until_gone(pid, seconds=15.0):
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        await asyncio.sleep(0.05)


async def test_what_was_produced_is_consumed_and_is_still_there_after_a_restart(tmp_path):
    """Its data, its port and its identity last in the data directory."""
    async with KafkaNode(data_dir=tmp_path) as node:
        first = node.bootstrap
        await create_topic(first, "t")
        await produce(first, "t", b'{"sequence": 1}')
        record = await consume_one(first, "t")
        assert (record.key, record.value) == (b"sfox:test3", b'{"sequence": 1}')
    assert not is_alive(node.pid)
    identity = (tmp_path / "data" / "meta.properties").read_text()

    async with KafkaNode(data_dir=tmp_path) as node:
        assert node.bootstrap == first
        await produce(first, "t", b'{"sequence": 2}')
        # The group had committed the first record: it goes on behind it.
        assert (await consume_one(first, "t")).value == b'{"sequence": 2}'
    assert (tmp_path / "data" / "meta.properties").read_text() == identity


async def test_a_killed_node_starts_again_with_its_data_and_the_largest_frame_fits():
    """A kill -9 loses nothing that was acknowledged; a temporary directory goes at the end."""
    frame = os.urandom(FRAME_BYTES_MAX)
    async with KafkaNode() as node:
        directory = node.log_path.parent
        bootstrap = node.bootstrap
        await create_topic(bootstrap, "t")
        await produce(bootstrap, "t", frame)
        node.kill()
        assert await node.wait() == -signal.SIGKILL
        assert not node.running
        await node.start()
        assert node.bootstrap == bootstrap
        assert (await consume_one(bootstrap, "t")).value == frame
    assert not directory.exists()


async def test_topics_are_never_created_by_accident_and_a_second_node_is_refused(tmp_path):
    """One data directory has one node, and the refusal says whose it is."""
    async with KafkaNode(data_dir=tmp_path) as node:
        admin = AIOKafkaAdminClient(bootstrap_servers=node.bootstrap)
        await admin.start()
        await admin.describe_topics(["a-typing-error"])
        assert "a-typing-error" not in await admin.list_topics()
        await admin.close()

        with pytest.raises(DataDirError, match=f"another node is running on it .*{os.getpid()}"):
            await KafkaNode(data_dir=tmp_path).start()
        assert node.running


async def test_a_taken_port_is_said_in_one_line():
    """The error names the port and what to do; nothing stays behind."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} on 127.0.0.1 is taken") as caught:
            await KafkaNode(port=port).start()
    assert "\n" not in str(caught.value)


async def test_a_failed_start_names_the_log_and_its_last_telling_line(tmp_path):
    """The log outlives the failure and holds the line that the error quotes."""
    log_path = tmp_path / "kafka.log"
    with pytest.raises(KafkaStartError) as caught:
        await KafkaNode(data_dir=tmp_path / "d", log_path=log_path, heap_bytes_max=1024).start()
    assert caught.value.log_path == log_path
    assert str(log_path) in str(caught.value)
    assert caught.value.last_line
    assert caught.value.last_line in log_path.read_text()


async def test_a_failed_start_on_a_temporary_directory_keeps_the_log():
    """The temporary directory goes, the log that the error names stays."""
    with pytest.raises(KafkaStartError) as caught:
        await KafkaNode(heap_bytes_max=1024).start()
    assert caught.value.log_path.read_text()
    caught.value.log_path.unlink()


async def test_a_directory_that_cannot_be_made_is_said_so(tmp_path):
    """A file in the way is a clear error, not a stack trace of Kafka's."""
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with pytest.raises(DataDirError, match="cannot be used"):
        await KafkaNode(data_dir=in_the_way / "d").start()


CHILD = """
import asyncio, pathlib, sys
from headroom.local.kafka import KafkaNode

async def main():
    node = KafkaNode(data_dir=pathlib.Path(sys.argv[1]))
    await node.start()
    print(node.pid, node.bootstrap, flush=True)
    await node.wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
async def test_the_jvm_ends_with_a_parent_that_was_killed(tmp_path):
    """After kill -9 of the parent the JVM is gone, and its directory is free for the next node."""
    parent = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        pid, bootstrap = (await asyncio.to_thread(parent.stdout.readline)).split()
        assert is_alive(int(pid))
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    # At once: the new node waits for the orphan to let go of the directory.
    async with KafkaNode(data_dir=tmp_path) as node:
        # Its locks are gone a moment before it is.
        async with asyncio.timeout(10):
            while is_alive(int(pid)):
                await asyncio.sleep(0.02)
        assert node.bootstrap == bootstrap
    await wait_until_gone(node.pid)
