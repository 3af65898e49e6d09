"""Any bytes have an outcome, the same each time; any sound frame keeps its digits."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.normalise import NORMALISERS
from schemas.codec import decode, encode
from schemas.documents import AccountExposure, BalanceSnapshot, Exposure
from schemas.rejections import Rejected
from tests.processors.normalise.frames import (
    VENUES,
    accepted,
    embed,
    literal,
    normalise,
    sound,
    text_of,
)
from tests.schemas.strategies import INTEGERS_64, MANY, PROPERTY, amounts, digits
from tests.schemas.test_amounts import scaled

each_venue = pytest.mark.parametrize("venue", VENUES)

# A JSON number has no zeros in front.
numbers = st.builds(
    lambda sign, whole, fraction: sign + (whole.lstrip("0") or "0") + fraction,
    st.sampled_from(["", "-"]),
    digits(1, 38),
    st.just("") | digits(1, 38).map(".".__add__),
)
accounts = st.text(min_size=1, max_size=256)
names = st.text(max_size=8)
asset_names = st.lists(names, max_size=4, unique_by=str.upper)
unknown_or_number = st.none() | numbers


@st.composite
def sfox_frames(draw: st.DrawFn) -> dict[str, Any]:
    """Well-formed frames of sFOX."""
    wallets = st.dictionaries(names.map(lambda name: f"{name}_wallet"), amounts(), max_size=3)
    updates = [
        {
            "currency": name,
            "balance": draw(amounts()),
            "available": draw(amounts()),
            "held": draw(amounts()),
            **draw(wallets),
        }
        for name in draw(asset_names)
    ]
    frame = sound("sfox")
    frame["sequence"] = draw(INTEGERS_64)
    frame["payload"] = {"user_id": draw(accounts), "updates": updates}
    return frame


@st.composite
def hercle_frames(draw: st.DrawFn) -> dict[str, Any]:
    """Well-formed frames of Hercle; amounts are plain texts, to be written as numbers."""
    frame = sound("hercle")
    frame["arguments"][0]["data"] = {
        "userId": draw(accounts),
        "sequence": draw(INTEGERS_64),
        "assets": [
            {
                "name": name,
                "available": draw(numbers),
                "allocated": draw(numbers),
                "currentExposure": draw(unknown_or_number),
                "maxExposure": draw(unknown_or_number),
            }
            for name in draw(asset_names)
        ],
        "baseCurrency": draw(st.none() | names),
        "totalCurrentExposure": draw(unknown_or_number),
        "totalMaxExposure": draw(unknown_or_number),
        "deleted": draw(st.booleans()),
    }
    return frame


HERCLE_NUMBERS = (
    "available",
    "allocated",
    "currentExposure",
    "maxExposure",
    "totalCurrentExposure",
    "totalMaxExposure",
)


def hercle_text(frame: dict[str, Any]) -> str:
    """The frame's JSON text, its amounts as JSON numbers, digit by digit."""

    def numbered(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: numbered(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [numbered(item) for item in value]
        return literal(value) if name in HERCLE_NUMBERS and value is not None else value

    return text_of(numbered(frame))


FRAMES = {"sfox": sfox_frames().map(json.dumps), "hercle": hercle_frames().map(hercle_text)}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def broken_frames(draw: st.DrawFn, venue: str) -> bytes:
    """Sound frames with any part replaced by any JSON, or with some bytes changed."""
    frame = json.loads(text_of(sound(venue)))
    for _ in range(draw(st.integers(1, 3))):
        place = frame
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and draw(st.integers(0, 4)):
                place = place[key]
                continue
            if draw(st.booleans()) and isinstance(place, dict):
                del place[key]
            else:
                place[key] = draw(json_values)
            break
    data = bytearray(json.dumps(frame).encode())
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


def assert_an_outcome(venue: str, data: bytes) -> None:
    outcome = normalise(venue, data)
    if isinstance(outcome, Rejected):
        outcome.detail.encode()
        return
    assert decode(encode(outcome), BalanceSnapshot) == outcome
    outcome.user.encode()


@each_venue
@given(data=st.binary() | json_values.map(json.dumps).map(str.encode))
@MANY
def test_any_bytes_have_an_outcome(venue: str, data: bytes) -> None:
    """A snapshot that can be written, or a reason; never an exception."""
    assert_an_outcome(venue, data)


@each_venue
@given(data=st.data())
@MANY
def test_any_broken_frame_has_an_outcome(venue: str, data: st.DataObject) -> None:
    assert_an_outcome(venue, data.draw(broken_frames(venue)))


@given(frame=sfox_frames(), as_text=st.booleans())
@PROPERTY
def test_every_digit_and_name_of_an_sfox_frame_is_in_its_snapshot(
    frame: dict[str, Any], *, as_text: bool
) -> None:
    payload = frame["payload"]
    snapshot = accepted("sfox", json.dumps(embed("sfox", frame) if as_text else frame))
    assert snapshot.account == payload["user_id"]
    assert snapshot.sequence == frame["sequence"]
    assert snapshot.exposure is None
    assert list(snapshot.assets) == [update["currency"].upper() for update in payload["updates"]]
    for balance, update in zip(snapshot.assets.values(), payload["updates"], strict=True):
        fields = dict(update)
        assert balance.total == fields.pop("balance")
        assert balance.available == fields.pop("available")
        assert balance.held == fields.pop("held")
        del fields["currency"]
        assert {f"{name}_wallet": amount for name, amount in balance.wallets.items()} == fields


@given(frame=hercle_frames())
@PROPERTY
def test_every_digit_and_name_of_a_hercle_frame_is_in_its_snapshot(frame: dict[str, Any]) -> None:
    data = frame["arguments"][0]["data"]
    snapshot = accepted("hercle", hercle_text(frame))
    assert (snapshot.account, snapshot.sequence) == (data["userId"], data["sequence"])
    assert snapshot.deleted is data["deleted"]
    assert list(snapshot.assets) == [item["name"].upper() for item in data["assets"]]
    for balance, item in zip(snapshot.assets.values(), data["assets"], strict=True):
        assert (balance.available, balance.held) == (item["available"], item["allocated"])
        assert scaled(balance.total) == scaled(item["available"]) + scaled(item["allocated"])
        known = item["currentExposure"], item["maxExposure"]
        assert balance.exposure == (None if known == (None, None) else Exposure(*known))
    base = data["baseCurrency"]
    totals = (
        base if base is None else base.upper(),
        data["totalCurrentExposure"],
        data["totalMaxExposure"],
    )
    expected = None if totals == (None, None, None) else AccountExposure(*totals)
    assert snapshot.exposure == expected


@each_venue
@given(data=st.data())
@PROPERTY
def test_neighbours_do_not_matter(venue: str, data: st.DataObject) -> None:
    """Read in any order, among bad ones, twice: a frame gives the same document."""
    frames = data.draw(
        st.lists(FRAMES[venue].map(str.encode) | broken_frames(venue) | st.binary(), max_size=4)
    )
    alone = {frame: normalise(venue, frame) for frame in frames}
    for frame in data.draw(st.permutations(frames * 2)):
        again = normalise(venue, frame)
        assert again == alone[frame]
        if isinstance(again, BalanceSnapshot):
            assert encode(again) == encode(alone[frame])


def test_each_venue_has_its_normaliser() -> None:
    assert set(NORMALISERS) == set(VENUES)
