"""The documented frames of both venues, and odd ones beside them."""

import json

SFOX = (
    b'{"sequence": 22, "recipient": "private.enterprise.users.balances", '
    b'"timestamp": 1710367225302228171, "payload": {"user_id": "test3", "updates": ['
    b'{"currency": "btc", "balance": "9.99850081", "available": "9.99850081", "held": "0", '
    b'"trading_wallet": "9.99850081", "collateral_wallet": "0", "borrow_wallet": "0", '
    b'"lending_wallet": "0", "staking_wallet": "0"}]}}'
)

HERCLE = (
    b'{"type": 1, "target": "executionEvents", "arguments": [{"subject": '
    b'"account.balances.snapshot", "clientId": "my-client-123", "data": {"userId": "user-123", '
    b'"sequence": 123, "assets": [{"name": "BTC", "available": 0.5, "allocated": 0, '
    b'"currentExposure": 0, "maxExposure": 1500}], "baseCurrency": "EUR", '
    b'"totalCurrentExposure": 1430, "totalMaxExposure": 1500, "deleted": false}}]}'
)

AUTHENTICATED = (
    b'{"type": "success", "sequence": 1, "timestamp": 1710367225302228171, '
    b'"payload": {"action": "authenticate"}, "action": "authenticate"}'
)
SUBSCRIBED = AUTHENTICATED.replace(b"authenticate", b"subscribe")
WRONG_KEY = AUTHENTICATED.replace(b"success", b"error")


def sfox(sequence: int = 22, timestamp: int = 1710367225302228171, user: object = "test3") -> bytes:
    """A small balance frame of sFOX."""
    payload = {"user_id": user, "updates": []}
    return json.dumps(
        {
            "sequence": sequence,
            "recipient": "private.enterprise.users.balances",
            "timestamp": timestamp,
            "payload": payload,
        }
    ).encode()


def event(subject: object, data: object = None, **more: object) -> bytes:
    """A hub message that carries one execution event."""
    envelope = {"subject": subject, "data": data, **more}
    return json.dumps({"type": 1, "target": "executionEvents", "arguments": [envelope]}).encode()


def deep(levels: int) -> bytes:
    """JSON nested `levels` deep, in a balance frame of sFOX."""
    nest = b"[" * levels + b"]" * levels
    return SFOX.replace(b'"held": "0"', b'"held": ' + nest)
