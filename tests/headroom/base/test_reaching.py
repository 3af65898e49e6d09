"""Brokers that come back elsewhere, and passwords that are changed under running programs."""

import asyncio
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient

from headroom.base.reaching import keep_reaching
from headroom.local.sandbox.config import SFOX_DEFAULT_KEY
from tests.headroom.commands import answered, balances, headroom, started, until
from tests.headroom.moving import SASL, USER, moving
from tests.producers import topics
from tests.producers.publishing import publisher

# Programs, nodes and patience: more than the usual where the machine is busy.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def version(url: str) -> int:
    """How often the sandbox's user was told of, as a worker says; 0 where it does not say."""
    there = answered(url, "/v1/users")
    found = balances(url, there["users"][0]) if there and there["users"] else None
    return 0 if found is None else int(found["version"])


@pytest.mark.long
@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_a_worker_and_a_producer_find_a_broker_that_moved(tmp_path: Path, guarantee: str) -> None:
    """Both go on by themselves, without a restart."""
    with moving(tmp_path / "kafka") as kafka:
        settings = {
            "KAFKA_BOOTSTRAP": kafka.bootstrap,
            "DATA_DIR": tmp_path / "data",
            "GUARANTEE": guarantee,
            "SFOX_API_KEY": SFOX_DEFAULT_KEY,
        }
        assert headroom("topics", "apply", **settings).status == 0
        with started(tmp_path / "venue", "sandbox", "sfox", "--users", "1", **settings) as venue:
            until(lambda: "ws://" in venue.output, why=lambda: venue.output)
            settings["SFOX_URL"] = re.findall(r"ws://\S+", venue.output)[0]
            with (
                started(tmp_path / "worker", "work", "--port", "0", **settings) as worker,
                started(tmp_path / "producer", "produce", "sfox", **settings) as producer,
            ):
                until(lambda: "ready " in worker.output, why=lambda: worker.output)
                url = re.findall(r"ready (\S+)", worker.output)[0]
                until(lambda: version(url) > 0, why=lambda: worker.output + producer.output)
                kafka.move()
                before = version(url)
                until(
                    lambda: version(url) > before + 20,
                    why=lambda: worker.output + producer.output,
                )
                assert worker.stop() == 0, worker.output
                assert producer.stop() == 0, producer.output


def test_frames_on_their_way_when_a_broker_moves_come_once_and_in_order(tmp_path: Path) -> None:
    """What was sent and not acknowledged goes on to where the broker is now."""
    stop, sent, known = threading.Event(), [0], [0]

    async def publish(bootstrap: str, topic: str) -> None:
        async with publisher(bootstrap, topic, tmp_path / "spool") as publishing:
            while not stop.is_set():
                publishing.publish(b"%d" % sent[0], b"k", topics.headers(1, sent[0] + 1))
                sent[0] += 1
                known[0] = publishing.acknowledged
                await asyncio.sleep(0.005)

    with moving(tmp_path / "kafka") as kafka:
        topic = asyncio.run(topics.fresh(kafka.bootstrap)).raw_topic
        publishing = threading.Thread(
            target=lambda: asyncio.run(publish(kafka.bootstrap, topic)), daemon=True
        )
        publishing.start()
        try:
            until(lambda: known[0] > 20)
            kafka.move()
            before = sent[0]
            until(lambda: known[0] > before, seconds=30)
        finally:
            stop.set()
            publishing.join(20)
        records = asyncio.run(topics.records(kafka.bootstrap, topic))
    assert [int(record.value) for record in records] == list(range(sent[0]))


@pytest.mark.long
def test_a_password_that_is_changed_under_running_programs_is_said(tmp_path: Path) -> None:
    """They end with one clear line; whoever starts them again gives them the new one."""
    with moving(tmp_path / "kafka", "old") as kafka:
        settings = {
            "KAFKA_BOOTSTRAP": kafka.bootstrap,
            "KAFKA_SECURITY_PROTOCOL": SASL,
            "KAFKA_SASL_MECHANISM": "PLAIN",
            "KAFKA_SASL_USERNAME": USER,
            "KAFKA_SASL_PASSWORD": "old",
            "DATA_DIR": tmp_path / "data",
            "SFOX_API_KEY": "k",
            "SFOX_URL": "ws://127.0.0.1:1",
        }
        assert headroom("topics", "apply", **settings).status == 0
        with (
            started(tmp_path / "worker", "work", "--port", "0", **settings) as worker,
            started(tmp_path / "producer", "produce", "sfox", **settings) as producer,
        ):
            until(lambda: "ready " in worker.output, why=lambda: worker.output)
            until(lambda: "trying" in producer.output, why=lambda: producer.output)
            kafka.kill()
            kafka.start("new")
            for program, status in ((worker, 1), (producer, 2)):
                assert program.process.wait(60) == status, program.output
                (line,) = re.findall(r"^headroom: .*", program.output, re.MULTILINE)
                assert "Kafka refuses these credentials" in line
                assert "old" not in line
        # So it is at their next start, too, until they are given the right one.
        for words in (("work", "--port", "0"), ("produce", "sfox")):
            done = headroom(*words, **settings)
            assert done.status == 2, done
            assert "headroom: Kafka refuses these credentials" in done.err
        settings["KAFKA_SASL_PASSWORD"] = "new"
        assert headroom("topics", "check", **settings).status == 0


async def test_an_address_where_nobody_answers_does_not_hold_a_client_up(kafka: Any) -> None:
    """The machine is gone, and no network says so: a connection there is not waited for."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        writer.close()

    client = AIOKafkaClient(bootstrap_servers=kafka.bootstrap)
    keep_reaching(client, print, after_seconds=0.0, ask_seconds=0.2)
    async with await asyncio.start_server(hang, "127.0.0.1", 0) as gone:
        await client.bootstrap()
        (there,) = client.cluster.brokers()
        was = there._replace(port=gone.sockets[0].getsockname()[1])
        try:
            client.cluster._brokers = {there.nodeId: was}
            assert await client._get_conn(there.nodeId) is None
            async with asyncio.timeout(10):
                while client.cluster.brokers() != {there}:
                    await client.force_metadata_update()
            assert await client.ready(there.nodeId)
        finally:
            await client.close()
