"""What libraries may say in our logs: no header, no password, no message."""

import logging
from typing import Final

# Below these levels the libraries print headers (websockets), requests with passwords (aiokafka)
# or whole messages (signalrcore).
_QUIETEST: Final = {
    "websockets": logging.WARNING,
    "aiohttp": logging.WARNING,
    "aiokafka": logging.INFO,
    "SignalRCoreClient": logging.WARNING,
}


def quiet_libraries() -> None:
    """Keep what the libraries say at DEBUG, headers and requests included, out of every log."""
    for name, level in _QUIETEST.items():
        logger = logging.getLogger(name)
        if logger.level < level:
            logger.setLevel(level)
