"""The thread between the event loop and Kafka: it writes frames to the spool, then sends them.

Whatever comes is kept first, in groups of a few milliseconds. What fits beside what is on its way
is sent from memory; the rest is read back, in order, as Kafka takes it. What Kafka has is forgotten
with one of the next groups.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from producers.sink import IN_FLIGHT_BYTES_MAX, IN_FLIGHT_RECORDS_MAX
from producers.spool.records import Group, HeaderWriter, Record
from producers.spool.spool import Spool
from schemas.headers import Headers

GATHER_SECONDS: Final = 0.004
"""For so long frames gather before they are written: at most 5 ms."""
AHEAD_BYTES_MAX: Final = 4 * 1024 * 1024
"""What is written and has to wait is kept in memory, too, up to here: it need not be read back."""
BEHIND_BYTES_MAX: Final = 8 * 1024 * 1024
BEHIND_RECORDS_MAX: Final = 10_000
"""What is not written yet; beyond it nobody takes more from a socket."""
_POLL_SECONDS: Final = 0.002
_QUIET_SECONDS: Final = 0.05
_BACKOFF_SECONDS: Final = 0.25
_BACKOFF_SECONDS_MAX: Final = 15.0
_LAST_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 15.0


class Sending(Protocol):
    """A client: see `producers.sink.Sink`."""

    broken: str | None
    too_large: bool
    fenced: bool

    def send(  # noqa: D102
        self,
        key: bytes | None,
        value: bytes,
        headers: Headers,
        delivered: Callable[[object, object], None],
    ) -> bool: ...
    def poll(self, seconds: float = 0.0) -> None: ...  # noqa: D102
    def failed(self, error: object) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class _Flight:
    """A group on its way; `delivered` is called for each of its records."""

    __slots__ = ("acknowledged", "count", "end", "left", "number", "sink", "size_bytes")

    def __init__(self, group: Group, sink: Sending) -> None:
        self.number, self.end = group.number, group.end
        self.count = self.left = len(group.records)
        self.size_bytes = group.size_bytes
        self.sink = sink
        # Which of its records Kafka has, where they are sent one by one.
        self.acknowledged: set[int] = set()

    def one_delivered(self, at: int, error: object, _: object) -> None:
        if error is None:
            self.acknowledged.add(at)
        self.delivered(error, _)

    def delivered(self, error: object, _: object) -> None:
        if error is None:
            self.left -= 1
        else:
            self.sink.failed(error)


class Courier:
    """Takes records from `offer`, in any thread; the rest is its own thread's.

    `make_sink` makes a client, `singly` where batches were too large. `acknowledged` is called with
    a number of frames that Kafka has, `progress` when `settled` has changed, `fenced` when another
    client may have taken the place of ours: nothing more is sent until `go_on`.
    """

    def __init__(
        self,
        spool: Spool,
        make_sink: Callable[[bool], Sending],
        *,
        log: logging.Logger,
        acknowledged: Callable[[int], object],
        progress: Callable[[], object],
        failed: Callable[[BaseException], object],
        fenced: Callable[[], object] = lambda: None,
        in_flight_bytes_max: int = IN_FLIGHT_BYTES_MAX,
    ) -> None:
        self._spool = spool
        self._make_sink = make_sink
        self._log = log
        self._on_acknowledged = acknowledged
        self._on_progress = progress
        self._on_failed = failed
        self._on_fenced = fenced
        self._in_flight_bytes_max = in_flight_bytes_max
        self._fresh: deque[tuple[Sequence[Record], int]] = deque()
        self._woken = threading.Event()
        self._stopping = False
        self._headers = HeaderWriter()
        self._sink: Sending | None = None
        self._flights: deque[_Flight] = deque()
        self._in_flight = 0
        self._in_flight_bytes = 0
        self._rest: tuple[_Flight, Group, int] | None = None
        # The next ones to be sent, as far as they are in memory.
        self._ahead: deque[Group] = deque()
        self._ahead_bytes = 0
        self._boundary = 0
        self._taken = 0
        self._offered = self._offered_bytes = self._written = self._written_bytes = 0
        self._floor = 0
        self._moved_at = 0.0
        self._again_at = 0.0
        self._backoff_seconds = _BACKOFF_SECONDS
        self._singly = False
        self._acknowledged: dict[int, set[int]] = {}
        self.settled = 0
        """Records of this process up to which Kafka has all; -1: not those from before."""
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    def start(self, found: int) -> None:
        """Begin; `found` records lie in the spool from before."""
        self.settled = -1 if found else 0
        self._boundary = self._spool.last
        self._thread.start()

    def offer(self, records: Sequence[Record]) -> None:
        """Take records; waits for nothing."""
        size_bytes = sum([len(record.frame) for record in records])
        self._fresh.append((records, size_bytes))
        self._offered += len(records)
        self._offered_bytes += size_bytes
        if not self._woken.is_set():
            self._woken.set()

    def wake(self) -> None:
        """Something can be sent, or was taken, in any thread."""
        self._woken.set()

    def go_on(self) -> None:
        """Send again after all that was fenced: nobody else is to."""
        self._again_at = 0.0
        self._woken.set()

    @property
    def is_behind(self) -> bool:
        """Whether more came than the disk took for long: the memory for it is bounded."""
        return (
            self._offered - self._written > BEHIND_RECORDS_MAX
            or self._offered_bytes - self._written_bytes > BEHIND_BYTES_MAX
        )

    def stop(self) -> bool:
        """End the thread, once what came is written; what was not sent stays in the spool.

        False where it hangs, in a disk that does not answer: then the spool is still its own.
        """
        self._stopping = True
        self._woken.set()
        self._thread.join(_STOP_SECONDS)
        return not self._thread.is_alive()

    def hold(self) -> None:
        """Something was dropped: nothing counts as settled before what came until now is."""
        self._floor = self._taken
        self._forget_ahead()

    # -- the thread

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
            self._last_turns()
        except BaseException as error:  # noqa: BLE001 - it belongs to who waits
            self._on_failed(error)
        finally:
            if self._sink is not None:
                self._sink.close()

    def _turn(self) -> None:
        moved = time.monotonic() - self._moved_at < 1.0
        woken = self._woken.wait(_POLL_SECONDS if moved else _QUIET_SECONDS)
        if woken and self._woken.is_set():
            self._woken.clear()
            time.sleep(GATHER_SECONDS)
        came = self._take()
        self._send_on()
        self._spool.tick(idle=not came and not self._flights)

    def _last_turns(self) -> None:
        while self._take():
            pass
        deadline = time.monotonic() + _LAST_SECONDS
        while self._flights and self._sink is not None and time.monotonic() < deadline:
            self._sink.poll(_POLL_SECONDS)
            self._settle()

    def _take(self) -> bool:
        """Write what has come, and send it where nothing waits before it."""
        came = [self._fresh.popleft() for _ in range(len(self._fresh))]
        if not came:
            return False
        records = [record for some, _ in came for record in some]
        # Before it is looked what waits: what is heard here may have something read ahead.
        self._poll()
        waited = self._waits()
        self._taken += len(records)
        groups = self._spool.append(records, self._taken)
        self._written += len(records)
        self._written_bytes += sum([size_bytes for _, size_bytes in came])
        for group in groups:
            if waited or not self._has_room():
                waited = True
                self._keep_ahead(group)
            elif not self._send(group):
                waited = True
        return True

    def _keep_ahead(self, group: Group) -> None:
        """Keep a group in memory that has to wait, where all between it and what is sent are."""
        before = self._ahead[-1].number if self._ahead else self._spool.sent
        room = AHEAD_BYTES_MAX - self._ahead_bytes
        if group.number == before + 1 and group.size_bytes <= room:
            self._ahead.append(group)
            self._ahead_bytes += group.size_bytes

    def _forget_ahead(self) -> None:
        self._ahead.clear()
        self._ahead_bytes = 0

    def _waits(self) -> bool:
        return self._rest is not None or self._reads_ahead()

    def _reads_ahead(self) -> bool:
        """Whether there is something to be sent; then the next of it is in memory."""
        if not self._ahead and self._spool.sent < self._spool.last:
            self._ahead.extend(self._spool.after(self._spool.sent))
            self._ahead_bytes = sum([group.size_bytes for group in self._ahead])
        return bool(self._ahead)

    # -- sending

    def _send_on(self) -> None:
        """Send what waits, as far as there is room."""
        self._poll()
        if self._sink is None or (self._rest is not None and not self._send_rest()):
            return
        while self._has_room() and self._reads_ahead():
            group = self._ahead.popleft()
            self._ahead_bytes -= group.size_bytes
            self._moved_at = time.monotonic()
            if not self._send(group):
                return

    def _has_room(self) -> bool:
        if self._sink is None or self._rest is not None:
            return False
        return not self._flights or (
            self._in_flight < IN_FLIGHT_RECORDS_MAX
            and self._in_flight_bytes < self._in_flight_bytes_max
        )

    def _send(self, group: Group) -> bool:
        """Hand a group over; whether all of it was taken."""
        if self._sink is None:
            return False
        flight = _Flight(group, self._sink)
        flight.acknowledged = self._acknowledged.pop(group.number, flight.acknowledged)
        flight.left -= len(flight.acknowledged)
        self._flights.append(flight)
        self._in_flight += flight.count
        self._in_flight_bytes += flight.size_bytes
        self._spool.sent = group.number
        self._rest = (flight, group, 0)
        return self._send_rest()

    def _send_rest(self) -> bool:
        if self._rest is None:
            return True
        flight, group, first = self._rest
        headers, send, delivered = self._headers.headers, flight.sink.send, flight.delivered
        for at, record in enumerate(group.records[first:], start=first):
            if self._singly:
                if at in flight.acknowledged:
                    continue
                delivered = partial(flight.one_delivered, at)
            if not send(record.key, record.frame, headers(record), delivered):
                self._rest = (flight, group, at)
                return False
        self._rest = None
        return True

    def _poll(self) -> None:
        """Hear what Kafka has; have a client where there is none, or it broke."""
        if self._sink is None:
            if time.monotonic() >= self._again_at:
                self._sink = self._make_sink(self._singly)
            return
        self._sink.poll()
        self._settle()
        if self._sink.broken is not None:
            self._renew(self._sink)

    def _settle(self) -> None:
        """Forget the groups that Kafka has, as far as all before them are there."""
        flights, settled = self._flights, None
        while flights and not flights[0].left:
            settled = flights.popleft()
            self._in_flight -= settled.count
            self._in_flight_bytes -= settled.size_bytes
            self._on_acknowledged(settled.count)
        if settled is None:
            return
        self._moved_at = time.monotonic()
        self._backoff_seconds = _BACKOFF_SECONDS
        self._spool.settle(settled.number)
        if not flights and not self._waits():
            self._count_settled(self._taken)
        elif settled.number > self._boundary and settled.end >= self._floor:
            self._count_settled(settled.end)

    def _count_settled(self, end: int) -> None:
        if end > self.settled:
            self.settled = end
            self._on_progress()

    def _renew(self, sink: Sending) -> None:
        """A new client, after a while, which begins with what Kafka does not have for sure."""
        words = "Kafka refuses frames (%s): what it did not acknowledge is sent again in %.2g s"
        self._log.error(words, sink.broken, self._backoff_seconds)
        self._singly = self._singly or sink.too_large
        # One that is refused again and again must not have the others come again and again.
        self._acknowledged = {one.number: one.acknowledged for one in self._flights}
        sink.close()
        self._sink = None
        self._rest = None
        self._forget_ahead()
        self._flights.clear()
        self._in_flight = self._in_flight_bytes = 0
        self._spool.sent = self._spool.settled
        if sink.fenced:
            # Whether another client is to send nobody knows here. What comes is kept.
            self._again_at = math.inf
            self._on_fenced()
            return
        self._again_at = time.monotonic() + self._backoff_seconds
        self._backoff_seconds = min(_BACKOFF_SECONDS_MAX, self._backoff_seconds * 2)
