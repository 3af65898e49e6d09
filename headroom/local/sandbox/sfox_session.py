"""sFOX's WebSocket protocol from the venue's side: requests in, answers and data frames out.

Pure: no I/O and no clock, one `SfoxSession` for each connection.

Source: https://docs.sfox.com/websocket-api
"""

import hmac
import json
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from headroom.local.sandbox.holdings import Account

FEED: Final = "private.enterprise.users.balances"


class SfoxSession:
    """One connection's protocol: requests in, answers and data frames out; no I/O, no clock.

    The sequence is the connection's own; its first values are spent on the answers.
    """

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key.encode()
        self._sequence = 0
        self._enterprise = False
        self.subscribed = False
        self.frames = 0
        """How many data frames it has made."""
        self.untimed = False
        """Whether it counts anew without the time, by a fault."""

    def receive(
        self,
        message: str | bytes,
        now_ns: int,
        *,
        refuses: Callable[[object], bool] = lambda _action: False,
    ) -> str:
        """The answer to one request: of type `success`, or `error` for one that is refused.

        `refuses` may refuse an action that would be accepted.
        """
        request = _object_of(message)
        action = request.get("type")
        accepted = False
        if refuses(action):
            pass
        elif action == "authenticate":
            accepted = self._authenticate(request)
        elif action == "subscribe":
            # Every feed of this list must be one that we have, and the connection an enterprise's.
            accepted = self._enterprise and request.get("feeds") == [FEED]
            self.subscribed = self.subscribed or accepted
        return self._said("success" if accepted else "error", action, now_ns)

    def frame(
        self,
        account: Account,
        now_ns: int | None,
        updates: Sequence[str] | None = None,
        *,
        sequence: int | None = None,
    ) -> tuple[int, str]:
        """A data frame of one user's whole balances, and its sequence: the next, or that given.

        Without a time it has no `timestamp`; `updates` are other entries than the account's.
        """
        if sequence is None:
            sequence = self.skip()
        self.frames += 1
        entries = ", ".join(updates_of(account) if updates is None else updates)
        time = "" if now_ns is None else f'"timestamp": {now_ns}, '
        return sequence, (
            f'{{"sequence": {sequence}, "recipient": "{FEED}", {time}'
            f'"payload": {{"user_id": {json.dumps(account.user_id, ensure_ascii=False)}, '
            f'"updates": [{entries}]}}}}'
        )

    def skip(self) -> int:
        """Spend a sequence number, and return it."""
        self._sequence += 1
        return self._sequence

    def count_anew(self) -> None:
        """The next sequence number is 1."""
        self._sequence = 0

    def ended(self, action: str, now_ns: int) -> str:
        """Say that the session (`authenticate`) or the subscription (`subscribe`) is over."""
        self._enterprise = self._enterprise and action != "authenticate"
        self.subscribed = False
        return self._said("error", action, now_ns)

    def _said(self, outcome: str, action: object, now_ns: int) -> str:
        self._sequence += 1
        name = json.dumps(action if isinstance(action, str) else "unknown")
        return (
            f'{{"type": "{outcome}", "sequence": {self._sequence}, "timestamp": {now_ns}, '
            f'"payload": {{"action": {name}}}, "action": {name}}}'
        )

    def _authenticate(self, request: dict[str, object]) -> bool:
        key, enterprise = request.get("apiKey"), request.get("enterprise")
        if not isinstance(key, str) or not hmac.compare_digest(key.encode(), self._api_key):
            return False
        # One page of the documents shows the text, another the boolean.
        self._enterprise = enterprise is True or enterprise == "true"
        return True


def updates_of(account: Account) -> list[str]:
    """The entries of an account's assets, in their order."""
    return [_update(account, code) for code in account.holdings]


def _update(account: Account, code: str) -> str:
    asset, holding = account.asset(code), account.holdings[code]
    text = asset.text
    return (
        f'{{"currency": "{code.lower()}", "balance": "{text(holding.balance)}", '
        f'"available": "{text(holding.available)}", "held": "{text(holding.held)}", '
        f'"trading_wallet": "{text(holding.trading)}", '
        f'"collateral_wallet": "{text(holding.collateral)}", '
        f'"borrow_wallet": "{text(holding.borrow)}", '
        f'"lending_wallet": "{text(holding.lending)}", '
        f'"staking_wallet": "{text(holding.staking)}"}}'
    )


def _object_of(message: str | bytes) -> dict[str, object]:
    """The JSON object of a request; an empty one for anything else."""
    try:
        value = msgspec.json.decode(message)
    except (ValueError, RecursionError):  # A decoding error of msgspec's is a ValueError.
        return {}
    return value if isinstance(value, dict) else {}
