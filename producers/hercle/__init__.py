"""Hercle: a SignalR hub that is asked for the balances of a key's user, again and again."""

from producers.hercle.line import HERCLE_URL, HercleLine, HercleSettings, lines
from producers.hercle.session import HercleSession

__all__ = ["HERCLE_URL", "HercleLine", "HercleSession", "HercleSettings", "lines"]
