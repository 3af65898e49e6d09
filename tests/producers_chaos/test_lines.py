"""One seed of what befalls the line to a venue, with shorter deadlines than producers have."""

import pytest

from tests.producers.line_faults import CASES
from tests.producers_chaos.counting import Row
from tests.producers_chaos.faults import LINES
from tests.producers_chaos.short import check, shared, side_by_side

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Row]]:
    folder = tmp_path_factory.mktemp("lines")
    with shared(folder) as brokers:
        # Two producers of one venue at a time would take each other for a successor.
        return side_by_side([["line-sfox", "certificates"], ["line-hercle"]], folder, brokers)


@pytest.mark.parametrize("fault", list(LINES))
def test_no_frame_that_reached_the_socket_is_lost_or_twice(
    fault: str, table: dict[str, list[Row]]
) -> None:
    check(table[fault])
    assert len(table[fault]) >= 3


def test_every_case_has_its_row(table: dict[str, list[Row]]) -> None:
    """But those that lead past where it is counted."""
    named = {row.fault for rows in table.values() for row in rows}
    wanted = {f"{venue} {case.label}" for case in CASES for venue in case.venues}
    assert {one for one in wanted - named if "redirect" not in one} == set()
