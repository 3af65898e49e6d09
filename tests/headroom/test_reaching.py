"""Brokers that come back elsewhere, and passwords that are changed under running programs."""

import json
import re
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest
from confluent_kafka.admin import AdminClient
from aiokafka import AIOKafkaProducer

from headroom.reaching import keep_reaching
from headroom.sandbox.config import SFOX_DEFAULT_KEY
from tests.headroom.commands import headroom, started, until
from tests.headroom.moving import SASL, USER, moving
from tests.producers import topics


def version(url: str) -> int:
    """How often the sandbox's user was told of, as a worker says; 0 where it does not say."""
    try:
        with urllib.request.urlopen(f"{url}/v1/users", timeout=5) as users:
            user = quote(json.load(users)["users"][0], safe="")
        with urllib.request.urlopen(f"{url}/v1/users/{user}/balances", timeout=5) as found:
            return int(json.load(found)["version"])
    except (OSError, IndexError):
        return 0


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
