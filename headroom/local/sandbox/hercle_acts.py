"""What faults do to Hercle's open connections, at once or after the next answer."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final

from headroom.local.sandbox.faults import AWAY
from headroom.local.sandbox.flood import Flood
from headroom.local.sandbox.hercle_connection import HercleConnection
from headroom.local.sandbox.orders import Ordered, Orders
from headroom.local.sandbox.pace import Sleep
from headroom.local.sandbox.wire import key_reason

_POLICY_VIOLATION: Final = 1008
_GOING_AWAY: Final = 1001
_GATE: Final = frozenset(
    {
        *AWAY,
        "refused-once",
        "refused-html",
        "redirect",
        "redirect-loop",
        "redirect-refused",
        "long-polling",
        "refuse",
        "certificate",
    }
)


class HercleActs:
    """Does what the faults that act are ordered to do; once for each order."""

    def __init__(
        self,
        orders: Orders,
        keys: Mapping[str, str],
        connected: Collection[HercleConnection],
        flood: Callable[[HercleConnection, int], Awaitable[None]],
        *,
        monotonic_ns: Callable[[], int],
        sleep: Sleep,
    ) -> None:
        self._orders = orders
        self._keys = keys
        self._connected = connected
        self._flood_one = flood
        self._monotonic_ns = monotonic_ns
        self._sleep = sleep
        self._tasks: set[asyncio.Task[None]] = set()

    def changed(self, ordered: Ordered) -> None:
        """A fault has begun or ended."""
        begins = not ordered.over.is_set()
        struck = [each for each in self._connected if ordered.strikes(each.user_id)]
        if ordered.fault.name == "deaf":
            for connection in struck:
                connection.deafen() if begins else connection.hear()
        elif ordered.fault.acts and begins:
            shaken = [each for each in struck if each.session.shaken]
            # What the gate does later is its own matter; there may be nobody to cut off now.
            if shaken or ordered.fault.name in _GATE:
                self.begin(self._act(ordered, shaken))

    async def answered(self, connection: HercleConnection) -> None:
        """A connection has been answered: do what waits for that."""
        if self._orders.on("deaf", connection.user_id):
            connection.deafen()
        for ordered in self._orders.running():
            waits = ordered.fault.acts and not ordered.acted
            if waits and ordered.strikes(connection.user_id):
                await self._act(ordered, [connection])

    def begin(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do something beside all else; `stop()` waits for it."""
        task = asyncio.create_task(doing, name="hercle fault")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Wait for what has begun: the faults are over, so that it ends by itself."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _act(self, ordered: Ordered, connections: list[HercleConnection]) -> None:
        ordered.acted = True
        name = ordered.fault.name
        if name == "flood":  # It is over when its time is.
            self.begin(self._flood(ordered))
            return
        for connection in connections:
            with suppress(ConnectionError):
                await self._act_on(connection, ordered)
        if name not in _GATE:
            self._orders.struck(ordered)

    async def _act_on(self, connection: HercleConnection, ordered: Ordered) -> None:
        """Do it to one connection; an end is waited for by somebody else, since it takes two."""
        reason = key_reason(self._keys[connection.user_id])
        match ordered.fault.name:
            case "close":
                self.begin(connection.close(ordered.order.code or _GOING_AWAY))
            case "goodbye" | "goodbye-return" as name:
                returning = name == "goodbye-return"
                self.begin(connection.end(_GOING_AWAY, allow_reconnect=returning))
            case "key-in-close":
                self.begin(connection.end(_POLICY_VIOLATION, reason, reason=reason))
            case "key-in-message" as name:
                await connection.tell(json.dumps({"notice": reason}), name)
            case _:
                await connection.cut()

    async def _flood(self, ordered: Ordered) -> None:
        async for count in Flood(ordered, self._monotonic_ns, self._sleep).batches():
            for connection in list(self._connected):
                if connection.session.shaken and ordered.strikes(connection.user_id):
                    await self._flood_one(connection, count)
