"""A stream of shared pieces is gzip: any gzip reader reads what was sent, to the last byte."""

import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st

from processors.http.events.zipped import ALONE_BYTES_MAX, BEGIN, Pieces, Zipped

TEXTS = st.builds(
    lambda some, times: some * times, st.binary(max_size=80), st.integers(0, 3_000)
) | st.binary(max_size=3 * ALONE_BYTES_MAX)


@given(st.lists(st.tuples(TEXTS, st.binary(max_size=60)), max_size=12))
def test_what_was_sent_is_read(sent: list[tuple[bytes, bytes]]) -> None:
    pieces = Pieces()
    one, other = Zipped(pieces), Zipped(pieces)
    first = BEGIN + b"".join(one.take(*some) for some in sent) + one.end()
    # One who came later, and is sent the same pieces behind other ones.
    second = BEGIN + b"".join(other.take(*some) for some in reversed(sent)) + other.end()
    assert gzip.decompress(first) == b"".join(shared + own for shared, own in sent)
    assert gzip.decompress(second) == b"".join(shared + own for shared, own in reversed(sent))


@given(st.lists(st.tuples(TEXTS, st.binary(min_size=1, max_size=60)), min_size=1, max_size=5))
def test_each_piece_is_read_at_once(sent: list[tuple[bytes, bytes]]) -> None:
    zipped, reading = Zipped(Pieces()), zlib.decompressobj(wbits=31)
    reading.decompress(BEGIN)
    for shared, own in sent:
        assert reading.decompress(zipped.take(shared, own)) == shared + own


def test_a_long_id_goes_in_several_blocks() -> None:
    zipped, own = Zipped(Pieces()), bytes(range(256)) * 700
    stream = BEGIN + zipped.take(b"", own) + zipped.end()
    assert gzip.decompress(stream) == own


def test_a_piece_is_made_once_for_all() -> None:
    pieces, data = Pieces(2), b"0123456789" * 1_000
    made = pieces.of(data)
    assert pieces.of(b"0123456789" * 1_000) is made
    assert len(made.deflated) < len(data) / 10
    for number in range(2):
        pieces.of(b"%d" % number * 6_000)
    assert pieces.of(data) is not made  # it was the oldest of three
