"""Kafkas that one file, or one test, has for itself."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from headroom.local.kafka import KafkaNode
from tests.headroom import commands


@pytest.fixture(scope="module")
def own() -> Iterator[str]:
    """A file's own: where it is."""
    yield from commands.node()


@pytest.fixture
def empty(own: str) -> str:
    """The same without any of the contract's topics."""
    commands.without_topics(own)
    return own


@pytest.fixture
def node(tmp_path: Path) -> Iterator[KafkaNode]:
    """A test's own, which it may end and start."""
    made = KafkaNode(data_dir=tmp_path / "kafka")
    asyncio.run(made.start())
    try:
        yield made
    finally:
        asyncio.run(made.stop())
