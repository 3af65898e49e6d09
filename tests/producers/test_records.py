"""SignalR's records, in whatever WebSocket messages they come."""

from hypothesis import given
from hypothesis import strategies as st

from producers.hercle.records import Records

RS = b"\x1e"


@given(st.lists(st.binary().map(lambda record: record.replace(RS, b""))), st.data())
def test_records_come_out_as_they_went_in_however_they_are_cut(
    sent: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(record + RS for record in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    records, found = Records(1_000), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += records.take(stream[start:end])
    assert found == sent


def test_what_has_no_end_is_no_record_until_it_has_one() -> None:
    records = Records(1_000)
    assert records.take(b"a") == []
    assert records.take(b"b" + RS + b"c") == [b"ab"]
    assert records.take(RS + RS) == [b"c", b""]


def test_a_record_without_end_is_bounded() -> None:
    records = Records(5)
    records.take(b"abc")
    assert not records.too_large
    records.take(b"def")
    assert records.too_large
    records.take(RS)
    assert not records.too_large
