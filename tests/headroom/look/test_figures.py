"""What a person reads: percent that are never too much, amounts that stand at their points."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom.look.figures import aligned, percent
from schemas.amounts import utilisation
from tests.schemas.strategies import amounts


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        ("0.953333", "95.3 %"),
        ("0.999999", "99.9 %"),
        ("1.000000", "100.0 %"),
        ("0.000000", "0.0 %"),
        ("103.858860", "10385.8 %"),
        ("-0.000400", "-0.1 %"),
    ],
)
def test_a_share_in_percent(share: str, shown: str) -> None:
    assert percent(share) == percent(Decimal(share)) == shown


@given(current=st.integers(0, 10**12), maximum=st.integers(1, 10**12))
def test_a_limit_is_shown_as_reached_only_where_it_is(current: int, maximum: int) -> None:
    """Where six decimals do not say so already, as a machine has them."""
    share = utilisation(str(current), str(maximum))
    assert share is not None
    assert (Decimal(percent(share).removesuffix(" %")) >= 100) == (Decimal(share) >= 1)


@given(st.lists(amounts() | st.sampled_from(["unknown", "?", "", "(more, unknown)"])))
def test_points_stand_under_each_other_and_no_digit_changes(column: list[str]) -> None:
    shown = aligned(column)
    assert [cell.strip() for cell in shown] == column
    assert len({len(cell) for cell in shown}) <= 1
    ends = {
        len(cell[: cell.index(".")] if "." in cell else cell.rstrip())
        for cell, amount in zip(shown, column, strict=True)
        if amount[-1:].isdigit()
    }
    assert len(ends) <= 1
