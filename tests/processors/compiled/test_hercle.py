"""Hercle's messages as its hub sends them, told by the compiled way: as the long way, or not."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors import compiled
from schemas.amounts import sum_text
from tests.processors.normalise.frames import assets, body, literal, sound, text_of
from tests.processors.normalise.test_plain import PIECES, is_told, told_of
from tests.processors.normalise.test_properties import (
    hercle_frames,
    hercle_text,
    json_values,
    numbers,
)
from tests.schemas.strategies import MANY

pytestmark = pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")

ENVELOPE = {"channel": "execution", "topic": "balances", "type": "snapshot", "clientId": "me-1"}


def sent(inner: str, *, as_text: bool = True, **envelope: Any) -> str:
    """A hub message around an account's text, the data last, as the hub writes it."""
    event = {"subject": "account.balances.snapshot", **ENVELOPE, **envelope}
    event = {name: value for name, value in event.items() if value is not ...}
    data = json.dumps(inner, ensure_ascii=False) if as_text else inner
    members = f'{json.dumps(event, separators=(",", ":"))[:-1]},"data":{data}}}'
    return f'{{"type":1,"target":"executionEvents","arguments":[{members}]}}'


def account(*changes: Any) -> str:
    """The account of a sound message, changed, without blanks."""
    frame = sound("hercle")
    for change in changes:
        change(body("hercle", frame))
    text = text_of(body("hercle", frame))
    return text.replace(": ", ":").replace(", ", ",")


def is_taken(text: str) -> bool:
    return is_told("hercle", text.encode())


def with_item(**fields: Any) -> str:
    """An account whose first asset has these fields, or lacks those that are `...`."""

    def change(data: dict[str, Any]) -> None:
        data["assets"][0] |= fields
        data["assets"][0] = {n: v for n, v in data["assets"][0].items() if v is not ...}

    return account(change)


def with_data(**fields: Any) -> str:
    """The same of the account's own fields."""

    def change(data: dict[str, Any]) -> None:
        data.update(fields)
        for name in [name for name, value in data.items() if value is ...]:
            del data[name]

    return account(change)


SOUND = {
    "documented": account(),
    "blanks": "  " + account().replace(":", " : ").replace("{", "{ ").replace(",", " ,  ") + " ",
    "another order": json.dumps(dict(reversed(json.loads(account()).items()))),
    "deleted": with_data(deleted=True),
    "deleted and empty": with_data(deleted=True, assets=[]),
    "no base": with_data(baseCurrency=None),
    "small letters": with_data(baseCurrency="eur"),
    "base without letters": with_data(baseCurrency=""),
    "no names": with_item(name=""),
    "nothing of the whole": with_data(
        baseCurrency=..., totalCurrentExposure=..., totalMaxExposure=...
    ),
    "all unknown": with_data(baseCurrency=None, totalCurrentExposure=None, totalMaxExposure=None),
    "only a maximum": with_data(baseCurrency=..., totalCurrentExposure=None),
    "no limit": with_item(currentExposure=..., maxExposure=...),
    "unknown limit": with_item(currentExposure=None, maxExposure=None),
    "a limit alone": with_item(currentExposure=None),
    "an exposure alone": with_item(maxExposure=...),
    "owed": with_item(available=literal("-0.5"), currentExposure=literal("-1.50")),
    "minus nothing": with_item(available=literal("-0"), allocated=literal("-0.00")),
    "long amounts": with_item(available=literal("9" * 38 + "." + "9" * 38)),
    "letters of two bytes": with_data(userId="żółw 🐢 [{"),
    "the longest account": with_data(userId="x" * 1024),
    "64 assets": with_data(
        assets=[{"name": f"A{n}", "available": n, "allocated": 0} for n in range(64)]
    ),
}


@pytest.mark.parametrize("as_text", [True, False], ids=["text", "object"])
@pytest.mark.parametrize("name", SOUND)
def test_what_the_hub_may_send_is_told_without_a_snapshot(name: str, *, as_text: bool) -> None:
    assert is_taken(sent(SOUND[name], as_text=as_text))


@pytest.mark.parametrize("as_text", [True, False], ids=["text", "object"])
def test_envelopes_that_the_hub_may_write(*, as_text: bool) -> None:
    text = sent(account(), as_text=as_text)
    for same in (
        text,
        text.replace("executionEvents", "EXECUTIONevents"),
        text.replace('"target"', ' \r\n"target"\t'),
        sent(account(), as_text=as_text, type=7, clientId=None),
        sent(account(), as_text=as_text, type=..., clientId=..., channel=..., topic=...),
        json.dumps(dict(reversed(json.loads(text).items()))),
    ):
        assert is_taken(same)
    message = json.loads(text)
    (event,) = message["arguments"]
    message["arguments"] = [dict(reversed(event.items()))]
    assert is_taken(json.dumps(message))


ODD_ACCOUNTS = {
    "an exponent": with_item(available=literal("1e3")),
    "a text": with_item(allocated="0"),
    "null": with_item(available=None),
    "missing": with_item(allocated=...),
    "zeros in front": with_item(available=literal("01")),
    "39 digits": with_item(available=literal("9" * 39)),
    "an odd limit": with_item(maxExposure="1"),
    "an unknown field of an asset": with_item(x=1),
    "an unknown field": with_data(x=1),
    "no account": with_data(userId=""),
    "too long an account": with_data(userId="x" * 1025),
    "a negative sequence": with_data(sequence=-1),
    "a sequence of 64 bits": with_data(sequence=2**63),
    "deleted by a number": with_data(deleted=1),
    "not told whether it is deleted": with_data(deleted=...),
    "a long base": with_data(baseCurrency="E" * 1025),
    "a base with longer upper case": with_data(baseCurrency="ß"),
    "a name with longer upper case": with_item(name="ß"),
    "one asset twice": with_item(name="eth"),
    "a list": f"[{account()}]",
    "something behind": account() + "x",
    "an escape": with_item(name="A\\u0042"),
    "65 assets": with_data(
        assets=[{"name": f"A{n}", "available": n, "allocated": 0} for n in range(65)]
    ),
}


@pytest.mark.parametrize("as_text", [True, False], ids=["text", "object"])
@pytest.mark.parametrize("name", ODD_ACCOUNTS)
def test_an_account_that_is_not_plain_is_not_told(name: str, *, as_text: bool) -> None:
    assert not is_taken(sent(ODD_ACCOUNTS[name], as_text=as_text))


ODD_MESSAGES = (
    ('"type":1', '"type":3'),
    ('"type":1', '"type":1.0'),
    ('"type":1', '"type":1,"type":1'),
    ("executionEvents", "executionEvent"),
    ("account.balances.snapshot", "account.orders.snapshot"),
    ('"channel":', '"x":1,"channel":'),
    ('"channel":', '"topic":"","channel":'),
    ('"execution"', '"ex\\u0065cution"'),
    ('"execution"', '"żółw"'),
    ('"execution"', "true"),
    ('"execution"', '["execution"]'),
    ('"data":', '"data":{},"data":'),
    ('"data":', '"Data":'),
    ("}]}", "},{}]}"),
    ("}]}", "}],}"),
    ('\\"userId\\"', '"userId"'),
    ('\\"userId\\"', '\\u0022userId\\"'),
    ('\\"userId\\"', '\\\\"userId\\"'),
    ('"{', '"{\\n'),
    ("user-123", 'user"123'),
    ("user-123", "user\x01123"),
)


@pytest.mark.parametrize(("old", "new"), ODD_MESSAGES)
def test_a_message_that_is_not_plain_is_not_told(old: str, new: str) -> None:
    text = sent(account())
    assert old in text
    assert not is_taken(text.replace(old, new, 1))


@pytest.mark.parametrize("text", [b"user-123", b"execution"])
def test_letters_that_are_none_are_not_told(text: bytes) -> None:
    data = sent(account()).encode()
    assert text in data
    assert not is_told("hercle", data.replace(text, text + b"\xff"))


@pytest.mark.parametrize("blank", ["\n", "\r", "\t"])
def test_a_break_may_stand_between_fields_but_not_in_a_text(blank: str) -> None:
    """In a string it must be escaped: the strict reader refuses the message."""
    text = sent(account())
    assert is_taken(text.replace('"channel"', f'{blank}"channel"'))
    for before, behind in (('"', "{"), ("}", '"}]}'), ("{", '\\"userId')):
        assert before + behind in text
        assert not is_taken(text.replace(before + behind, before + blank + behind))


def test_what_is_cut_off_is_not_told() -> None:
    text = sent(account()).encode()
    for size in range(len(text)):
        assert told_of("hercle", bytes(bytearray(text[:size]))) is None  # nothing lies behind


@given(numbers, numbers)
@example("0", "-0")
@example("-0.50", "0.5")
@example("0.5", "-0.50")
@example("9" * 38 + "." + "9" * 38, "0." + "0" * 37 + "1")
@example("-1", "0." + "0" * 37 + "1")
@MANY
def test_totals_are_the_exact_sums(available: str, allocated: str) -> None:
    text = sent(with_item(available=literal(available), allocated=literal(allocated)))
    assert is_taken(text)
    told = told_of("hercle", text.encode())
    assert told is not None
    total = json.loads(told.document)["assets"]["BTC"]["total"]
    assert total == sum_text((available, allocated))


@given(numbers)
def test_an_amount_and_what_takes_it_away_are_nothing(amount: str) -> None:
    other = amount[1:] if amount.startswith("-") else f"-{amount}"
    assert is_taken(sent(with_item(available=literal(amount), allocated=literal(other))))


def written(draw: st.DrawFn, value: object) -> str:
    """A JSON text with members that stand twice, are gone, change places, or hold anything."""
    if isinstance(value, list):
        return "[" + ",".join([written(draw, item) for item in value]) + "]"
    if not isinstance(value, dict):
        return text_of(value)
    members = [f"{json.dumps(name)}:{written(draw, item)}" for name, item in value.items()]
    if not members:
        return "{}"
    match draw(st.integers(0, 11)):
        case 0:
            members.append(draw(st.sampled_from(members)))
        case 1:
            members.remove(draw(st.sampled_from(members)))
        case 2:
            members = draw(st.permutations(members))
        case 3:
            at = draw(st.integers(0, len(members) - 1))
            name = members[at].partition(":")[0]
            members[at] = f"{name}:{json.dumps(draw(json_values))}"
    return "{" + draw(st.sampled_from([",", ", ", " ,\n"])).join(members) + "}"


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A real message, members of any of its objects changed, also of the one in the text."""
    frame = sound("hercle")
    data = body("hercle", frame)
    for item in assets("hercle", frame):
        item["available"], item["allocated"] = literal(draw(numbers)), literal(draw(numbers))
    (event,) = frame["arguments"]
    event |= ENVELOPE
    if draw(st.booleans()):
        inner = written(draw, data)
        event["data"] = inner if draw(st.booleans()) else inner.replace("\n", " ")
    return written(draw, frame)


@given(mutated())
@MANY
def test_both_ways_agree_on_mutated_members(text: str) -> None:
    is_taken(text)


def edited(draw: st.DrawFn, text: str) -> str:
    """A text, some stretches of it replaced by what matters to a parser."""
    pieces = [*PIECES, '\\"', "\\\\", "\\n"]
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 0, 1, 2, 5]))
        text = text[:at] + draw(st.sampled_from(pieces)) + text[at + length :]
    return text


@given(st.data())
@MANY
def test_both_ways_agree_on_edited_text(data: st.DataObject) -> None:
    inner = edited(data.draw, account())
    is_taken(edited(data.draw, sent(inner)))


@given(frame=hercle_frames(), as_text=st.booleans())
@MANY
def test_both_ways_agree_on_sound_accounts(frame: dict[str, Any], *, as_text: bool) -> None:
    data = body("hercle", frame)
    inner = hercle_text(data)
    names = [data["userId"], data["baseCurrency"] or "", *(i["name"] for i in data["assets"])]
    plain = all(json.dumps(name) == f'"{name}"' for name in names) and data["sequence"] >= 0
    assert is_taken(sent(inner, as_text=as_text)) >= plain
