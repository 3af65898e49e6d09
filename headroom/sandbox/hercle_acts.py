"""What faults do to Hercle's open connections, at once or after the next answer."""

import asyncio
import json
from collections.abc import Collection, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final

from headroom.sandbox.hercle_connection import HercleConnection
from headroom.sandbox.orders import Ordered, Orders
from headroom.sandbox.wire import key_reason

_POLICY_VIOLATION: Final = 1008
_GATE: Final = frozenset({"unavailable", "refused-once", "refused-html", "redirect-refused"})


class HercleActs:
    """Does what the faults that act are ordered to do; once for each order."""

    def __init__(
        self,
        orders: Orders,
        keys: Mapping[str, str],
        connected: Collection[HercleConnection],
    ) -> None:
        self._orders = orders
        self._keys = keys
        self._connected = connected
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
        for connection in connections:
            with suppress(ConnectionError):
                await self._act_on(connection, name)
        if name not in _GATE:
            self._orders.struck(ordered)

    async def _act_on(self, connection: HercleConnection, name: str) -> None:
        reason = key_reason(self._keys[connection.user_id])
        if name == "key-in-close":
            # Beside whoever answers: the end waits for the client's own.
            self.begin(connection.end(_POLICY_VIOLATION, reason, reason=reason))
        elif name == "key-in-message":
            await connection.tell(json.dumps({"notice": reason}), name)
        else:
            await connection.cut()
