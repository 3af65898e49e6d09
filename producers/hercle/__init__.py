"""Hercle: a SignalR hub that is asked for the balances of a key's user, again and again."""

from producers.hercle.line import HERCLE_URL, HercleLine, HercleSettings, lines
from producers.hercle.session import POLL_SECONDS_MIN, HercleSession

__all__ = [
    "HERCLE_URL",
    "POLL_SECONDS_MIN",
    "HercleLine",
    "HercleSession",
    "HercleSettings",
    "lines",
]
