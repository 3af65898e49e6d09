"""Dead letters for a person: counts, a line each, or one with all that is known of it."""

import base64
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from headroom.base.printable import printable
from headroom.operate.deadletters.letter import DeadLetter
from headroom.operate.deadletters.locate import locate

_AROUND: Final = 60
_HEX_BYTES_MAX: Final = 4_096
_HEX_WIDTH: Final = 16


def counts(found: Mapping[tuple[str, str], int]) -> Iterator[str]:
    """How many there are, by venue and reason, most first."""
    yield f"{sum(found.values())} dead letters"
    for (venue, reason), number in Counter(dict(found)).most_common():
        yield f"{number:>8}  {printable(venue):<8} {printable(reason)}"


def line(letter: DeadLetter, retried: Mapping[str, str]) -> str:
    """One letter on a line."""
    place = retried.get(str(letter.origin.record))
    again = "" if place is None else f"  sent again: {printable(place)}"
    return (
        f"{printable(str(letter.origin))}  {letter.appended_time}  {printable(letter.reason):<15} "
        f"{printable(letter.account) or '-'}  {printable(letter.detail)}{again}"
    )


def whole(letter: DeadLetter, retried: Mapping[str, str]) -> Iterator[str]:
    """All that is known of a letter, its bytes as text and as they are."""
    yield f"raw record   {printable(str(letter.origin.record))}"
    if letter.parts > 1:
        yield f"part         {letter.origin.part} of {letter.parts} accounts, from 0"
    yield f"venue        {printable(letter.venue)}"
    nobody = "one of several" if letter.parts > 1 else "cannot be read"
    yield f"account      {printable(letter.account) or nobody}"
    yield f"buried       {letter.appended_time}"
    yield f"reason       {printable(letter.reason)}: {printable(letter.detail)}"
    yield f"code         {printable(letter.code)} {printable(letter.version)}".rstrip()
    if letter.retry_of is not None:
        yield f"retry of     {printable(letter.retry_of)}"
    if str(letter.origin.record) in retried:
        yield f"sent again   {printable(retried[str(letter.origin.record)])}"
    yield from (
        f"header       {printable(name)}: {_text(value or b'')}" for name, value in letter.headers
    )
    yield from _pointed(letter)
    yield from ("", f"{len(letter.frame)} bytes as text:", _text(letter.frame))
    yield from ("", "and as they are:", *_hex(letter.frame))


def exported(letter: DeadLetter, retried: Mapping[str, str]) -> dict[str, Any]:
    """A letter as one JSON object; bytes that are no UTF-8 as base64."""
    try:
        frame: dict[str, str] = {"frame": letter.frame.decode("utf-8")}
    except UnicodeDecodeError:
        frame = {"frame_base64": base64.b64encode(letter.frame).decode("ascii")}
    return {
        "origin": str(letter.origin),
        "parts": letter.parts,
        "venue": letter.venue,
        "account": None if letter.key is None else letter.account,
        "reason": letter.reason,
        "detail": letter.detail,
        "code": letter.code,
        "version": letter.version,
        "buried": letter.appended_time,
        "retry_of": letter.retry_of,
        "sent_again": retried.get(str(letter.origin.record)),
        "headers": {
            name: None if value is None else value.decode("utf-8", "replace")
            for name, value in letter.headers
        },
        **frame,
    }


def _pointed(letter: DeadLetter) -> Iterator[str]:
    """The place of the fault with what is around it, and a mark below it."""
    found = locate(letter.frame, letter.detail)
    if found is None:
        return
    begin, end = found
    text = letter.frame.decode("utf-8", "replace")
    first, last = max(0, begin - _AROUND), min(len(text), end + _AROUND)
    shown = printable(text[first:last])
    yield from ("", f"characters {begin} to {end}:", shown)
    yield " " * (begin - first) + "^" * max(1, min(end, last) - begin)


def _hex(data: bytes) -> Iterator[str]:
    for at in range(0, min(len(data), _HEX_BYTES_MAX), _HEX_WIDTH):
        row = data[at : at + _HEX_WIDTH]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)  # noqa: PLR2004 - ASCII
        yield f"{at:08x}  {row.hex(' '):<47}  {letters}"
    if len(data) > _HEX_BYTES_MAX:
        yield f"… {len(data) - _HEX_BYTES_MAX} more bytes: `headroom deadletters export` has all"


def _text(data: bytes) -> str:
    return printable(data.decode("utf-8", "replace"))
