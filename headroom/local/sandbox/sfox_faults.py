"""What faults make of sFOX's frames: pure but for the market, which a fault may move."""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from headroom.local.sandbox.holdings import Account
from headroom.local.sandbox.market import Market
from headroom.local.sandbox.orders import Orders
from headroom.local.sandbox.sfox_session import SfoxSession, updates_of
from headroom.local.sandbox.wire import padded

WEB3_CURRENCY: Final = "uni"
"""The currency of a web3 entry of its own: no account holds it otherwise."""

_HELD: Final = re.compile(r'"held": "[^"]*"')
_TRADING: Final = re.compile(r'"trading_wallet": "[^"]*"')


class Frame(msgspec.Struct, frozen=True):
    """A data frame to send, and the fault that made it what it is."""

    sequence: int
    text: str
    fault: str | None = None


class SfoxFaults:
    """Makes the frames of one change of an account, with the faults that are on."""

    def __init__(self, orders: Orders, market: Market, clock_ns: Callable[[], int]) -> None:
        self._orders = orders
        self._market = market
        self._clock_ns = clock_ns

    def frames(self, session: SfoxSession, account: Account) -> list[Frame]:
        """What to send of an account: one frame where no fault is on.

        What is wrong with the sequence begins with the second frame of a connection.
        """
        user = account.user_id
        if session.frames and self._orders.strike("gap", user):
            session.skip()
            return []
        if session.frames and self._orders.strike("wrong-order", user):
            return self._wrong_order(session, account)
        fault = self._counts_anew(session, user)
        frame = self._frame(session, account, fault)
        if large := self._orders.strike("large", user):
            frame = Frame(frame.sequence, padded(frame.text, large.order.megabytes), "large")
        if self._orders.strike("duplicate", user):
            frame = Frame(frame.sequence, frame.text, "duplicate")
            return [frame, frame]
        return [frame]

    def _frame(self, session: SfoxSession, account: Account, fault: str | None = None) -> Frame:
        updates, wrong = self._updates(account)
        untimed = self._orders.on("counts-anew-untimed", account.user_id)
        now_ns = None if untimed else self._clock_ns()
        sequence, text = session.frame(account, now_ns, updates)
        fault = fault or wrong or ("counts-anew-untimed" if untimed else None)
        return Frame(sequence, text, fault)

    def _counts_anew(self, session: SfoxSession, user: str) -> str | None:
        if not session.frames:
            return None
        if self._orders.strike("counts-anew", user):
            session.count_anew()
            return "counts-anew"
        untimed = self._orders.on("counts-anew-untimed", user)
        if untimed is not None and not session.untimed:
            session.count_anew()
            session.untimed = True
        elif untimed is None:
            session.untimed = False
        return None

    def _wrong_order(self, session: SfoxSession, account: Account) -> list[Frame]:
        """Sequence n, n + 2, n + 1, each another balance; what is sent last is told last too."""
        name = "wrong-order"
        first = self._frame(session, account, name)
        self._market.move(account)
        late, _ = self._updates(account)
        late_sequence = session.skip()
        self._market.move(account)
        newest = self._frame(session, account, name)
        _, text = session.frame(account, self._clock_ns(), late, sequence=late_sequence)
        return [first, newest, Frame(late_sequence, text, name)]

    def _updates(self, account: Account) -> tuple[list[str], str | None]:
        updates, user = updates_of(account), account.user_id
        if self._orders.strike("held-number", user):
            updates[0] = _HELD.sub('"held": 0', updates[0])
            return updates, "held-number"
        if self._orders.strike("null-wallet", user):
            updates[0] = _TRADING.sub('"trading_wallet": null', updates[0])
            return updates, "null-wallet"
        if self._orders.strike("web3-entry", user):
            return [*updates, _web3(WEB3_CURRENCY, "12.5")], "web3-entry"
        if self._orders.strike("web3-in-place", user):
            code, holding = next(iter(account.holdings.items()))
            balance = account.asset(code).text(holding.balance)
            return [_web3(code.lower(), balance), *updates[1:]], "web3-in-place"
        return updates, None


def _web3(currency: str, balance: str) -> str:
    return (
        f'{{"currency": "{currency}", "balance": "{balance}", '
        f'"address": "0x{0:040x}", "network": "ethereum", "type": "web3"}}'
    )
