"""What faults do to sFOX's open connections, at once or as soon as somebody is subscribed."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from headroom.local.sandbox.faults import AWAY
from headroom.local.sandbox.flood import Flood
from headroom.local.sandbox.journal import Sent
from headroom.local.sandbox.market import Market
from headroom.local.sandbox.orders import Ordered, Orders
from headroom.local.sandbox.pace import Sleep
from headroom.local.sandbox.sfox_session import SfoxSession, updates_of
from headroom.local.sandbox.wire import key_reason, reset_once_delivered

if TYPE_CHECKING:
    from headroom.local.sandbox.holdings import Account

Subscribers = dict[ServerConnection, tuple[str, SfoxSession]]

_POLICY_VIOLATION: Final = 1008
_GOING_AWAY: Final = 1001
_GATE: Final = frozenset({"auth-error", "auth-blocked", "refuse", "certificate", *AWAY})


class Room(msgspec.Struct, frozen=True):
    """What the acts may touch of the venue; `send` sends a message that a producer would keep."""

    api_key: str
    market: Market
    orders: Orders
    sending: asyncio.Lock
    subscribers: Subscribers
    connected: Callable[[], list[ServerConnection]]
    send: Callable[[ServerConnection, str, str, str], Awaitable[bool]]
    send_many: Callable[[ServerConnection, list[Sent]], None]
    clock_ns: Callable[[], int]
    monotonic_ns: Callable[[], int]
    sleep: Sleep


class SfoxActs:
    """Does what the faults that act are ordered to do; once for each order."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._tasks: set[asyncio.Task[None]] = set()
        self.last_told: Account | None = None

    def changed(self, ordered: Ordered) -> None:
        """A fault has begun or ended."""
        if not ordered.fault.acts:
            return
        if not ordered.over.is_set():
            self._begin(self._act_in_turn())
        elif ordered.fault.name == "missed-while-away" and ordered.acted:
            for account in self._room.market.accounts:
                if account.user_id in self._room.market.resting:
                    self._room.market.resting.discard(account.user_id)
                    self._room.market.visit_next(account)

    async def stop(self) -> None:
        """Do no more, and wait for what has begun."""
        async with self._room.sending:  # Never between a send and its line in the journal.
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def act(self) -> None:
        """Do what has been ordered and not been done; whoever calls holds `sending`."""
        for ordered in self._room.orders.running():
            if ordered.fault.acts and not ordered.acted:
                await self._act(ordered)

    async def _act_in_turn(self) -> None:
        async with self._room.sending:
            await self.act()

    async def _act(self, ordered: Ordered) -> None:
        room, name = self._room, ordered.fault.name
        if name in _GATE:
            # What it does later is a matter of who comes; there may be nobody to cut off now.
            ordered.acted = True
            await self._cut()
            return
        if not room.subscribers:
            return
        ordered.acted = True
        if name == "flood":  # It is over when its time is.
            self._begin(self._flood(ordered))
            return
        match name:
            case "cut":
                await self._cut()
            case "close":
                self._close(ordered.order.code or _GOING_AWAY)
            case "missed-while-away":
                await self._cut()
                self._change_unseen(ordered)
            case "session-ended" | "subscription-ended":
                await self._say_ended("authenticate" if name == "session-ended" else "subscribe")
            case "key-in-close":
                self._close(_POLICY_VIOLATION, key_reason(room.api_key))
            case "key-in-message":
                await self._say_key()
        room.orders.struck(ordered)

    async def _flood(self, ordered: Ordered) -> None:
        """Tell all accounts in turn, far more often than they change."""
        room, flood = self._room, Flood(ordered, self._room.monotonic_ns, self._room.sleep)
        accounts = itertools.cycle(room.market.accounts)
        told: dict[str, tuple[int, list[str]]] = {}
        async for count in flood.batches():
            async with room.sending:
                room.market.step()
                for connection, (name, session) in list(room.subscribers.items()):
                    if connection.transport.get_write_buffer_size() < flood.unread_bytes_max:
                        some = itertools.islice(accounts, count)
                        frames = [self._flooding(name, session, each, told) for each in some]
                        room.send_many(connection, frames)

    def _flooding(
        self,
        name: str,
        session: SfoxSession,
        account: "Account",
        told: dict[str, tuple[int, list[str]]],
    ) -> Sent:
        changes, updates = told.get(account.user_id, (-1, []))
        if changes != account.changes:
            updates = updates_of(account)
            told[account.user_id] = account.changes, updates
        now_ns = self._room.clock_ns()
        sequence, text = session.frame(account, now_ns, updates)
        return Sent(
            account=account.user_id,
            connection=name,
            sequence=sequence,
            sent_ns=now_ns,
            frame=text,
            fault="flood",
        )

    def _close(self, code: int, reason: str = "") -> None:
        for connection in self._leaving():
            self._begin(connection.close(code, reason))

    async def _say_key(self) -> None:
        text = json.dumps({"notice": key_reason(self._room.api_key)})
        for connection, (told, _) in list(self._room.subscribers.items()):
            await self._room.send(connection, told, text, "key-in-message")

    async def _say_ended(self, action: str) -> None:
        for connection, (_, session) in list(self._room.subscribers.items()):
            text = session.ended(action, self._room.clock_ns())
            del self._room.subscribers[connection]
            with suppress(ConnectionClosed):
                await connection.send(text)

    async def _cut(self) -> None:
        self._leaving()
        for connection in self._room.connected():
            await reset_once_delivered(connection.transport, self._room.sleep)

    def _change_unseen(self, ordered: Ordered) -> None:
        """Change the account that is meant, else that of the newest frame, and let it rest."""
        market = self._room.market
        named = [each for each in market.accounts if each.user_id == ordered.user]
        account = named[0] if named else self.last_told or market.accounts[0]
        market.move(account)
        market.resting.add(account.user_id)

    def _leaving(self) -> list[ServerConnection]:
        """The subscribed connections, which get no more frames."""
        leaving = list(self._room.subscribers)
        self._room.subscribers.clear()
        return leaving

    def _begin(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(doing, name="sfox fault")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
