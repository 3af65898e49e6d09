"""What is a dead letter, where it says it came from, and what may be sent again."""

from types import SimpleNamespace
from typing import Any

import pytest

from headroom.operate.deadletters.letter import NoPlace, Place, place_of, read
from headroom.operate.deadletters.retry import NotRaw, send_again
from schemas.headers import DeadLetterOrigin, dead_letter

NOBODY = {"bootstrap_servers": "127.0.0.1:1"}


def record(topic: str) -> Any:
    origin = DeadLetterOrigin(topic, 3, 17, "normalise", "code", version="1.2")
    headers = dead_letter(origin, reason="amount", detail="a.b", own=[("venue", b"sfox")])
    return SimpleNamespace(key=b"k", value=b"v", headers=headers, timestamp=0)


def test_a_letter_is_read_with_all_that_its_headers_say() -> None:
    letter = read(record("raw.sfox.balances.v1"))
    assert letter is not None
    assert (str(letter.origin), letter.venue) == ("raw.sfox.balances.v1/3/17", "sfox")
    assert (letter.reason, letter.detail) == ("amount", "a.b")
    assert (letter.code, letter.version, letter.retry_of) == ("code", "1.2", None)
    assert letter.headers == (("venue", b"sfox"),)


def test_a_letter_of_one_of_several_accounts_says_which() -> None:
    origin = DeadLetterOrigin("raw.hercle.balances.v1", 3, 17, "normalise", "code", part=(1, 4))
    found = record("")
    found.headers = dead_letter(origin, reason="amount", detail="a.b", own=[("venue", b"hercle")])
    letter = read(found)
    assert letter is not None
    assert (str(letter.origin), letter.parts) == ("raw.hercle.balances.v1/3/17/1", 4)
    assert str(letter.origin.record) == "raw.hercle.balances.v1/3/17"
    # What is sent again has only what the raw record had.
    assert letter.headers == (("venue", b"hercle"),)
    for bad in (b"x", b"", b"-1"):
        found.headers = [(n, bad if n == "headroom.part" else v) for n, v in found.headers]
        assert read(found) is None


def test_a_letter_of_a_topic_that_was_made_again_is_another_one() -> None:
    """So it is listed, and sent again, beside that of the same place in the topic of before."""
    found = record("raw.sfox.balances.v1")
    first = read(found)
    found.headers = [*found.headers, ("headroom.incarnation", b"2")]
    letter = read(found)
    assert letter is not None
    assert first is not None
    assert str(letter.origin) == "raw.sfox.balances.v1~2/3/17"
    assert letter.origin.topic == "raw.sfox.balances.v1"
    assert place_of(str(letter.origin)) == letter.origin != first.origin
    assert letter.headers == first.headers
    assert letter.venue == "sfox"
    found.headers = [*found.headers, ("headroom.incarnation", b"x")]
    assert read(found) is None


def test_a_strangers_record_is_no_letter() -> None:
    found = record("raw.sfox.balances.v1")
    for headers in ([], [("headroom.reason", b"amount")], found.headers[2:]):
        found.headers = headers
        assert read(found) is None


async def test_a_forged_letter_is_sent_nowhere() -> None:
    """Who may write to the dead letters may not write to other topics through us."""
    forged = read(record("balances.latest.v1"))
    assert forged is not None
    with pytest.raises(NotRaw, match="names no raw topic"):
        await send_again(NOBODY, [forged], partitions=8)


def test_a_place_is_written_and_read() -> None:
    place = Place("raw.sfox.balances.v1", 3, 17)
    part = Place("raw.hercle.balances.v1", 3, 17, 2)
    assert [str(place), str(part)] == ["raw.sfox.balances.v1/3/17", "raw.hercle.balances.v1/3/17/2"]
    assert [place_of(str(one)) for one in (place, part)] == [place, part]
    assert part.record == Place(part.topic, 3, 17)
    odd = ("a/1/" + "9" * 20, "a/\u0661/2")
    for text in ("", "a", "a/b/c", "a/1", "a/1/2/", "a/1/2/x", "a/1/2/3/4", "/1/2", "a/-1/2", *odd):
        with pytest.raises(NoPlace):
            place_of(text)
