"""One seed of each fault; `make chaos PART=producers` does as many as one likes."""

from pathlib import Path

import pytest

from tests.producers_chaos.faults import FAULTS

SEED = 7
SCALE = 0.2


@pytest.mark.slow
@pytest.mark.parametrize("fault", list(FAULTS))
def test_no_frame_is_lost_or_twice_or_out_of_order_over_a_fault(fault: str, tmp_path: Path) -> None:
    row = FAULTS[fault](tmp_path, SEED, SCALE)
    assert row.sound, str(row)
    assert row.sent > 100
    assert (row.lost > 0) == (fault == "spool-overflow")
