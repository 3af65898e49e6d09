"""`headroom` with shorter deadlines and pauses, for the short form: `… .hasty produce sfox`."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from headroom.cli import main
from headroom.run.venue import commands
from producers import hercle, sfox
from producers.settings import Deadlines

# Not as short as can be: a deadline that is short is missed by a busy machine, too.
DEADLINES = Deadlines(
    open_seconds=2.0,
    answer_seconds=5.0,
    ping_seconds=1.0,
    pong_seconds=2.0,
    close_seconds=0.5,
    silence_seconds=4.0,
)
_LONG_SECONDS = 1.0
_SHARE = 0.03


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(seconds * _SHARE if seconds > _LONG_SECONDS else seconds)


def _hastily(surroundings: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given: {**surroundings(*given), "sleep": _sleep}


def hurry() -> None:
    """Have whatever runs in this process be in a hurry."""
    given: Any = partial(sfox.SfoxSettings, deadlines=DEADLINES)
    sfox.SfoxSettings = given
    given = partial(hercle.HercleSettings, deadlines=DEADLINES)
    hercle.HercleSettings = given
    for module in (sfox.line, hercle.line):
        module.ATTEMPTS_PER_MINUTE = 999
    commands._surroundings = _hastily(commands._surroundings)


if __name__ == "__main__":
    hurry()
    main()
