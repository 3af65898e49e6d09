"""What comes from outside does nothing to a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from headroom.base.printable import plain, printable


@given(st.text())
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert shown.isprintable()
    assert plain(text).plain == shown


def test_letters_of_all_languages_stay() -> None:
    assert printable("Zoë 🙂 用户 [red]") == "Zoë 🙂 用户 [red]"
