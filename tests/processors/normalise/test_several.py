"""One message of Hercle that tells of several accounts: each is read as if it had come alone."""

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.normalise import NORMALISERS, Part, RawFrame, of_accounts, tell
from schemas.codec import Told, decode_snapshot, encode
from schemas.documents import BalanceSnapshot
from schemas.rejections import Rejected
from tests.processors.normalise.frames import (
    EPOCH,
    RECEIPT,
    RECEIVED,
    SOURCES,
    Fields,
    body,
    literal,
    normalise,
    sound,
    text_of,
)
from tests.processors.normalise.test_properties import hercle_frames, hercle_text
from tests.schemas.strategies import PROPERTY

Outcome = BalanceSnapshot | Rejected

AS_LIST, AS_TEXT, AS_ARGUMENTS = "a list", "a text of a list", "arguments"
WAYS = (AS_LIST, AS_TEXT, AS_ARGUMENTS)
each_way = pytest.mark.parametrize("way", WAYS)


def account(name: str, **changes: Any) -> Fields:
    """A sound account's `data`."""
    return {**copy.deepcopy(body("hercle", sound("hercle"))), "userId": name, **changes}


def message(way: str, *accounts: Any) -> Fields:
    """A message of these accounts' `data`."""
    frame = sound("hercle")
    event = frame["arguments"][0]
    if way == AS_ARGUMENTS:
        frame["arguments"] = [{**event, "data": one} for one in accounts]
    else:
        event["data"] = list(accounts) if way == AS_LIST else text_of(list(accounts))
    return frame


def outcomes(frame: Fields | str) -> list[Outcome]:
    """What becomes of the accounts of a message."""
    data = (text_of(frame) if isinstance(frame, dict) else frame).encode()
    found = NORMALISERS["hercle"](RawFrame(data, RECEIPT, SOURCES["hercle"]))
    return list(found) if isinstance(found, tuple) else [found]


def alone(data: Any) -> Outcome:
    frame = sound("hercle")
    frame["arguments"][0]["data"] = data
    return normalise("hercle", frame)


def reasons(found: list[Outcome]) -> list[str | None]:
    return [one.reason.value if isinstance(one, Rejected) else None for one in found]


def places(found: list[Outcome]) -> list[str]:
    return [one.detail for one in found if isinstance(one, Rejected)]


def names(found: list[Outcome]) -> list[str | None]:
    return [one.account for one in found]


@each_way
def test_each_account_is_a_snapshot_of_its_own_in_the_messages_order(way: str) -> None:
    given_ = [account("b"), account("a", sequence=7), account("c", assets=[])]
    found = outcomes(message(way, *given_))
    assert names(found) == ["b", "a", "c"]
    assert found == [alone(one) for one in given_]


@each_way
def test_one_account_is_told_as_if_it_were_no_list(way: str) -> None:
    found = NORMALISERS["hercle"](
        RawFrame(text_of(message(way, account("a"))).encode(), RECEIPT, SOURCES["hercle"])
    )
    assert found == alone(account("a"))


def test_lists_and_texts_and_arguments_may_be_mixed() -> None:
    frame = message(AS_ARGUMENTS, account("a"), [account("b"), account("c")])
    frame["arguments"] += [
        {"subject": "account.orders.snapshot", "data": account("no")},
        "a text",
        {**frame["arguments"][0], "data": text_of(account("d"))},
    ]
    assert names(outcomes(frame)) == ["a", "b", "c", "d"]
    # Whichever argument it is that carries balances.
    frame["arguments"].reverse()
    assert names(outcomes(frame)) == ["d", "b", "c", "a"]


BAD = {
    "a field is missing": (
        {name: value for name, value in account("x").items() if name != "sequence"},
        "missing_field",
        ".sequence",
    ),
    "a flag is null": (account("x", deleted=None), "wrong_type", ".deleted"),
    "an amount is none": (
        account("x", totalMaxExposure=literal("1e77")),
        "amount",
        ".totalMaxExposure",
    ),
    "an asset stands twice": (
        account("x", assets=account("x")["assets"] * 2),
        "duplicate_asset",
        ".assets[2].name",
    ),
}


@each_way
@pytest.mark.parametrize(("bad", "why", "place"), BAD.values(), ids=BAD)
def test_one_that_cannot_be_read_does_not_take_its_neighbours_along(
    way: str, bad: Fields, why: str, place: str
) -> None:
    found = outcomes(message(way, account("a"), bad, account("c")))
    assert reasons(found) == [None, why, None]
    assert names(found) == ["a", "x", "c"]
    where = "arguments[1].data" if way == AS_ARGUMENTS else "data[1]"
    assert places(found) == [where + place]


@pytest.mark.parametrize("way", [AS_LIST, AS_TEXT])
@pytest.mark.parametrize("bad", [None, 1, "x", True, [], [account("x")]], ids=str)
def test_what_is_no_object_in_a_list_is_of_the_wrong_type(way: str, bad: Any) -> None:
    found = outcomes(message(way, bad, account("a")))
    assert (reasons(found), places(found)) == (["wrong_type", None], ["data[0]"])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "wrong_type"),
        (3, "wrong_type"),
        ("{", "not_json"),
        ("[" * 65, "too_deep"),
        ('{"x": 1, "x": 1}', "duplicate_key"),
        ("null", "wrong_type"),
    ],
)
def test_an_argument_that_cannot_be_read_leaves_the_others_alone(data: Any, why: str) -> None:
    assert reasons(outcomes(message(AS_ARGUMENTS, account("a"), data))) == [None, why]
    missing = message(AS_ARGUMENTS, account("a"), 0)
    del missing["arguments"][1]["data"]
    assert reasons(outcomes(missing)) == [None, "missing_field"]
    assert places(outcomes(missing)) == ["arguments[1].data"]


@each_way
def test_an_account_that_stands_twice_is_not_told(way: str) -> None:
    """Nobody knows which of them counts: the account is in doubt, and its neighbours are not."""
    found = outcomes(message(way, account("a"), account("b"), account("a", sequence=200)))
    assert reasons(found) == ["wrong_type", None, "wrong_type"]
    assert names(found) == ["a", "b", "a"]
    first, last = ("data", "arguments[2].data") if way == AS_ARGUMENTS else ("data[0]", "data[2]")
    assert places(found) == [f"{where}.userId stands twice" for where in (first, last)]
    # Also where the first one could not be read.
    found = outcomes(message(way, account("a", deleted=None), account("a")))
    assert reasons(found) == ["wrong_type", "wrong_type"]


@pytest.mark.parametrize("way", [AS_LIST, AS_TEXT])
def test_a_list_of_nobody_is_one_outcome(way: str) -> None:
    assert reasons(outcomes(message(way))) == ["wrong_type"]
    frame = message(AS_ARGUMENTS, account("a"), [])
    assert names(outcomes(frame)) == ["a"]


@each_way
def test_a_key_that_stands_twice_in_an_account_spoils_that_one(way: str) -> None:
    text = text_of(message(way, account("a"), account("b", HERE=1), account("c")))
    mark, twice = (
        ('\\"HERE\\": 1', '\\"k\\": 1, \\"k\\": 2')
        if way == AS_TEXT
        else (
            '"HERE": 1',
            '"k": {"k": 1, "k": 2}',
        )
    )
    found = outcomes(text.replace(mark, twice))
    assert reasons(found) == [None, "duplicate_key", None]
    assert names(found) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "place", ['"type": 1', '"subject": "account.balances.snapshot"', '"clientId": "my-client-123"']
)
def test_a_key_that_stands_twice_around_the_accounts_spoils_the_message(place: str) -> None:
    for way in WAYS:
        text = text_of(message(way, account("a"), account("b")))
        found = outcomes(text.replace(place, f'{place}, "x": 1, "x": 1'))
        assert (reasons(found), names(found)) == (["duplicate_key"], [None])
    # Whose the frame is can be told where it is of one account.
    text = text_of(message(AS_LIST, account("a"))).replace(place, f'{place}, "x": 1, "x": 1')
    assert [(one.reason.value, one.account) for one in outcomes(text)] == [("duplicate_key", "a")]  # type: ignore[union-attr]


@given(data=st.data(), way=st.sampled_from(WAYS))
@PROPERTY
def test_the_outcomes_of_a_message_are_those_of_each_account_alone(
    data: st.DataObject, way: str
) -> None:
    frames = data.draw(
        st.lists(
            hercle_frames(),
            min_size=2,
            max_size=4,
            unique_by=lambda frame: frame["arguments"][0]["data"]["userId"],
        )
    )
    given_ = []
    for frame in frames:
        one = json.loads(hercle_text(frame), parse_int=_literal, parse_float=_literal)
        told = one["arguments"][0]["data"]
        for name in data.draw(st.lists(st.sampled_from(sorted(told)), max_size=1)):
            told[name] = data.draw(st.sampled_from([None, "x", True]))
        given_.append(told)
    if len({str(one["userId"]) for one in given_}) != len(given_):
        return
    found, expected = outcomes(message(way, *given_)), [alone(one) for one in given_]
    assert reasons(found) == reasons(expected)
    assert names(found) == names(expected)
    for one, other in zip(found, expected, strict=True):
        if isinstance(one, BalanceSnapshot):
            assert encode(one) == encode(other)


def _literal(text: str) -> str:
    return literal(text)


# -- what is told of them


class Raw(msgspec.Struct):
    """A record of the raw topic."""

    value: bytes
    headers: list[tuple[str, bytes]]
    offset: int = 7
    timestamp_ms: int = 0


def told(frame: Fields, **owners: str) -> Any:
    headers = [
        ("epoch", str(EPOCH).encode()),
        ("receipt", b"3"),
        ("received_time", RECEIVED.encode()),
    ]
    record = Raw(text_of(frame).encode(), headers)
    return tell("hercle", SOURCES["hercle"].topic, 1, record, lambda *_: None, owners)


def test_each_outcome_has_its_number_and_the_user_who_owns_the_account() -> None:
    frame = message(AS_LIST, account("a"), account("b", deleted=None), account("c"))
    parts = told(frame, **{"hercle:c": "ann"})
    assert [(part.number, part.of) for part in parts] == [(0, 3), (1, 3), (2, 3)]
    first, second, third = (part.outcome for part in parts)
    assert (first.user, third.user) == ("hercle:a", "ann")
    assert decode_snapshot(third.document).user == "ann"
    assert (second.reason.value, second.account) == ("wrong_type", "b")
    assert isinstance(told(message(AS_LIST, account("a"))), Told)


def test_of_some_accounts_only_their_outcomes_count_with_the_numbers_that_they_have() -> None:
    unreadable = {"deleted": False}
    frame = message(AS_LIST, account("a"), account("b", deleted=None), unreadable, account("c"))
    parts = told(frame, **{"hercle:c": "ann"})
    kept = of_accounts(parts, frozenset({b"b", b"c"}))
    assert isinstance(kept, list)
    assert [part.number for part in kept] == [1, 3]
    assert all(isinstance(part, Part) and part.of == 4 for part in kept)
    one = told(message(AS_LIST, account("a")), **{"hercle:a": "ann"})
    assert of_accounts(one, frozenset({b"a"})) is one
    assert of_accounts(one, frozenset({b"ann", b"b"})) == []
    nobodys = told(sound("hercle", lambda frame: frame.update(type=2)))
    assert of_accounts(nobodys, frozenset({b"a"})) == []
