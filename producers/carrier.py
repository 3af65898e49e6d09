"""What follows from a venue's messages, carried out: frames to Kafka, counts, doubts to workers."""

from collections import Counter
from typing import Final

import msgspec

from producers.condition import Condition
from producers.hiding import hidden, holds_no_secret
from producers.line import Line, World, told_of
from producers.outcomes import Confirmed, Count, Doubted, Frames, InDoubt, Kind, Publish
from schemas.headers import RawHeaders
from schemas.secrets import redacted
from schemas.times import rfc3339
from schemas.words import Words

_COUNTS_ANEW: Final = "the venue counts from the start again"


class Carrier:
    """Carries out for one line what its sessions decide; `condition` is what is told of the line.

    `reconnects` counts for the statuses, by whatever reason.
    """

    def __init__(self, line: Line, world: World, condition: Condition) -> None:
        self._line = line
        self._world = world
        self._condition = condition
        self._words = Words()
        self._received = world.metrics.frames_received.labels(line.venue.name)
        self._written_ns, self._written = -1, ""
        self.counted: Counter[Kind] = Counter()
        self.reconnects = 0

    def tell(self) -> None:
        """Tell the workers how the line is now."""
        self._world.tell(self._condition.status(reconnects=self.reconnects))

    def publish(self, found: Publish, received_ns: int) -> None:
        """Write a frame to the raw topic, with its place at the venue, and without our secrets."""
        world, condition = self._world, self._condition
        if found.begins_epoch:
            condition.begin_epoch(world.epochs.next(), "counts_anew", _COUNTS_ANEW)
            self._say(f"{self._line.name}: the venue counts from the start again")
        found, places = hidden(found)
        if places:
            self._say(f"{self._line.name}: the venue sent a secret of ours: hidden ({places})")
        condition.received(received_ns)
        if found.begins_epoch:
            self.tell()
        self._received.inc()
        headers = self._headers(received_ns, places)
        if world.spans is not None and (traceparent := self._begin_trace(received_ns)):
            headers = msgspec.structs.replace(headers, traceparent=traceparent)
        world.publisher.publish(found.frame, found.key, headers, several=found.several)
        world.handed_over()

    def publish_all(self, found: Frames, received_ns: int) -> None:
        """The same of frames that came together, at once where none of them holds a secret."""
        if not holds_no_secret(found.frames):
            for frame, key in zip(found.frames, found.keys, strict=True):
                self.publish(Publish(frame, key), received_ns)
            return
        count = len(found.frames)
        self._condition.received(received_ns, count)
        self._received.inc(count)
        headers = self._headers(received_ns)
        publisher = self._world.publisher
        if self._world.spans is None:
            publisher.publish_all(found.frames, found.keys, headers)
        else:
            begun = self._begin_traces(received_ns, count)
            publisher.publish_all(found.frames, found.keys, headers, begun)
        self._world.handed_over()

    def _begin_traces(self, received_ns: int, count: int) -> dict[int, str]:
        """Begin the traces of frames that came together: of each that is chosen, by its place."""
        begun = {at: self._begin_trace(received_ns, count - 1 - at) for at in range(count)}
        return {at: traceparent for at, traceparent in begun.items() if traceparent is not None}

    def _begin_trace(self, received_ns: int, before: int = 0) -> str | None:
        """Begin the trace of so many frames before the last one, if it is one that is told."""
        spans, condition, venue = self._world.spans, self._condition, self._line.venue
        if spans is None:
            return None
        return spans.begin(
            "receive",
            began_ns=received_ns,
            ended_ns=self._world.clock_ns(),
            told={
                "messaging.system": "kafka",
                "messaging.destination.name": venue.raw_topic,
                "headroom.venue": venue.name,
                "headroom.connection": self._line.connection,
                "headroom.epoch": condition.epoch,
                "headroom.receipt": condition.receipt - before,
            },
        )

    def _headers(self, received_ns: int, redacted: str = "") -> RawHeaders:
        """What is said of the last frame that was received."""
        venue, condition = self._line.venue, self._condition
        return RawHeaders(
            venue=venue.name,
            feed=venue.feed,
            epoch=condition.epoch,
            receipt=condition.receipt,
            received_time=self._time(received_ns),
            redacted=redacted,
        )

    def count(self, found: Count) -> None:
        """Count a message that is no balances, and say the venue's own words."""
        self.counted[found.kind] += 1
        self._world.metrics.messages_counted.labels(self._line.venue.name, found.kind).inc()
        if found.detail is not None:
            self._say(f"{self._line.name}: the venue says: {found.detail}")

    def vouch(self, outcome: Doubted | Confirmed | InDoubt) -> None:
        """Change what the line vouches for, and tell the workers where that makes a difference."""
        condition = self._condition
        before = condition.vouching
        match outcome:
            case Confirmed(accounts=accounts):
                condition.confirmed([redacted(account) for account in accounts])
            case Doubted(cause=cause, detail=detail):
                condition.doubted(cause, detail)
            case InDoubt(cause=cause, detail=detail, spares_last=spares_last):
                condition.in_doubt(cause, detail, spares_last=spares_last)
        if condition.vouching == before:
            return
        self.tell()
        if not isinstance(outcome, Confirmed):
            self._world.metrics.doubts.labels(self._line.venue.name, outcome.cause).inc()

    def _time(self, received_ns: int) -> str:
        if received_ns != self._written_ns:
            # Frames that came together have one time.
            self._written_ns, self._written = received_ns, rfc3339(received_ns)
        return self._written

    def _say(self, text: str) -> None:
        """Log what may come with every frame: each kind of words once a minute."""
        line = self._words.say(text, int(self._world.monotonic()))
        if line is not None:
            self._world.log.warning("%s", line, extra=told_of(self._line))
