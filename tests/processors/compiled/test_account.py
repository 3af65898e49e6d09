"""A document that is read in place says what decoding it says, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import compiled
from schemas.codec import NotADocument, decode_snapshot, encode
from schemas.documents import BalanceSnapshot
from tests.processors.ledger.snapshots import logs, of_the_contract, snapshot
from tests.schemas.strategies import MANY

pytestmark = pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")

PLAIN = snapshot(1, 2, 3, assets={"BTC": "1.10", "ETH": "0"})
PIECES = [
    *(b'"', b"\\", b",", b":", b"{", b"}", b"[", b"]", b"null", b"-", b"0", b"9" * 39, b" "),
    *(b"\n", b"\x00", b"\xff", b"\xc3\xa9", b'"x":1,', b'"BTC":', b'"held":"1",', b"true", b"1.0"),
    *(b'"deleted":true', b'"exposure":{}', b".", b"00", b"Z", b'","', b'"}'),
]


def is_read(document: bytes) -> bool:
    """Whether a document is read in place; if so, decoding it leads to the same bytes again."""
    account = compiled.read(document)
    if account is None:
        return False
    decoded = decode_snapshot(document)
    assert account.document == encode(decoded) == document
    assert (account.user, account.received_time) == (decoded.user, decoded.received_time)
    return True


@pytest.mark.parametrize("user", ["sfox:test3", "żółw 🐢", "", "a" * 5_000])
def test_a_plain_document_is_read_in_place(user: str) -> None:
    assert is_read(encode(of_the_contract("sfox")))
    assert is_read(encode(PLAIN))
    assert is_read(encode(snapshot(1, 2, 3, user=user)))


def test_what_is_not_plain_is_left_to_decoding() -> None:
    assert not is_read(encode(of_the_contract("hercle")))
    for odd in (
        snapshot(1, 2, 3, deleted=True),
        snapshot(1, 2, 3, user='"'),
        snapshot(1, -2, 3),
        snapshot(1, 2, 3, assets={"é": "1"}),
        snapshot(1, 2, 3, assets={"BTC": "-1"}),
        snapshot(1, 2, 3, assets={"BTC": "01"}),
        snapshot(1, 2, 3, assets={f"A{number}": "1" for number in range(65)}),
        snapshot(1, 2, 3, exposure=("EUR", "1", "2")),
        snapshot(1, 2, 3, unknown=("SOL",)),
    ):
        assert not is_read(encode(odd))
    twice = encode(PLAIN).replace(b"ETH", b"BTC")
    assert not is_read(twice)


FIVE = ["trading", "collateral", "borrow", "lending", "staking"]


@pytest.mark.parametrize(
    ("names", "read"),
    [
        (FIVE, True),
        (FIVE[:2], True),
        (FIVE[::-1], True),
        ([*FIVE, "other"], True),
        (["other", *FIVE], True),
        ([*FIVE, "trading"], False),
        (["trading", "trading"], False),
        (["other", "other"], False),
        ([*FIVE[:2], "é"], False),
        ([*FIVE, "a", "b", "c", "d"], False),
    ],
)
def test_wallets_are_read_in_any_order_and_each_once(names: list[str], read: bool) -> None:  # noqa: FBT001 - a row's answer
    wallets = ",".join(f'"{name}":"1"' for name in names)
    document = encode(snapshot(1, 2, 3, assets={"BTC": "1"}))
    assert b'"wallets":{}' in document
    assert is_read(document.replace(b'"wallets":{}', f'"wallets":{{{wallets}}}'.encode())) is read


@given(logs())
@MANY
def test_whatever_venues_said_is_read_as_it_would_be_decoded(log: list[BalanceSnapshot]) -> None:
    for one in log:
        is_read(encode(one))


@given(st.data())
@MANY
def test_an_edited_document_is_read_as_it_would_be_decoded_or_not_at_all(
    data: st.DataObject,
) -> None:
    text = encode(PLAIN)
    for _ in range(data.draw(st.integers(1, 3))):
        at, length = (
            data.draw(st.integers(0, len(text))),
            data.draw(st.sampled_from([0, 0, 1, 2, 5])),
        )
        text = text[:at] + data.draw(st.sampled_from(PIECES)) + text[at + length :]
    is_read(text)


def test_no_reader_looks_beyond_the_end() -> None:
    """Every beginning of a document, and of a row, in memory of its own."""
    document = encode(PLAIN)
    row = compiled.fold(None, [compiled.read(document)], True).row
    assert compiled.read_row(row) is not None
    for text, read in ((document, compiled.read), (row, compiled.read_row)):
        for size in range(len(text)):
            assert read(bytes(bytearray(text[:size]))) is None


def test_a_row_of_a_user_who_is_no_text_is_no_row() -> None:
    row = compiled.fold(None, [compiled.read(encode(PLAIN))], True).row
    name = b'{"user":"sfox:a","version"'
    assert row.startswith(name)
    assert compiled.read_row(row.replace(name, b'{"user":"sfox:\xff","version"')) is None


@pytest.mark.parametrize("key", ["sfoy:a", "sfox.a", "sfox:b", "sfox:", "", "sfox:aa", ":a"])
def test_a_row_whose_account_stands_under_another_key_is_not_read(key: str) -> None:
    row = compiled.fold(None, [compiled.read(encode(PLAIN))], True).row
    assert row.count(b'"sfox:a":') == 1
    assert compiled.read_row(row.replace(b'"sfox:a":', b'"%b":' % key.encode())) is None


@given(st.binary(max_size=200))
def test_other_bytes_are_no_document_and_no_row(data: bytes) -> None:
    assert compiled.read(data) is None
    assert compiled.read_row(data) is None
    with pytest.raises(NotADocument):
        decode_snapshot(data)
