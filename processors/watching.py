"""A worker that watches for how long accounts have not been live, where rules ask for it.

It stands beside the agents and reads what they have committed. What it finds goes to the users'
agent as an order, outside of any transaction: it may come twice, late, or not at all. The fold
makes one alert of it all the same (`alerts/observed.py`), and what is still so is found again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Final

from processors.alerts.liveness import Begun, Look, Moment
from processors.alerts.rules import Rule, rules_of_time
from processors.engine.app import EngineApp
from processors.engine.sender import Sender
from processors.engine.table import Table, rows_in_turns
from processors.freshness import Connections
from processors.ledger.moves import Observed
from schemas.codec import encode

log = logging.getLogger(__name__)

LOOK_SECONDS_MIN: Final = 1.0
LOOK_SECONDS_MAX: Final = 5.0
_LOOKS: Final = 20
"""So many within the shortest time of a rule, as far as that is not too often or too seldom."""
_REST: Final = 10
_NS_PER_S: Final = 1_000_000_000
AGAIN_SECONDS: Final = 10.0
"""After this long an order that has changed nothing is sent again: it was void, or got lost."""

_About = tuple[str, str, str, str]


class Watching:
    """Looks at the rows of this worker's partitions; `topic` is where orders go.

    `now` says how the connections are, `monotonic_ns` and `clock_ns` when that is.
    """

    def __init__(
        self,
        app: EngineApp,
        *,
        users: Table,
        alerts: Table,
        rules: tuple[Rule, ...],
        topic: str,
        now: Callable[[], Connections],
        clock_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
    ) -> None:
        self._app = app
        self._users, self._alerts = users, alerts
        self._rules = rules_of_time(rules)
        self._topic = topic
        self._now = now
        self._clock_ns, self._monotonic_ns = clock_ns, monotonic_ns
        self._sender = Sender(app.librdkafka, transactional_id=None)
        self._begun: dict[int, Begun] = {}
        # When each order was sent that may still be followed; one that is under way has no time.
        self._asked: dict[_About, tuple[Observed, int | None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop` is set; it only waits for that where no rule asks for more."""
        if not self._rules:
            await stop.wait()
            return
        await self._sender.open()
        try:
            while not stop.is_set():
                begun_ns = self._monotonic_ns()
                if self._app.serving:
                    await self._look()
                took_seconds = (self._monotonic_ns() - begun_ns) / _NS_PER_S
                pause_seconds = max(_pause_seconds(self._rules), _REST * took_seconds)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause_seconds)
        finally:
            await self._sender.close()

    async def _look(self) -> None:
        connections = self._now()
        partitions = sorted(self._users.open_partitions)
        self._begun = {one: self._begun.get(one, {}) for one in partitions}
        for partition in partitions:
            read = partial(self._alerts.committed, partition)
            moment = Moment(self._monotonic_ns(), self._clock_ns())
            look = Look(self._rules, self._begun[partition], connections, moment, read)
            try:
                async for _, row in rows_in_turns(self._alerts, partition):
                    look.see_alerts(row)
                async for _, row in rows_in_turns(self._users, partition):
                    look.see_user(row)
            except KeyError:
                continue  # it went to another worker
            self._begun[partition] = look.begun_now
            for order in look.orders:
                self._send(partition, order)
        self._forget(self._monotonic_ns())

    def _send(self, partition: int, order: Observed) -> None:
        about = order.user, order.venue, order.account, order.rule
        asked = self._asked.get(about)
        if asked is not None and (asked[1] is None or _is_same(asked[0], order)):
            return
        self._asked[about] = order, None
        try:
            self._sender.offer(
                self._topic,
                order.user.encode(),
                encode(order),
                partition,
                delivered=partial(self._delivered, about, order),
            )
        except BufferError:
            del self._asked[about]  # the next look finds it again

    def _delivered(self, about: _About, order: Observed, error: Any, message: object) -> None:  # noqa: ANN401, ARG002 - librdkafka's
        if error is not None:
            # What Kafka refuses for good stops the agents, too: they write where this does.
            log.warning("an alert's order was not taken: %s", error)
            self._asked.pop(about, None)
        else:
            self._asked[about] = order, self._monotonic_ns()

    def _forget(self, now_ns: int) -> None:
        """Orders that were sent long ago may be sent again."""
        long_ago = now_ns - int(AGAIN_SECONDS * _NS_PER_S)
        for about, (_, at_ns) in list(self._asked.items()):
            if at_ns is not None and at_ns < long_ago:
                del self._asked[about]


def _is_same(one: Observed, other: Observed) -> bool:
    return (one.level, one.told) == (other.level, other.told)


def _pause_seconds(rules: tuple[Rule, ...]) -> float:
    """How long to wait between looks: a fraction of the shortest time that a rule asks for."""
    marks = [mark.at for rule in rules for mark in (rule.warning, rule.breach) if mark is not None]
    shortest = min(marks, default=Decimal(0))
    return min(LOOK_SECONDS_MAX, max(LOOK_SECONDS_MIN, float(shortest) / _LOOKS))
