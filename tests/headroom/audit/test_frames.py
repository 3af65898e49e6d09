"""The audit's own reading of frames, held against the contract's sentences."""

import pytest

from headroom.audit.frames import belongs_in_raw, read_parts
from tests.headroom.audit.frames import EUR, USDT, hercle, several, sfox, web3


def read_frame(venue, frame):
    (reading,) = read_parts(venue, frame)
    return reading


def reason(venue, frame):
    return read_frame(venue, frame).reason


def test_a_sound_sfox_frame_keeps_its_digits():
    snapshot = read_frame("sfox", sfox(updates={"btc": "1.10", "eth": "-0.00"})).snapshot
    assert snapshot["assets"]["BTC"]["total"] == "1.10"
    assert snapshot["assets"]["ETH"]["total"] == "-0.00"
    assert snapshot["venue_time"] == "2024-03-13T22:00:25.302228171Z"


def test_hercles_totals_are_added_and_unknown_exposures_are_null():
    snapshot = read_frame("hercle", hercle(assets=f"{USDT},{EUR}", base="null")).snapshot
    assert snapshot["assets"]["USDT"]["total"] == "1250"
    assert snapshot["assets"]["EUR"]["total"] == "2.50"
    assert snapshot["assets"]["EUR"]["exposure"] == {"current": None, "max": None}
    assert snapshot["exposure"] == {"base_currency": None, "current": "1430", "max": "1500"}


def test_each_account_of_a_list_is_read_for_itself():
    bad = hercle("b", assets=USDT.replace("1000", "true"))
    found = read_parts("hercle", several(hercle("a"), bad, hercle("d"), hercle("c"), hercle("d")))
    wrong = "wrong_type"
    assert [one.reason for one in found] == [None, wrong, wrong, None, wrong]
    assert [one.account for one in found] == ["a", "", "", "c", ""]


def test_an_entry_of_another_kind_makes_its_asset_unknown():
    snapshot = read_frame("sfox", web3()).snapshot
    assert (list(snapshot["assets"]), snapshot["unknown"]) == (["BTC"], ["SOL"])
    assert "unknown" not in read_frame("sfox", sfox()).snapshot
    ordinary = web3().replace(b'"network"', b'"held"')
    assert reason("sfox", ordinary) == "missing_field"


DEEP = "[" * 65
SOUND = sfox().decode()


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b"x" * (1024 * 1024 + 1), "too_large"),
        (b"\xff{", "not_utf8"),
        (DEEP.encode(), "too_deep"),
        (b'{"a":"' + DEEP.encode(), "not_json"),
        (b"[" * 3000, "too_deep"),
        (b"", "not_json"),
        (SOUND[:-1].encode(), "not_json"),
        (SOUND.replace(": 22,", ": NaN,").encode(), "not_json"),
        (SOUND.replace("test3", "\\ud800").encode(), "not_json"),
        (b'[{"a":1,"a":2}', "not_json"),
        (SOUND.replace('"sequence"', '"sequence": 1, "sequence"').encode(), "duplicate_key"),
        (b"[]", "unknown_message"),
        (b'{"hello": "world"}', "unknown_message"),
        (sfox(recipient="other"), "unknown_message"),
        (SOUND.replace('"sequence"', '"sequenz"').encode(), "missing_field"),
        (SOUND.replace('"held"', '"hold"').replace(": 22,", ": null,").encode(), "missing_field"),
        (sfox(payload=None), "wrong_type"),
        (sfox(payload="[]"), "wrong_type"),
        (sfox(payload="{"), "not_json"),
        (sfox(payload='{"user_id":"a","user_id":"a","updates":[]}'), "duplicate_key"),
        (sfox(account=""), "wrong_type"),
        (sfox(account="x" * 1025), "wrong_type"),
        (SOUND.replace('"1.10"', "1.10").encode(), "wrong_type"),
        (SOUND.replace(": 22,", ": 22.0,").encode(), "wrong_type"),
        (sfox(updates={"btc": "1e4"}), "amount"),
        (sfox(updates={"btc": "1."}), "amount"),
        (sfox(updates={"btc": "1", "BTC": "1"}), "duplicate_asset"),
        (sfox(updates={"btc": "x", "BTC": "1"}), "amount"),
    ],
)
def test_the_first_reason_in_the_contracts_order_wins(frame, expected):
    assert reason("sfox", frame) == expected


@pytest.mark.parametrize("text", ["NaN", "1e400", "1_000", " 1", "+1", "1.", "", "٣", "1" * 39])
def test_what_is_no_amount_is_refused(text):
    assert reason("sfox", sfox(updates={"btc": text})) == "amount"


@pytest.mark.parametrize(
    ("literal", "plain"),
    [
        ("1e3", "1000"),
        ("1.50e1", "15.0"),
        ("1.5E-3", "0.0015"),
        ("-0", "-0"),
        ("-0.00", "-0.00"),
        ("1e00000001", "10"),
        ("0e400", "0"),
        ("1e37", "1" + "0" * 37),
        ("0.0001e41", "1" + "0" * 37),
    ],
)
def test_a_number_of_hercles_is_written_plainly(literal, plain):
    asset = f'{{"name":"a","available":{literal},"allocated":0}}'
    assert read_frame("hercle", hercle(assets=asset)).snapshot["assets"]["A"]["available"] == plain


@pytest.mark.parametrize("literal", ["1e38", "1e-39", "1e400", "1e-999999999", "0e-39", "1" * 39])
def test_a_number_of_hercles_beyond_the_bounds_is_refused(literal):
    asset = f'{{"name":"a","available":{literal},"allocated":0}}'
    assert reason("hercle", hercle(assets=asset)) == "amount"


@pytest.mark.parametrize("replacement", ['"1000"', "null", "true"])
def test_hercles_amounts_are_numbers(replacement):
    assert reason("hercle", hercle(assets=USDT.replace("1000", replacement))) == "wrong_type"


def test_what_goes_to_raw_is_all_that_cannot_be_told_to_be_something_else():
    for frame in (sfox(), b"{", b"\xff", b"[]", b'{"a":1}', b'{"type":1,"type":2}'):
        assert belongs_in_raw("sfox", frame)
    for frame in (b'{"type":"success"}', sfox(recipient="other"), b"x" * (16 * 1024 * 1024 + 1)):
        assert not belongs_in_raw("sfox", frame)
    for frame in (hercle(), b"{", b'{"type":1,"target":"executionEvents","arguments":[]}'):
        assert belongs_in_raw("hercle", frame)
    for frame in (b'{"type":6}', hercle().replace(b"balances", b"orders")):
        assert not belongs_in_raw("hercle", frame)
