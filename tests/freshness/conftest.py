"""One worker for all cases: their venues' accounts and connections come and go."""

import os
from collections.abc import Iterator

import pytest

from tests.conftest import KafkaHandle
from tests.freshness.system import System, running


@pytest.fixture(scope="package")
def system(kafka: KafkaHandle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Topics of their own and a worker that reads them."""
    folder = tmp_path_factory.mktemp("freshness")
    with running(kafka.bootstrap, f"fresh{os.getpid()}.", folder) as made:
        yield made
