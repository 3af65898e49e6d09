"""What libraries may say in our logs: no header, no password, no message."""

import logging
from typing import Final

# Below these levels the libraries print headers (websockets), requests with passwords (aiokafka)
# or whole messages (signalrcore). aiokafka's warnings repeat ten times a second and partition while
# a broker is away.
_QUIETEST: Final = {
    "websockets": logging.WARNING,
    "aiohttp": logging.WARNING,
    "aiokafka": logging.ERROR,
    "SignalRCoreClient": logging.WARNING,
}


def quiet_libraries() -> None:
    """Keep what the libraries say at DEBUG, headers and requests included, out of every log."""
    for name, level in _QUIETEST.items():
        logger = logging.getLogger(name)
        # Never louder than it is: a level of its own would pass what the root logger holds back.
        logger.setLevel(max(level, logger.getEffectiveLevel()))
