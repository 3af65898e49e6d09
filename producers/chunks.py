"""Whole WebSocket messages, taken from the chunks in which bytes come. Pure."""

from collections.abc import Callable
from typing import Final

# The first byte of a whole text or binary message, and of a close, a ping, a pong.
_DATA: Final = frozenset({0x81, 0x82})
_CLOSE: Final = 0x88
_PLAIN: Final = frozenset({*_DATA, _CLOSE, 0x89, 0x8A})
# Up to 64 KiB the length has two bytes; longer ones and masked ones are rare, or wrong.
_LENGTH_OF_TWO: Final = 126
_HEAD_BYTES: Final = 2


def plain_messages(data: bytes, found: list[bytes], pass_on: Callable[[bytes], object]) -> int:
    """Take whole messages from the front of what came; how far that went.

    A message in one frame, without an extension, goes into `found`; a ping, pong or close, whole,
    is passed on. Behind the last one that is there as a whole the result ends; below zero, -n - 1,
    it says that what begins at n is nothing of these, and everything from there on is to be read
    with more care: what is larger than a chunk, cut into frames, or against the protocol.

    Source: RFC 6455, section 5.2.
    """
    at, end = 0, len(data)
    while end - at >= _HEAD_BYTES:
        kind, length, first = data[at], data[at + 1], at + 2
        if kind not in _PLAIN or length > _LENGTH_OF_TWO:
            return -at - 1
        if length == _LENGTH_OF_TWO:
            first += 2
            if first > end:
                return at
            length = data[at + 2] << 8 | data[at + 3]
        last = first + length
        if last > end:
            return at
        if kind in _DATA:
            found.append(data[first:last])
        else:
            pass_on(data[at:last])
            if kind == _CLOSE:
                return -last - 1
        at = last
    return at
