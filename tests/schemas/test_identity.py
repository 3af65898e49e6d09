"""Identity: a user is `venue:account`, an account 1 to 1,024 bytes of UTF-8."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import is_account, user_for
from tests.schemas.strategies import PROPERTY


def test_a_user_is_venue_and_account() -> None:
    assert user_for("sfox", "test3") == "sfox:test3"
    assert user_for("hercle", "a:b /\n🐢") == "hercle:a:b /\n🐢"


@given(st.text(min_size=1), st.text(min_size=1))
@PROPERTY
def test_accounts_are_never_merged(one: str, other: str) -> None:
    """Not those of two venues, not two of one venue."""
    assert user_for("sfox", one) != user_for("hercle", other)
    assert (user_for("sfox", one) == user_for("sfox", other)) == (one == other)


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("", False),
        ("a", True),
        (" ", True),
        ("a" * 1_024, True),
        ("a" * 1_025, False),
        ("é" * 512, True),
        ("é" * 512 + "a", False),
        ("🐢" * 256, True),
        ("🐢" * 257, False),
    ],
)
def test_an_account_is_1_to_1024_bytes_long(text: str, *, sound: bool) -> None:
    assert is_account(text) is sound
