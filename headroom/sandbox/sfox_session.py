"""sFOX's WebSocket protocol from the venue's side: requests in, answers and data frames out.

Pure: no I/O and no clock, one `SfoxSession` for each connection.

Source: https://docs.sfox.com/websocket-api
"""

import hmac
import json
from typing import Final

import msgspec

from headroom.sandbox.holdings import Account

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

    def receive(self, message: str | bytes, now_ns: int) -> str:
        """The answer to one request: of type `success`, or `error` for one that is refused."""
        request = _object_of(message)
        action = request.get("type")
        accepted = False
        if action == "authenticate":
            accepted = self._authenticate(request)
        elif action == "subscribe":
            # Every feed of this list must be one that we have, and the connection an enterprise's.
            accepted = self._enterprise and request.get("feeds") == [FEED]
            self.subscribed = self.subscribed or accepted
        self._sequence += 1
        name = json.dumps(action if isinstance(action, str) else "unknown")
        outcome = "success" if accepted else "error"
        return (
            f'{{"type": "{outcome}", "sequence": {self._sequence}, "timestamp": {now_ns}, '
            f'"payload": {{"action": {name}}}, "action": {name}}}'
        )

    def frame(self, account: Account, now_ns: int) -> tuple[int, str]:
        """A data frame of one user's whole balances, and its sequence."""
        self._sequence += 1
        updates = ", ".join(_update(account, code) for code in account.holdings)
        return self._sequence, (
            f'{{"sequence": {self._sequence}, "recipient": "{FEED}", "timestamp": {now_ns}, '
            f'"payload": {{"user_id": {json.dumps(account.user_id, ensure_ascii=False)}, '
            f'"updates": [{updates}]}}}}'
        )

    def _authenticate(self, request: dict[str, object]) -> bool:
        key, enterprise = request.get("apiKey"), request.get("enterprise")
        if not isinstance(key, str) or not hmac.compare_digest(key.encode(), self._api_key):
            return False
        # One page of the documents shows the text, another the boolean.
        self._enterprise = enterprise is True or enterprise == "true"
        return True


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
