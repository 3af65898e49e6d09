"""Stock Faust loses, falsifies or waits for ever where our engine is right, fault by fault."""

from collections.abc import Iterator

import pytest

from tests.conftest import KafkaHandle
from tests.engine.stock.all import ROWS, Played
from tests.engine.stock.rows import Row

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
each_row = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest, kafka: KafkaHandle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Played]:
    """The rows of the chosen tests, played while the tests wait for theirs."""
    asked = [item for item in request.session.items if isinstance(item, pytest.Function)]
    wanted = [item.callspec.params["row"] for item in asked if item.path == request.path]
    rows = [row for row in ROWS if row in wanted]
    with Played(rows, kafka.bootstrap, tmp_path_factory.mktemp("stock")) as played:
        yield played


@each_row
def test_stock_faust_has_its_defect(played: Played, row: Row) -> None:
    """What the row says of stock Faust is what the observer saw."""
    seen = played.seen(row, "stock")
    assert seen.verdict == row.stock, seen


@each_row
def test_our_engine_is_right(played: Played, row: Row) -> None:
    """Nothing lost, nothing false; where the row says so, after a stop with its reason."""
    seen = played.seen(row, "ours")
    assert seen.verdict == "right", seen
    assert row.stops.lower() in seen.reason.lower()
    assert bool(row.stops) == bool(seen.reason), seen
