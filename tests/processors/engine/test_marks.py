"""What commits say beside their offsets: ours are known, whatever lies behind the text."""

from hypothesis import given
from hypothesis import strategies as st

from processors.engine.marks import Commit, mark, read_commit

OFFSETS = st.integers(0, 2**63 - 1)


@given(offset=OFFSETS, rows=st.booleans(), more=st.text())
def test_a_mark_is_read_as_it_was_made(*, offset: int, rows: bool, more: str) -> None:
    """Whatever is read beyond its end."""
    said = mark(offset, left_rows=rows)
    assert read_commit(offset, said + more) == Commit(offset, left_rows=rows, ours=True)
    # Kafka's default for what a commit may say.
    assert len(said) < 4096


@given(offset=OFFSETS, other=OFFSETS, rows=st.booleans())
def test_a_mark_vouches_for_its_own_offset_alone(*, offset: int, other: int, rows: bool) -> None:
    copied = read_commit(other, mark(offset, left_rows=rows))
    assert copied == Commit(other, left_rows=rows, ours=other == offset)


def test_what_others_say_is_none_of_ours() -> None:
    for said in (None, "", "\0", "headroom", "headroom 7", "x headroom 7."):
        assert read_commit(7, said) == Commit(7, left_rows=False, ours=False)
    # A version before marks were.
    for said in ("rows", "rows\0"):
        assert read_commit(7, said) == Commit(7, left_rows=True, ours=False)
