"""One seed of what befalls one of two producers of a lease."""

from pathlib import Path

import pytest

from tests.producers_chaos.short import check, rows, shared

pytestmark = pytest.mark.slow


def test_what_reached_either_producer_of_a_lease_is_in_raw_once(tmp_path: Path) -> None:
    with shared(tmp_path) as brokers:
        table = rows("lease", tmp_path, brokers)
    check(table)
    assert {row.fault for row in table} == {"lease, suspended", "lease, cut off", "lease, killed"}
