"""Raw records that could not be read: each kind a line a minute, which names the record's event.

The dead letters have all of them; the log has one of each kind, to begin with. What is said are
places and reasons, never contents.
"""

import logging
import time
from collections.abc import Callable

from schemas.headers import DeadLetterOrigin
from schemas.incarnations import named
from schemas.rejections import Rejected
from schemas.words import Words

log = logging.getLogger("headroom.unread")


class Unreadable:
    """Says which records became dead letters; `monotonic` counts seconds."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._words = Words()

    def buried(self, origin: DeadLetterOrigin, venue: str, why: Rejected) -> None:
        """A record, or a part of it, is a dead letter now."""
        event = event_of(origin)
        text = f"{venue}: a frame cannot be read: {why.reason} at {why.detail} ({event})"
        line = self._words.say(text, int(self._monotonic()))
        if line is not None:
            told = {
                "ce_id": event,
                "topic": origin.topic,
                "partition": origin.partition,
                "offset": origin.offset,
                "venue": venue,
                "reason": why.reason,
            }
            log.warning("%s", line, extra=told)


def event_of(origin: DeadLetterOrigin) -> str:
    """The `ce_id` that the record's snapshot would have had."""
    event = f"{named(origin.topic, origin.incarnation)}/{origin.partition}/{origin.offset}"
    return event if origin.part is None else f"{event}/{origin.part[0]}"
