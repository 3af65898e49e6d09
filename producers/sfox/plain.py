"""Frames of sFOX as nearly all are, judged together, without looking at each one's every member.

This is the definition; `producers.compiled.sfox` says the same of those that have no letter beyond
ASCII, no escape and no member but the documented ones, and None of others. Pure.
"""

from typing import Final, Literal

import msgspec

from producers import compiled
from schemas.identity import is_account
from schemas.times import venue_time

Run = tuple[list[bytes], list[int], str | None]
"""Of frames that follow on each other: accounts, hashes of contents, the newest time."""


class _PlainPayload(msgspec.Struct, gc=False):
    user_id: str


class _Plain(msgspec.Struct, gc=False):
    """A balance frame as nearly all are: what is read of it has the documented types."""

    recipient: Literal["private.enterprise.users.balances"]
    sequence: int
    timestamp: int
    payload: msgspec.Raw


_plain: Final = msgspec.json.Decoder(_Plain)
_plain_payload: Final = msgspec.json.Decoder(_PlainPayload)
_UNREAD: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def plain_run(messages: list[bytes], first: int, number: int) -> Run | None:
    """The plain frames from `messages[first]` on that are numbered from `number` on, one by one.

    It may end before the last of them; None where the first is none.
    """
    return compiled.plain_frames(messages, first, number) or plain_frames(messages, first, number)


def plain_frames(messages: list[bytes], first: int, number: int) -> Run | None:
    """The same, not compiled: to the last of them."""
    keys: list[bytes] = []
    contents: list[int] = []
    newest: str | None = None
    for message in messages[first:]:
        try:
            plain = _plain.decode(message)
            if plain.sequence != number + len(keys):
                break
            account = _plain_payload.decode(plain.payload).user_id
            if not is_account(account):
                break
            keys.append(account.encode())
        except (*_UNREAD, UnicodeEncodeError):
            break
        contents.append(hash(bytes(plain.payload)))
        time = venue_time(plain.timestamp)
        if time is not None:
            newest = time if newest is None else max(newest, time)
    return (keys, contents, newest) if keys else None
