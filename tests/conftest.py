"""What every test may ask for: one real Kafka a session, fresh topics a test."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings

from schemas import secrets

# How long anything takes says how busy the machine is.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("short", _UNTIMED, max_examples=30)
settings.register_profile("long", _UNTIMED, max_examples=1_000)
settings.load_profile("short")


class KafkaHandle(msgspec.Struct, frozen=True):
    """A running Kafka: where it is, and the arguments of a client."""

    bootstrap: str

    @property
    def arguments(self) -> dict[str, str]:
        return {"bootstrap_servers": self.bootstrap}


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[KafkaHandle]:
    """HEADROOM_KAFKA_BOOTSTRAP if set, else testcontainers where Docker answers, else our own.

    Workers of one run share it: each test has topics of its own.
    """
    shared = getattr(request.config, "workerinput", {}).get("kafka")
    given = os.environ.get("HEADROOM_KAFKA_BOOTSTRAP") or shared
    if given:
        yield KafkaHandle(given)
    elif _docker_answers():
        from testcontainers.community.kafka import KafkaContainer

        with KafkaContainer("apache/kafka:4.0.1") as container:
            yield KafkaHandle(container.get_bootstrap_server())
    else:
        with _node() as bootstrap:
            yield KafkaHandle(bootstrap)


@contextlib.contextmanager
def _node() -> Iterator[str]:
    from headroom.local.kafka import KafkaNode

    node = KafkaNode()
    asyncio.run(node.start())
    try:
        yield node.bootstrap
    finally:
        asyncio.run(node.stop())


class _SharedKafka:
    """One node for all workers of a run, which is the main process's: workers end one by one."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._bootstrap: str | None = None

    def pytest_configure_node(self, node: Any) -> None:
        if self._bootstrap is None:
            self._bootstrap = self._stack.enter_context(_node())
        node.workerinput["kafka"] = self._bootstrap

    def pytest_unconfigure(self) -> None:
        self._stack.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that no worker ends long after the others."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_configure(config: pytest.Config) -> None:
    """Where tests are given to workers, have a Kafka for them."""
    is_main = config.getoption("numprocesses", 0) and not hasattr(config, "workerinput")
    if is_main and not os.environ.get("HEADROOM_KAFKA_BOOTSTRAP") and not _docker_answers():
        config.pluginmanager.register(_SharedKafka())


@pytest.fixture(autouse=True)
def _only_their_own_secrets() -> Iterator[None]:
    """What one test calls a secret is an innocent word in another."""
    before = secrets._KNOWN._texts.copy()
    yield
    secrets._KNOWN._texts = before
    secrets._KNOWN.in_words = secrets._KNOWN.in_frames = None


_numbers = itertools.count(1)


@pytest.fixture
def unique() -> str:
    """A name that no other test of any run has, for topics and groups."""
    return f"t{os.getpid()}-{next(_numbers)}"


def _docker_answers() -> bool:
    """Whether there is a Docker engine to ask."""
    if not os.environ.get("DOCKER_HOST") and not Path("/var/run/docker.sock").exists():
        return False
    import docker

    with contextlib.closing(docker.from_env()) as client:
        try:
            client.ping()
        except docker.errors.DockerException:
            return False
    return True
