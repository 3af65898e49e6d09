"""How a venue's connections are: what producers tell the workers, on a private topic."""

from typing import Literal

import msgspec

from schemas.documents import Time


class FeedStatus(msgspec.Struct, frozen=True):
    """One connection to a venue, told every second and at every change.

    `connection` tells the connections of one producer apart (Hercle: one for each key, numbered).
    `last_heard` is when anything came from the venue: a frame, a keep-alive, an answer; null
    before the first. The counts are since the producer started.
    """

    venue: str
    connection: str
    state: Literal["connected", "disconnected"]
    epoch: int | None
    last_heard: Time | None
    last_frame: Time | None
    frames: int
    gaps: int
    reconnects: int
    time: Time
