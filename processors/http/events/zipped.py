"""A stream that is gzip, of pieces that many readers are sent: each is compressed once for all.

A piece is a run of whole deflate blocks that refer to nothing before them, and ends at a byte: so
it may stand anywhere in anybody's stream. What is a reader's alone, an id, goes as it is, in a
stored block. Only the checksum at the end differs, and that of a piece can be joined to it without
the piece's bytes.

Source: RFC 1951, 3.2.4 (stored blocks); RFC 1952; for joining zlib's `crc32_combine`. Pure.
"""

import struct
import zlib
from functools import cache
from typing import Final, NamedTuple

BEGIN: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""What a gzip stream of no name, time and system begins with."""
ALONE_BYTES_MAX: Final = 4_096
"""What is shorter goes as it is, as short answers do."""
KEPT_MAX: Final = 32
"""So many pieces are kept for those who are sent the same."""
_LEVEL: Final = 1
_STORED_BYTES_MAX: Final = 0xFFFF
_LAST_BLOCK: Final = b"\x03\x00"
_POLYNOMIAL: Final = 0xEDB88320
_ONE: Final = 1 << 31
_BITS: Final = 0xFFFFFFFF


class Piece(NamedTuple):
    """Compressed bytes, the length and checksum of what they stand for, and how to join that."""

    deflated: bytes
    length: int
    crc: int
    shift: int


class Pieces:
    """What was compressed last: readers go together, so that it is soon of no more use."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._pieces: dict[bytes, Piece] = {}

    def of(self, data: bytes) -> Piece:
        """A piece; made where these bytes are not among the last ones."""
        piece = self._pieces.get(data)
        if piece is None:
            piece = self._pieces[data] = _piece(data)
            if len(self._pieces) > self._kept_max:
                del self._pieces[next(iter(self._pieces))]
        return piece


class Zipped:
    """One reader's stream: `begin`, any number of `take`, `end`."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._crc = 0
        self._length = 0

    def take(self, shared: bytes, own: bytes) -> bytes:
        """What stands for `shared`, which others are sent too, and `own` behind it."""
        if len(shared) < ALONE_BYTES_MAX:
            return self._stored(shared + own)
        piece = self._pieces.of(shared)
        self._crc = _multiplied(piece.shift, self._crc) ^ piece.crc
        self._length += piece.length
        return piece.deflated + self._stored(own)

    def end(self) -> bytes:
        """What a stream ends with."""
        return _LAST_BLOCK + struct.pack("<II", self._crc, self._length & _BITS)

    def _stored(self, data: bytes) -> bytes:
        self._crc = zlib.crc32(data, self._crc)
        self._length += len(data)
        blocks = (
            data[at : at + _STORED_BYTES_MAX] for at in range(0, len(data), _STORED_BYTES_MAX)
        )
        return b"".join(
            struct.pack("<BHH", 0, len(one), len(one) ^ _STORED_BYTES_MAX) + one for one in blocks
        )


def _piece(data: bytes) -> Piece:
    deflating = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = deflating.compress(data) + deflating.flush(zlib.Z_SYNC_FLUSH)
    return Piece(deflated, len(data), zlib.crc32(data), _shift(len(data)))


# -- checksums, as polynomials over two elements; the highest bit is the lowest power


def _multiplied(one: int, other: int) -> int:
    """Their product, modulo CRC-32's polynomial."""
    product, power = 0, _ONE
    while one:
        if one & power:
            product ^= other
            one ^= power
        power >>= 1
        other = (other >> 1) ^ _POLYNOMIAL if other & 1 else other >> 1
    return product


@cache
def _squared(times: int) -> int:
    """The power of the variable whose exponent is two to so many."""
    if not times:
        return _ONE >> 1
    before = _squared(times - 1)
    return _multiplied(before, before)


def _shift(length: int) -> int:
    """What a checksum is multiplied by where so many bytes follow."""
    shift, bit = _ONE, 3
    while length:
        if length & 1:
            shift = _multiplied(_squared(bit), shift)
        length >>= 1
        bit += 1
    return shift
