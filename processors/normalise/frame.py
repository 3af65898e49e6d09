"""What a normaliser gets: a frame's bytes and where they stand."""

import msgspec

from schemas.documents import Source
from schemas.headers import Receipt


class RawFrame(msgspec.Struct, frozen=True, gc=False):
    """One raw record: the venue's own bytes, their order at the venue, their place in Kafka."""

    data: bytes
    receipt: Receipt
    source: Source
