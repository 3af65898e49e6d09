"""sFOX: a WebSocket that sends a frame whenever an account changes."""

from producers.sfox.line import SFOX_URL, SfoxLine, SfoxSettings, lines
from producers.sfox.session import SfoxSession

__all__ = ["SFOX_URL", "SfoxLine", "SfoxSession", "SfoxSettings", "lines"]
