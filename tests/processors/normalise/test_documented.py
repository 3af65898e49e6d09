"""The frames that the venues document give exactly the contract's example documents."""

import json

import pytest
from jsonschema import ValidationError

from processors.normalise import NORMALISERS, RawFrame
from schemas.codec import encode
from schemas.documents import Source
from schemas.headers import Receipt
from tests.data import contract_snapshot, documented_frame
from tests.processors.normalise.frames import ASSET, ASSETS, RECEIVED, VENUES, body
from tests.schemas.validation import assert_valid

SHOWN = {"sfox": "BTC", "hercle": "USDT"}
RECEIPTS = {"sfox": 3, "hercle": 1}
THE_OTHERS = {
    "sfox": {
        "ETH": ("0.01826367", "0.01826367", "0"),
        "USD": ("100035.33054742", "100035.33054742", "0"),
    },
    "hercle": {"BTC": ("0.5", "0.5", "0"), "ETH": ("5", "5", "0")},
}


def document(venue: str, data: bytes) -> dict:
    source = Source(**contract_snapshot(venue)["source"])
    receipt = Receipt(1710367000000000000, RECEIPTS[venue], RECEIVED)
    encoded = encode(NORMALISERS[venue](RawFrame(data, receipt, source)))
    assert_valid("balances.v1", encoded)
    return json.loads(encoded)


@pytest.mark.parametrize("venue", VENUES)
def test_the_documented_frame_gives_the_contracts_document(venue: str) -> None:
    """The contract shows one asset of the frame; all else is equal, field by field, in order."""
    made, expected = document(venue, documented_frame(venue)), contract_snapshot(venue)
    others = {asset: made["assets"].pop(asset) for asset in list(made["assets"])}
    made["assets"] = {SHOWN[venue]: others.pop(SHOWN[venue])}
    assert json.dumps(made) == json.dumps(expected)
    assert {
        asset: (balance["total"], balance["available"], balance["held"])
        for asset, balance in others.items()
    } == THE_OTHERS[venue]


@pytest.mark.parametrize("venue", VENUES)
def test_a_frame_of_the_shown_asset_alone_gives_the_contracts_bytes(venue: str) -> None:
    frame = json.loads(documented_frame(venue))
    inner = body(venue, frame)
    inner[ASSETS[venue]] = [
        item for item in inner[ASSETS[venue]] if item[ASSET[venue]].upper() == SHOWN[venue]
    ]
    expected = json.dumps(contract_snapshot(venue), separators=(",", ":"))
    assert json.dumps(document(venue, json.dumps(frame).encode()), separators=(",", ":")) == (
        expected
    )


@pytest.mark.parametrize("venue", VENUES)
def test_the_schema_refuses_what_the_contract_does_not_say(venue: str) -> None:
    """So that a document that validates says something."""
    for change in (
        {"sequence": "22"},
        {"received_time": "2024-03-13T22:00:25Z"},
        {"assets": {"BTC": {"total": 1}}},
        {"deleted": None},
    ):
        with pytest.raises(ValidationError):
            assert_valid("balances.v1", {**contract_snapshot(venue), **change})
    without = contract_snapshot(venue)
    del without["user"]
    with pytest.raises(ValidationError):
        assert_valid("balances.v1", without)
    assert_valid("balances.v1", {**contract_snapshot(venue), "a_later_field": 1})
