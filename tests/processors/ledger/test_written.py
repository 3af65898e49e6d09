"""Snapshots written a moment ago: the same as decoded, and no more of them than allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import compiled
from processors.ledger.written import WrittenSnapshots
from schemas.codec import NotADocument, decode_snapshot, encode
from tests.processors.ledger.snapshots import logs
from tests.schemas.strategies import PROPERTY


@given(logs(), st.integers(0, 5), st.integers(0, 2_000))
@PROPERTY
def test_what_is_remembered_is_what_would_be_decoded(log, written_max, written_bytes_max) -> None:
    """Whatever was forgotten meanwhile, and however often it is asked for."""
    written = WrittenSnapshots(written_max, written_bytes_max)
    # What is plain is read in place, and never put here.
    log = [snapshot for snapshot in log if compiled.read(encode(snapshot)) is None]
    values = [encode(snapshot) for snapshot in log]
    for value, snapshot in zip(values, log, strict=True):
        written.put(value, snapshot)
        assert len(written._written) <= written_max
        assert sum(map(len, written._written)) == written._bytes <= written_bytes_max
    for value in [*values, *values]:
        assert written.of(value) == decode_snapshot(value)
    assert (len(written._written), written._bytes) == (0, 0)


def test_what_nobody_wrote_is_decoded_and_judged() -> None:
    with pytest.raises(NotADocument):
        WrittenSnapshots().of(b"{}")
