"""The bytes that are marked are those that became the amount, however a venue spells its JSON."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headroom.look.explain.marks import Mark, agree, marks
from processors.normalise import NORMALISERS, RawFrame
from schemas.documents import BalanceSnapshot, Source
from schemas.headers import Receipt
from tests.data import documented_frame
from tests.schemas.strategies import amounts

RECEIPT = Receipt(1, 1, "2024-03-13T22:00:25.310000000Z")
NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6)
SPACE = st.sampled_from(["", " ", "\n\t", "  "])
FEED = {"sfox": "private.enterprise.users.balances", "hercle": "account.balances.snapshot"}


class Number(str):
    """A JSON number, spelled as it is."""

    __slots__ = ()


def spelled(draw: Any, value: Any) -> str:
    """A JSON text of the value: any spaces, any letter behind an escape."""
    match value:
        case Number():
            return str(value)
        case str():
            return '"' + "".join(_letter(draw, one) for one in value) + '"'
        case dict():
            pairs = [
                f"{spelled(draw, k)}{draw(SPACE)}:{draw(SPACE)}{spelled(draw, v)}"
                for k, v in value.items()
            ]
            return (
                "{" + draw(SPACE) + f"{draw(SPACE)},{draw(SPACE)}".join(pairs) + draw(SPACE) + "}"
            )
        case list():
            return (
                "["
                + f"{draw(SPACE)},{draw(SPACE)}".join(spelled(draw, v) for v in value)
                + draw(SPACE)
                + "]"
            )
        case _:
            return json.dumps(value)


def _letter(draw: Any, letter: str) -> str:
    plain = json.dumps(letter, ensure_ascii=False)[1:-1]
    if not draw(st.integers(0, 7)):
        return json.dumps(letter)[1:-1] if ord(letter) > 127 else f"\\u{ord(letter):04X}"
    return plain


@st.composite
def numbers(draw: Any) -> Number:
    """An amount as a JSON number, also with an exponent."""
    plain = draw(amounts(whole=12, fraction=12))
    whole = plain.lstrip("-").partition(".")[0]
    sound = (
        plain
        if whole == "0" or not whole.startswith("0")
        else plain.replace(whole, whole.lstrip("0") or "0", 1)
    )
    return Number(sound + draw(st.sampled_from(["", "", "e0", "E+2", "e-3", "E05"])))


@st.composite
def frames(draw: Any) -> tuple[str, bytes, str, str]:
    """A venue, a sound frame of it, and an account and an asset that it tells of."""
    venue = draw(st.sampled_from(["sfox", "hercle"]))
    asset, other = draw(st.lists(NAMES, min_size=2, max_size=2, unique_by=lambda n: n.upper()))
    account = draw(NAMES)
    more = draw(st.sampled_from([{}, {"note": '{"available": 5}]'}, {"x": [[], {"held": "1"}]}]))
    if venue == "sfox":
        keys = [
            "balance",
            "available",
            "held",
            *draw(st.sets(st.sampled_from(["trading_wallet", "new_wallet"]))),
        ]
        entries = [
            {"currency": n, **{k: draw(amounts(whole=9, fraction=9)) for k in keys}, **more}
            for n in (other, asset)
        ]
        kind = {"currency": asset, "balance": "1", "network": "x"}
        payload: Any = {
            "user_id": account,
            "updates": [*entries, *draw(st.sampled_from([[], [kind]]))],
        }
        if draw(st.booleans()):
            payload = spelled(draw, payload)
        frame: Any = {"sequence": 5, "recipient": FEED[venue], "payload": payload, **more}
    else:
        keys = [
            "available",
            "allocated",
            *draw(st.sets(st.sampled_from(["currentExposure", "maxExposure"]))),
        ]
        items = [{"name": n, **more, **{k: draw(numbers()) for k in keys}} for n in (asset, other)]
        data: Any = {"userId": account, "sequence": 5, "assets": items, "deleted": False, **more}
        if draw(st.booleans()):
            data = [{**data, "userId": account + "2"}, data]
        if draw(st.booleans()):
            data = spelled(draw, data)
        event = {"subject": FEED[venue], "data": data, **more}
        strange = {"subject": "account.orders.snapshot", "data": "nonsense"}
        frame = {"type": 1, "target": "executionEvents", "arguments": [strange, event, 5]}
    return venue, spelled(draw, frame).encode(), account, asset.upper()


def told(venue: str, frame: bytes, account: str) -> BalanceSnapshot:
    found = NORMALISERS[venue](RawFrame(frame, RECEIPT, Source("raw", 0, 0)))
    for one in found if isinstance(found, tuple) else (found,):
        if isinstance(one, BalanceSnapshot) and one.account == account:
            return one
    raise AssertionError(found)


def flat(snapshot: BalanceSnapshot) -> dict[str, Any]:
    """Every amount of every asset by its path."""
    found: dict[str, Any] = {}
    for asset, balance in msgspec.to_builtins(snapshot)["assets"].items():
        for name, value in balance.items():
            inner = value if isinstance(value, dict) else {"": value}
            found |= {f"{asset}/{name}.{key}".rstrip("."): one for key, one in inner.items()}
    return found


@settings(max_examples=50, deadline=None)
@given(frames(), st.data())
def test_other_bytes_in_the_place_change_that_amount_and_nothing_else(
    made: tuple[str, bytes, str, str], data: st.DataObject
) -> None:
    venue, frame, account, asset = made
    before = told(venue, frame, account)
    found = marks(venue, frame, account, asset)
    assert found, frame
    assert agree(found, before.assets[asset])
    one = data.draw(st.sampled_from(found))
    assert frame[one.begin : one.end].decode() == one.literal
    changed = frame[: one.begin] + b"31337.125" + frame[one.end :]
    after = flat(told(venue, changed, account))
    differing = {path for path, value in flat(before).items() if after[path] != value}
    sums = {f"{asset}/total"} if venue == "hercle" else set()
    assert differing - sums == {f"{asset}/{one.told}"}
    assert after[f"{asset}/{one.told}"] == "31337.125"


@pytest.mark.parametrize(
    ("venue", "account", "asset", "literals"),
    [
        (
            "hercle",
            "user-123",
            "USDT",
            {
                "available": "1000",
                "allocated": "250",
                "currentExposure": "0",
                "maxExposure": "1500",
            },
        ),
        ("sfox", "test3", "BTC", {"balance": "9.99850081", "held": "0"}),
    ],
)
def test_the_venues_own_examples(
    venue: str, account: str, asset: str, literals: dict[str, str]
) -> None:
    found = marks(venue, documented_frame(venue), account, asset)
    assert found is not None
    shown = {one.name: one.literal for one in found}
    assert literals.items() <= shown.items()


def test_an_exponent_and_an_escape_are_shown_as_they_stand() -> None:
    frame = documented_frame("hercle").replace(b'"available": 1000', b'"avail\\u0061ble": 0.1E4')
    found = {one.told: one for one in marks("hercle", frame, "user-123", "USDT") or []}
    at = frame.index(b"0.1E4")
    assert found["available"] == Mark("available", "available", at, at + 5, "0.1E4", "1000")


def test_a_key_that_stands_twice_and_a_venue_that_nobody_knows_are_not_marked() -> None:
    frame = documented_frame("hercle").replace(
        b'"available": 1000', b'"available": 1, "available": 1000'
    )
    assert marks("hercle", frame, "user-123", "USDT") is None
    frame = documented_frame("sfox").replace(b'"held"', b'"held": "7", "h\\u0065ld"', 1)
    assert marks("sfox", frame, "test3", "BTC") is None
    assert marks("kraken", frame, "test3", "BTC") is None
    assert marks("sfox", b"\xff{", "test3", "BTC") is None
    assert marks("sfox", b"{}", "test3", "BTC") == []


def test_other_amounts_than_the_snapshots_do_not_agree() -> None:
    frame = documented_frame("sfox")
    balance = told("sfox", frame, "test3").assets["BTC"]
    found = marks("sfox", frame, "test3", "BTC") or []
    assert agree(found, balance)
    assert not agree(found, msgspec.structs.replace(balance, held="1"))
    assert not agree(found[1:], msgspec.structs.replace(balance, wallets={}))
