"""The cheapest of the acts; `make chaos PART=operators` does all of them."""

from pathlib import Path

import pytest

from tests.operators.acts import run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "act",
    [
        "raw-overtaken-stopped",
        pytest.param("commits-of-raw-deleted", marks=pytest.mark.long),
        pytest.param("strangers-contributions", marks=pytest.mark.long),
    ],
)
def test_an_act_loses_nothing_and_tells_nothing_twice(act: str, tmp_path: Path) -> None:
    """Nothing lost, nothing twice, nothing wrong, and the operator was told."""
    row = run(act, tmp_path)
    assert row.sound, "\n".join([str(row), *row.details()])
