"""An entry of another kind in a frame of sFOX makes its asset unknown, and not its user."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from tests.processors.normalise.frames import accepted, assets, embed, reason, sound
from tests.processors.normalise.test_properties import names, sfox_frames
from tests.schemas.strategies import PROPERTY

WEB3 = {"currency": "sol", "balance": "5", "address": "x", "network": "solana", "type": "web3"}


def frame_with(*entries: dict[str, Any]) -> dict[str, Any]:
    return sound("sfox", lambda frame: assets("sfox", frame).extend(entries))


@pytest.mark.parametrize("field", ["address", "network", "type"])
@pytest.mark.parametrize("as_text", [False, True], ids=["object", "text"])
def test_an_entry_of_the_web3_kind_is_told_of_as_unknown(field: str, *, as_text: bool) -> None:
    entry = {"currency": "sol", field: None}
    frame = frame_with(entry)
    found = accepted("sfox", embed("sfox", frame) if as_text else frame)
    assert found.unknown == ("SOL",)
    assert list(found.assets) == ["BTC", "ETH"]
    assert json.loads(encode(found))["unknown"] == ["SOL"]


def test_what_is_told_of_ordinarily_too_is_both_known_and_unknown() -> None:
    other = {**WEB3, "network": "another"}
    found = accepted("sfox", frame_with({**WEB3, "currency": "btc"}, WEB3, other))
    assert found.unknown == ("BTC", "SOL")
    assert found.assets["BTC"].total == "9.99850081"
    assert "SOL" not in found.assets


def test_a_document_without_unknown_assets_is_what_it_was() -> None:
    assert b"unknown" not in encode(accepted("sfox", frame_with()))


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({**WEB3, "available": "1"}, "missing_field"),
        ({**WEB3, "held": "0"}, "missing_field"),
        ({**WEB3, "available": None}, "missing_field"),
        ({"currency": "sol", "balance": "5"}, "missing_field"),
        ({name: value for name, value in WEB3.items() if name != "currency"}, "missing_field"),
        ({**WEB3, "currency": 7}, "missing_field"),
        ({**WEB3, "currency": None}, "missing_field"),
        ({"currency": "sol", "balance": "5", "available": "5", "held": 0}, "wrong_type"),
        (
            {"currency": "s", "balance": "5", "available": "5", "held": "0", "a_wallet": None},
            "wrong_type",
        ),
        ({"currency": "btc", "balance": "5", "available": "5", "held": "0"}, "duplicate_asset"),
    ],
    ids=str,
)
def test_what_was_refused_is_refused_for_the_same_reason(entry: dict[str, Any], why: str) -> None:
    assert reason("sfox", frame_with(entry)) == why


@given(frame=sfox_frames(), others=st.lists(names, max_size=3), data=st.data())
@PROPERTY
def test_the_rest_of_a_frame_is_read_as_if_such_entries_were_not_there(
    frame: dict[str, Any], others: list[str], data: st.DataObject
) -> None:
    without = accepted("sfox", json.dumps(frame))
    updates = frame["payload"]["updates"]
    for name in others:
        updates.insert(data.draw(st.integers(0, len(updates))), {**WEB3, "currency": name})
    found = accepted("sfox", json.dumps(frame))
    assert found.unknown == tuple(sorted({name.upper() for name in others}))
    assert list(found.assets.items()) == list(without.assets.items())
