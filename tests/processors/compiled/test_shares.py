"""Shares that go the short way into the sums end where they end the long way, digit for digit."""

import json
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from processors import compiled
from processors.ledger.assets import Changes, Share, SumLedger
from processors.ledger.contributions import (
    AssetContribution,
    BaseContribution,
    Contribution,
    bundles,
    encode,
    key_of,
    keyed,
    row_key,
    shares_of,
    unbundle,
)
from processors.ledger.rows import RowNotRead
from processors.ledger.sums import AssetSum
from schemas.codec import NotADocument
from schemas.codec import encode as encode_document
from schemas.documents import Balance
from tests.processors.ledger.snapshots import reader
from tests.schemas.strategies import MANY, amounts

pytestmark = pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")

Rows = dict[bytes, bytes]

NINES = "9" * 18
LONG = [
    "9" * 64 + "." + "9" * 64,
    "-" + "9" * 60 + ".5",
    f"{NINES}9",
    f"0.{NINES}1",
    f"-0.{NINES}1",
]
ODD = [
    *("0", "-0", "0.00", "-0.00", "1", "-1", "1.10", "-1.1", "1.1", "250", "01", "-007.50"),
    *(NINES, f"-{NINES}", f"0.{NINES}", f"-0.{NINES}", "0" * 30 + "1", "0." + "0" * 18, *LONG),
    *("0." + "0" * 18 + "1", "0." + "0" * 40, "-0." + "0" * 37 + "12"),
]
AMOUNTS = amounts(whole=20, fraction=20) | st.sampled_from(ODD)
BALANCES = st.builds(Balance, AMOUNTS, AMOUNTS, AMOUNTS)
VENUES = ["sfox", "hercle", "żółw", "d", "e"]
HOLDINGS = st.one_of(
    st.dictionaries(st.sampled_from(venues), BALANCES)
    for venues in (VENUES[:1], VENUES[:2], VENUES)
)
USERS = st.sampled_from(["u", "v", "w", "żółw", 'q"'])
ASSETS = st.sampled_from(["BTC", "BTC", "BTC", "ETH", "é", "\\"])
TIMES = st.sampled_from(["t", "s", "\x7f", "ó", "\n"])


def share(user: str, version: int, *, asset: str = "BTC", **venues: str) -> AssetContribution:
    held = {venue: Balance(total, total, "0") for venue, total in venues.items()}
    return AssetContribution(asset, user, version, "t", held)


@st.composite
def histories(draw: st.DrawFn) -> list[list[Contribution]]:
    """Batches of shares of users who come, change, leave, are told again, and late."""
    version, told, batches = 3, list[Contribution](), list[list[Contribution]]()
    for _ in range(draw(st.integers(1, 5))):
        batch: list[Contribution] = []
        for _ in range(draw(st.integers(1, 8))):
            version += draw(st.sampled_from([1, 1, 1, 0, -2]))
            if told and draw(st.integers(0, 4)) == 0:
                batch.append(draw(st.sampled_from(told)))
            elif draw(st.integers(0, 9)) == 0:
                total = [draw(AMOUNTS)]
                batch.append(BaseContribution("EUR", draw(USERS), version, "t", total, [None]))
            else:
                asset, user, time = draw(ASSETS), draw(USERS), draw(TIMES)
                batch.append(AssetContribution(asset, user, version, time, draw(HOLDINGS)))
        told += batch
        batches.append(batch)
    return batches


def decoded(values: list[bytes]) -> list[Contribution]:
    return [one for value in values for one in unbundle(value)]


class Way:
    """A ledger over a table that is a dictionary, and what it says, as it would be written."""

    def __init__(self, rows: Rows | None = None) -> None:
        self.rows: Rows = {} if rows is None else dict(rows)
        self.ledger = SumLedger()
        self.ledger.load(0, self.rows.items())

    def fold(self, shares: list[Share] | list[Contribution]) -> Any:
        try:
            changes: Changes = self.ledger.fold(0, shares, reader(self.rows))
        except Exception as error:  # noqa: BLE001 - whatever it is, both ways must raise it
            return type(error), str(error), getattr(error, "key", None)
        self.rows |= changes.rows
        emissions = [(encode_document(one.document), one.time) for one in changes.emissions]
        return list(changes.rows.items()), emissions, changes.stale

    def sums(self) -> list[Any]:
        """All that it keeps, to the number of addends of each number of places."""
        return [
            (
                (key, one._users, {venue: _said(held) for venue, held in one._venues.items()})
                if isinstance(one, AssetSum)
                else (key, encode_document(one.document(1)))
            )
            for key, one in self.ledger._sums[0].items()
        ]


def _said(held: Any) -> Any:
    tallies = (held.total._by_places, held.available._by_places, held.held._by_places)
    return held.users, held.rows, tallies


class Both:
    """The short way and the long one, of which the short one always says what the long one does."""

    def __init__(self, rows: Rows | None = None) -> None:
        self.short, self.long = Way(rows), Way(rows)

    def fold(self, batch: list[Contribution]) -> Any:
        values = [value for _, value in bundles(keyed(batch))]
        shares = shares_of(values)
        assert shares is not None
        said = self.long.fold(decoded(values))
        assert self.short.fold(shares) == said
        if isinstance(said[0], list):  # else the worker stops
            assert self.short.rows == self.long.rows
            assert self.short.sums() == self.long.sums()
        return said


def are_plain(values: list[bytes]) -> bool:
    shares = shares_of(values)
    assert shares is not None
    return all(isinstance(one, compiled.PlainShare) for one in shares)


def rows_of(both: Both) -> Rows:
    """The rows of shares, none of a sum."""
    return {key: row for key, row in both.long.rows.items() if len(json.loads(key)) == 3}


@given(histories(), st.data())
@MANY
def test_both_ways_say_the_same_of_whole_histories(
    history: list[list[Contribution]], data: st.DataObject
) -> None:
    both = Both()
    for batch in history:
        if not isinstance(both.fold(batch)[0], list):
            break  # it could not be added up
        if data.draw(st.integers(0, 3)) == 0:
            both = Both(both.long.rows)


def damaged(row: bytes) -> list[bytes]:
    """Rows that are not just what we write, some of them by no means."""
    said = json.loads(row)
    return [
        json.dumps(said).encode(),
        row + b" ",
        row + b"x",
        row[:-1],
        b"",
        b"\xff" + row,
        row.replace(b'"time":"', b'"time":"\xff'),
        row.replace(b'"sfox"', b'"sf\xffx"'),
        row.replace(b'"total":"', b'"total":"1e'),
        row.replace(b'"held":"', b'"held":""'),
        row.replace(b'"u"', b'"anybody"'),
        row.replace(b'"BTC"', b'"ETH"'),
        row.replace(b'"sfox"', b'"hercle"'),
        row.replace(b'"version":', b'"version":-'),
        row.replace(b'"version":', b'"version":999999999999999999999'),
        encode(BaseContribution("BTC", "u", 1, "t", ["1"], [None])),
        b'{"version":1,"document":{}}',
    ]


@given(histories(), st.data())
@MANY
def test_both_ways_say_the_same_of_rows_that_are_not_ours(
    history: list[list[Contribution]], data: st.DataObject
) -> None:
    both = Both()
    for batch in history[:-1]:
        assume(isinstance(both.fold(batch)[0], list))
    for key, row in rows_of(both).items():
        if data.draw(st.booleans()):
            both.short.rows[key] = both.long.rows[key] = data.draw(st.sampled_from(damaged(row)))
    both.fold(history[-1])


@pytest.mark.parametrize("at", range(17))
def test_a_damaged_row_is_taken_or_refused_as_ever(at: int) -> None:
    both = Both()
    both.fold([share("v", 1, sfox="7"), share("u", 1, sfox="1")])
    key = row_key(b'["asset","BTC"]', "u")
    both.short.rows[key] = both.long.rows[key] = damaged(both.long.rows[key])[at]
    both.fold([share("v", 2, sfox="8", hercle="1"), share("u", 2, sfox="3")])


def test_a_row_of_another_asset_was_never_counted_here() -> None:
    """The sum is worked out from what rows say: there is nothing of it to take out."""
    rows = {row_key(b'["asset","BTC"]', "u"): encode(share("u", 1, sfox="1", asset="ETH"))}
    assert Both(rows).fold([share("u", 2, sfox="3")])[0] is KeyError
    # Unless somebody was counted before: then it is as wrong as ever.
    assert Both(rows).fold([share("v", 1, sfox="1"), share("u", 2, sfox="3")])[2] == 0


@pytest.mark.parametrize("user", ["u", '"'])
def test_what_comes_late_is_counted_as_stale_by_both(user: str) -> None:
    both = Both()
    both.fold([share(user, 2, sfox="1")])
    assert both.fold([share(user, 1, sfox="2")]) == ([], [], 1)


def test_a_row_that_cannot_be_read_is_named() -> None:
    both = Both()
    both.fold([share("u", 1, sfox="1")])
    key = row_key(b'["asset","BTC"]', "u")
    both.short.rows[key] = both.long.rows[key] = b"nothing"
    kind, _, named = both.fold([share("u", 2, sfox="3")])
    assert (kind, named) == (RowNotRead, key)


@pytest.mark.parametrize("amount", [NINES, f"-{NINES}", f"0.{NINES}", f"-0.{NINES}"])
def test_sums_of_more_than_64_bits_are_exact(amount: str) -> None:
    both = Both()
    users = [f"u{number}" for number in range(40)]
    for version, venues in ((1, {"sfox": amount}), (2, {"sfox": "1"}), (3, {"hercle": amount})):
        batch: list[Contribution] = [share(user, version, **venues) for user in users]
        assert are_plain([value for _, value in bundles(keyed(batch))])
        both.fold(batch)
    places = len(amount.partition(".")[2])
    _, ((document, _),), _ = both.fold([share("u0", 3, hercle=amount)])
    units = json.loads(document)["total"].replace(".", "")
    assert int(units) == 40 * int(amount.replace(".", "")), places


def test_what_one_takes_out_of_a_sum_of_long_amounts_leaves_the_others() -> None:
    both = Both()
    both.fold([share(user, 1, sfox=LONG[3]) for user in "uvw"])
    both.fold([share("u", 2, sfox="1"), share("v", 2)])


def test_a_user_who_owes_at_one_venue_what_another_holds_has_nothing() -> None:
    both = Both()
    for version, (one, other) in enumerate(
        [("1.0", "-1"), ("1.0", "-1.1"), ("-0", "0"), ("0", "2"), (LONG[0], f"-{LONG[0]}")]
    ):
        _, ((document, _),), _ = both.fold([share("u", version, sfox=one, hercle=other)])
        assert json.loads(document)["users"] == (version in {1, 3})


def test_a_sum_that_cannot_be_exact_is_refused_by_both() -> None:
    far = [share("u", 1, sfox="9" * 129, hercle="0." + "0" * 126 + "1")]
    assert Both().fold(far)[0].__name__ == "Inexact"
    _, ((document, _),), _ = Both().fold([share("u", 1, sfox="-" + "9" * 129)])
    assert json.loads(document)["users"] == 1  # one amount is no sum


def test_what_our_users_are_told_of_is_plain() -> None:
    """Names of any letters, four venues, amounts of any length."""
    four = {venue: Balance("-1.5", *LONG[:2]) for venue in VENUES[:4]}
    for one in (
        share("u", 1),
        share("żółw 🐢", 2**63 - 1, sfox="0"),
        AssetContribution("é", "u", 0, "2024-03-13T22:00:25.123456789Z", four),
    ):
        assert are_plain([b"[%b,%b]" % (encode(one), encode(one))])


@pytest.mark.parametrize(
    "odd",
    [
        share('"', 1),
        share("\n", 1),
        share("u", -1),
        share("u", 2**63),
        share("u", 1, **dict.fromkeys(VENUES, "1")),
        AssetContribution("\\", "u", 1, "t", {}),
        BaseContribution("EUR", "u", 1, "t", ["1"], ["2"]),
    ],
    ids=repr,
)
def test_what_is_not_plain_goes_the_long_way_with_all_of_its_bundle(odd: Contribution) -> None:
    values = [b"[%b,%b]" % (encode(share("v", 1, sfox="1")), encode(odd))]
    assert shares_of(values) == decoded(values)
    mixed = shares_of([b"[%b]" % encode(share("v", 1)), *values])
    assert mixed is not None
    assert [isinstance(one, compiled.PlainShare) for one in mixed] == [True, False, False]


PIECES = [
    *(b'"', b"\\", b",", b":", b"{", b"}", b"[", b"]", b"null", b"-", b"0", b"9" * 131, b" ", b"."),
    *(
        b"\n",
        b"\x00",
        b"\xff",
        b"\xc3\xa9",
        b'"x":1,',
        b'"held":"1",',
        b"1.0",
        b"00",
        b'"}',
        b"},{",
    ),
    *(b'"sfox":', b'"total":"1",', b'"version":1,', b"1e5", b"..", b"-.5", b"+1"),
]
SOUND = b"[%b,%b,%b]" % tuple(
    encode(one) for one in (share("u", 1, sfox="1.5", hercle="-2"), share("v", 22), share("w", 3))
)


def is_read(bundle: bytes) -> bool:
    """Whether a bundle is read in place; if so, decoding it leads to the very same."""
    shares = compiled.read_bundle(bundle)
    if shares is None:
        return False
    found = unbundle(bundle)
    assert [(one.key, one.row, one.asset, one.version, one.time, one.data) for one in shares] == [
        (key_of(one), row_key(key_of(one), one.user), one.name, one.version, one.time, encode(one))
        for one in found
    ]
    assert b"[%b]" % b",".join(one.data for one in shares) == bundle
    return True


@given(st.data())
@MANY
def test_an_edited_bundle_is_read_as_it_would_be_decoded_or_not_at_all(data: st.DataObject) -> None:
    text = SOUND
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        length = data.draw(st.sampled_from([0, 0, 1, 2, 5]))
        text = text[:at] + data.draw(st.sampled_from(PIECES)) + text[at + length :]
    assert is_read(text) >= (text == SOUND)
    try:
        found = unbundle(text)
    except NotADocument:
        found = None
    shares = shares_of([text])
    assert (shares is None) == (found is None)


@pytest.mark.parametrize("name", [b'"BTC"', b'"u"', b'"t"', b'"sfox"'])
def test_names_that_are_no_text_are_not_read(name: bytes) -> None:
    assert SOUND.count(name) >= 1
    assert not is_read(SOUND.replace(name, name[:-1] + b'\xff"', 1))
    assert is_read(SOUND.replace(name, name[:-1] + b'\xc3\xa9"', 1))


def test_a_venue_that_stands_twice_is_not_read() -> None:
    assert not is_read(SOUND.replace(b'"hercle"', b'"sfox"'))


@given(AMOUNTS | st.text("0123456789.-+e", max_size=140))
@example("9" * 130)
@example("9" * 131)
@example("1." + "0" * 128)
@example("1." + "0" * 129)
@example("\u0661")
@example("1.")
@example(".5")
@example("-")
@example("")
@example("1.2.3")
@example("1..2")
@example("--1")
@example("1-")
@MANY
def test_an_amount_is_read_as_it_would_be_decoded_or_not_at_all(amount: str) -> None:
    bundle = b"[%b]" % encode(share("u", 1, sfox=amount))
    try:
        unbundle(bundle)
    except NotADocument:
        assert not is_read(bundle)
        assert shares_of([bundle]) is None
    else:
        assert is_read(bundle)


def test_no_reader_looks_beyond_the_end() -> None:
    """Every beginning of a bundle, in memory of its own, and the same of a row."""
    (new,) = compiled.read_bundle(b"[%b]" % encode(share("u", 2))) or ()
    row = encode(share("u", 1, sfox="1.5", hercle="-2"))
    assert compiled.Moved().exchange(new, row) is True
    for size in range(len(SOUND)):
        assert compiled.read_bundle(bytes(bytearray(SOUND[:size]))) is None
    for size in range(len(row)):
        assert compiled.Moved().exchange(new, bytes(bytearray(row[:size]))) is None


def test_a_share_is_read_and_not_made() -> None:
    with pytest.raises(TypeError):
        compiled.PlainShare()
