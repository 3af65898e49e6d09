"""Secrets are taken out of what others wrote, however it spells them; all else stays as it is."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.redaction import HIDDEN, Needles, is_guarded

KEYS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=40)
KEY = "canary/0123+KEY"
WHOLE = b'"Secret(hidden)"'


def redacted(text: bytes, *keys: str) -> tuple[bytes, int | None] | None:
    found = Needles(keys or (KEY,)).redact(text)
    return None if found is None else (found.text, found.places)


@st.composite
def spelt(draw: st.DrawFn, text: str) -> str:
    """A JSON string that means this text, each letter spelt in one of the ways there are."""
    # The ways are drawn once and taken in turn: a draw for each letter of a nested text is slow.
    chosen = draw(st.lists(st.integers(0, 11), min_size=1, max_size=31))

    def letter(at: int, one: str) -> str:
        ways = [f"\\u{ord(one):04x}", f"\\u{ord(one):04X}"]
        if one in '"\\/':
            ways.append("\\" + one)
        if one not in '"\\' and one.isprintable():
            ways += [one] * 4
        return ways[chosen[at % len(chosen)] % len(ways)]

    return '"' + "".join(letter(at, one) for at, one in enumerate(text)) + '"'


@st.composite
def with_key(draw: st.DrawFn, key: str) -> bytes:
    """A frame that says a key somewhere, in a text in a text in a text."""
    text = (
        draw(st.sampled_from(["", "api key ", 'a "', "\\", "u", "/"]))
        + key
        + draw(st.text("x/u\\"))
    )
    frame = f'{{"message": {draw(spelt(text))}, "n": 1}}'
    for _ in range(draw(st.integers(0, 3))):
        frame = f'{{"data": {draw(spelt(frame))}, "channel": "x"}}'
    return frame.encode()


def said(value: Any) -> list[str]:
    """The oracle: every text in a JSON value, and in what is JSON in a text."""
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in said(one)]
    if isinstance(value, list):
        return [text for one in value for text in said(one)]
    if not isinstance(value, str):
        return []
    try:
        return [value, *said(json.loads(value))]
    except ValueError:
        return [value]


@given(st.data(), KEYS.filter(is_guarded), st.lists(KEYS.filter(is_guarded), max_size=12))
def test_however_a_frame_spells_a_key_nobody_reads_it_there(
    data: st.DataObject, key: str, others: list[str]
) -> None:
    assume(key not in HIDDEN)
    frame = data.draw(with_key(key))
    assert any(key in text for text in said(json.loads(frame)))
    found = Needles([*others, key]).redact(frame)
    assert found is not None
    assert key.encode() not in found.text
    try:
        seen = json.loads(found.text)
    except ValueError:
        # A key with a quote or a backslash may be a part of the frame's own grammar.
        assert {'"', "\\", "{", ":", ","} & set("".join([key, *others]))
        return
    assert not any(key in text for text in said(seen))


@given(
    st.recursive(
        st.integers() | st.text(st.characters(exclude_characters="K4", codec="utf-8")),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text("ab\\/u"), inner, max_size=3)
            | inner.map(json.dumps)
            | inner.map(lambda value: json.dumps(value, ensure_ascii=False))
        ),
    ),
    st.integers(0, 12),
)
def test_a_frame_without_a_key_is_as_it_came(value: Any, others: int) -> None:
    keys = ["KEYcanaryKEY", *(f"Kanother-{number}-canary" for number in range(others))]
    assert Needles(keys).redact(json.dumps(value).encode()) is None


@pytest.mark.parametrize(
    ("text", "expected", "places"),
    [
        (
            f'{{"m": "{KEY} has expired", "again": "{KEY}"}}',
            f'{{"m": "{HIDDEN} has expired", "again": "{HIDDEN}"}}',
            2,
        ),
        (f"wss://hub/?id={quote(KEY, safe='')}&x", f"wss://hub/?id={HIDDEN}&x", 1),
        (r'{"m": "canary\/0123+KEY"}', WHOLE.decode(), None),
        (r'{"m": "canary/0123\u002bKEY"}', WHOLE.decode(), None),
        (r'{"m": "canary/0123\u002BKEY"}', WHOLE.decode(), None),
        (r'{"m": "{\"k\": \"canary\\/0123+KEY\"}"}', WHOLE.decode(), None),
        (r'{"m": "{\"k\": \"canary\\\/0123+KEY\"}"}', WHOLE.decode(), None),
        (
            r'{"m": "\u007b\u0022k\u0022: \u0022canary\u005cu002f0123+KEY\u0022}"}',
            WHOLE.decode(),
            None,
        ),
        (f'{{"m": "{KEY}", "n": "canary\\/0123+KEY"}}', WHOLE.decode(), None),
        (rf'{{"m": "\\{KEY}"}}', WHOLE.decode(), None),
        (rf'{{"m": "\{KEY}"}}', WHOLE.decode(), None),
        (rf'{{"m": "\u00{KEY}"}}', WHOLE.decode(), None),
        ("\udcff" + KEY, "\udcff" + HIDDEN, 1),
    ],
)
def test_where_a_key_stands_in_a_text(text: str, expected: str, places: int | None) -> None:
    found = redacted(text.encode("utf-8", "surrogateescape"))
    assert found == (expected.encode("utf-8", "surrogateescape"), places)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "canary/0123",
        KEY[1:],
        KEY.lower(),
        r'{"m": "{\"k\": \"v\"}"}',
        r'{"m": "canary\n/0123+KEY"}',
        r'{"m": "\u0063\u006eary"}',
        r'{"m": "\u0022\/"}',
    ],
)
def test_a_part_of_a_key_and_other_escapes_are_left_alone(text: str) -> None:
    assert redacted(text.encode()) is None


def test_letters_of_a_key_behind_two_layers_of_escapes_are_no_key() -> None:
    inner = json.dumps({"k": "canary"}).replace("a", "\\u0061")
    assert redacted(json.dumps({"m": inner}).encode()) is None


def test_of_a_key_that_begins_like_another_no_end_stays() -> None:
    keys = ("sandbox-key", "sandbox-key-0001", "key-0001-sandbox")
    assert redacted(b"sandbox-key-0001 sandbox-key-00", *keys) == (
        b"Secret(hidden) Secret(hidden)-00",
        2,
    )


def test_short_keys_and_short_digits_are_not_looked_for() -> None:
    for short in ("", "a", "1234567", "abcdefg", "1" * 15):
        assert not is_guarded(short)
        assert redacted(b'{"a": "abcdefg 1111111111111111234567"}', short) is None
    assert is_guarded("abcdefgh")
    assert redacted(b"1" * 16, "1" * 16) == (b"Secret(hidden)", 1)


def test_many_keys_are_found_each_wherever_it_stands() -> None:
    keys = [f"{number:04}-canary-{number}" for number in range(500)] + ["short-one"]
    needles = Needles(keys)
    for key in (keys[0], keys[77], keys[499], "short-one"):
        for before in range(20):
            found = needles.redact(b"x" * before + key.encode() + b"y" * 3)
            assert found is not None
            assert found.text == b"x" * before + HIDDEN.encode() + b"y" * 3
    assert needles.redact(b"0001-canary-" + b"x" * 40) is None


def test_what_is_wrapped_too_often_to_look_into_is_hidden() -> None:
    """Else one could have the work done for ever, and a key shown."""
    deep = b'{"m": "\\' + b"u005c" * 10_000 + b'"}'
    assert redacted(deep) == (WHOLE, None)


def test_a_secret_beyond_ascii_is_found_behind_escapes_too() -> None:
    assert redacted(json.dumps("pässwörter").encode(), "pässwörter") == (WHOLE, None)
    assert redacted("so: pässwörter".encode(), "pässwörter") == (b"so: Secret(hidden)", 1)
    assert redacted(b"\xed\xb3\xbf", "\udcff" * 9) is None
