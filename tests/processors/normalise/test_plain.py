"""The short way through a frame says what the long way says, or nothing."""

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors import compiled
from processors.normalise import RawFrame, hercle, sfox
from schemas.codec import Told, encode
from schemas.headers import Headers, RawHeaders
from tests.processors.normalise.frames import (
    RECEIPT,
    SOURCES,
    VENUES,
    assets,
    body,
    embed,
    sound,
    text_of,
)
from tests.processors.normalise.test_properties import FRAMES, broken_frames
from tests.schemas.strategies import MANY

HEADERS = RawHeaders(
    "venue", "feed", RECEIPT.epoch, RECEIPT.receipt, RECEIPT.received_time
).encode()


class Record(NamedTuple):
    """A record as any client has it."""

    value: bytes | None
    headers: Headers
    offset: int
    timestamp_ms: int


ROOMS: dict[str, Any] = {"sfox": sfox, "hercle": hercle}
each_venue = pytest.mark.parametrize("venue", VENUES)


def plain(venue: str) -> dict[str, Any]:
    """A sound frame with every documented field."""
    return sound(venue, lambda frame: frame.setdefault("timestamp", 1) if venue == "sfox" else None)


def told_of(venue: str, data: bytes | None, headers: Headers = HEADERS) -> Told | None:
    """What a record with these bytes is told in by the compiled way."""
    source = SOURCES[venue]
    record = Record(data, headers, source.offset, 0)
    told: Told | None = ROOMS[venue].shortcut(source.topic, source.partition, record)
    return told


def is_told(venue: str, data: bytes) -> bool:
    """Whether the compiled way is taken; if so, the long way must lead to the same bytes."""
    told = told_of(venue, data)
    if told is None:
        return False
    frame = RawFrame(data, RECEIPT, SOURCES[venue])
    meant = ROOMS[venue]._any(frame)
    assert ROOMS[venue].normalise(frame) == meant
    assert told == Told(meant.user, encode(meant), meant.received_time)
    return True


def is_taken(venue: str, data: bytes) -> bool:
    """Whether the short way is taken; if so, the long way must lead to the same bytes."""
    is_told(venue, data)
    frame = RawFrame(data, RECEIPT, SOURCES[venue])
    short = ROOMS[venue]._plain(frame)
    if short is None:
        return False
    long = ROOMS[venue]._any(frame)
    assert short == long
    assert encode(short) == encode(long)
    return True


@each_venue
def test_the_documented_frame_goes_the_short_way_with_or_without_blanks(venue: str) -> None:
    text = text_of(plain(venue))
    for same in (text, text.replace(": ", ":").replace(", ", ","), f"\n{text}\t\r "):
        assert is_taken(venue, same.encode())
    frame = plain(venue)
    body(venue, frame)["user_id" if venue == "sfox" else "userId"] = "żółw 🐢 [{"
    assert is_taken(venue, text_of(frame).encode())
    assets(venue, frame).clear()
    assert is_taken(venue, text_of(frame).encode())


@each_venue
@pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")
def test_a_plain_frame_is_told_without_a_snapshot(venue: str) -> None:
    documented = text_of(plain(venue)).encode()
    for data in (
        documented,
        documented.replace(b"BTC", b"btc"),
        documented.replace(b": ", b":").replace(b", ", b","),
    ):
        assert is_told(venue, data)
    for size in range(len(documented)):
        cut = bytes(bytearray(documented[:size]))  # in memory of its own: nothing lies behind
        assert told_of(venue, cut) is None
    assert told_of(venue, None) is None
    assert told_of(venue, documented, HEADERS[:-1]) is None
    assert told_of(venue, documented.ljust(2**20 + 1)) is None


@each_venue
@pytest.mark.parametrize("letter", ["\x00", "\x01", "\x0b", "\x1f"])
def test_no_control_character_is_passed_over(venue: str, letter: str) -> None:
    """Not even that of no bits, wherever it stands."""
    text = text_of(plain(venue))
    for frame in (text, text_of(embed(venue, plain(venue)))):
        for at in range(len(frame) + 1):
            assert told_of(venue, f"{frame[:at]}{letter}{frame[at:]}".encode()) is None


@each_venue
@given(data=st.data())
@MANY
def test_both_ways_agree_on_sound_frames(venue: str, data: st.DataObject) -> None:
    is_taken(venue, data.draw(FRAMES[venue]).encode())


@each_venue
@given(data=st.data())
@MANY
def test_both_ways_agree_on_broken_frames(venue: str, data: st.DataObject) -> None:
    is_taken(venue, data.draw(broken_frames(venue)))


PIECES = [
    *('"', "\\", ",", ":", "{", "}", "[", "]", "null", "-", ".", "e1", "0", "1", " ", "\n", "\t"),
    *(
        '"x"',
        '"x":1',
        ',"x":1',
        '"held":"1",',
        '"available":1,',
        '"sequence":1,',
        '"deleted":true,',
    ),
    *('"held":"1"},{', "NaN", "-0", "1e3", "1.0", "9" * 19, "9" * 38, "9" * 39, "\x00", "\x7f"),
    *("é", "\ud7ff", "\\u0041", "\\ud800", "\ufeff", "\u0661", "true", "false", "{}", '{"x":"y"}'),
]


@st.composite
def edited(draw: st.DrawFn, venue: str) -> bytes:
    """A plain frame, some stretches of its text replaced by what matters to a parser."""
    text = text_of(plain(venue))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 0, 1, 2, 5]))
        text = text[:at] + draw(st.sampled_from(PIECES)) + text[at + length :]
    return text.encode()


@each_venue
@given(data=st.data())
@MANY
def test_both_ways_agree_on_edited_text(venue: str, data: st.DataObject) -> None:
    is_taken(venue, data.draw(edited(venue)))


@st.composite
def repeated(draw: st.DrawFn, venue: str) -> bytes:
    """A plain frame in which members of any object stand twice, are gone, or change places."""

    def written(value: object) -> str:
        if isinstance(value, list):
            return "[" + ",".join(map(written, value)) + "]"
        if not isinstance(value, dict):
            return text_of(value)
        members = [f"{json.dumps(name)}:{written(item)}" for name, item in value.items()]
        match draw(st.integers(0, 9)):
            case 0:
                members.append(draw(st.sampled_from(members)))
            case 1:
                members.remove(draw(st.sampled_from(members)))
            case 2:
                members = draw(st.permutations(members))
        return "{" + ",".join(members) + "}"

    return written(plain(venue)).encode()


@each_venue
@given(data=st.data())
@MANY
def test_both_ways_agree_on_members_that_stand_twice(venue: str, data: st.DataObject) -> None:
    is_taken(venue, data.draw(repeated(venue)))


@given(st.integers() | st.sampled_from([2**63, 2**63 - 1, -(2**63) - 1]), st.integers(-1, 10**20))
@example(0, 0)
@MANY
def test_both_ways_agree_on_numbers(sequence: int, timestamp: int) -> None:
    for venue in VENUES:
        frame = plain(venue)
        if venue == "sfox":
            frame |= {"sequence": sequence, "timestamp": timestamp}
        else:
            body(venue, frame)["sequence"] = sequence
        is_taken(venue, text_of(frame).encode())


@each_venue
def test_what_is_not_plain_goes_the_long_way(venue: str) -> None:
    """A member twice, another one missing: the strings are as many as they should be."""
    text = text_of(plain(venue))
    name, other = ("held", "available") if venue == "sfox" else ("allocated", "available")
    for odd in (
        text.replace(f'"{other}"', f'"{name}"', 1),
        text[:-1] + ', "x": 1}',
        text[:-1] + ', "x": NaN}',
        text_of(embed(venue, plain(venue))),
        text.replace("BTC", "\\u0042TC").replace("btc", "\\u0062tc"),
        text.replace("ETH", "btc").replace("eth", "BTC"),
    ):
        assert odd != text
        assert not is_taken(venue, odd.encode())
    of_another_kind = plain(venue)
    listed = body(venue, of_another_kind)["updates" if venue == "sfox" else "assets"]
    listed.append({"currency": "sol", "address": "x", "type": "web3"})
    assert not is_taken(venue, text_of(of_another_kind).encode())
    assert not is_taken(venue, text.encode().replace(b"user", b"us\xff", 1))
    assert not is_taken(venue, text.ljust(2**20 + 1).encode())
