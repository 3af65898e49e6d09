"""Running a command: signals become a stop, errors become one line and an exit status."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from headroom.base.errors import OperatorError
from headroom.base.logs import say_last
from schemas.secrets import redacted

T = TypeVar("T")

EXIT_BROKEN = 1
EXIT_MISTAKE = 2
_PLACE: Final = ("topic", "partition", "offset")
# The command that goes on where a log is not what it was, by the error's name (see `_status`).
_WAYS: Final = {"LogChanged": "headroom resume", "ChangelogCut": "headroom replay"}


def run(
    main: Callable[[asyncio.Event], Awaitable[T]], *, hung_up: asyncio.Event | None = None
) -> T:
    """Run `main` with an event that SIGINT and SIGTERM set; a second signal interrupts at once.

    SIGHUP sets `hung_up`; without one it ends the process, as ever.
    """

    async def with_signals() -> T:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def told_to_stop(number: signal.Signals) -> None:
            loop.remove_signal_handler(number)
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, told_to_stop, number)
        if hung_up is not None:
            loop.add_signal_handler(signal.SIGHUP, hung_up.set)
        return await main(stop)

    return asyncio.run(with_signals())


@contextmanager
def one_clear_line() -> Iterator[None]:
    """What a person can mend is one line and status 2, a broken world one line and status 1."""
    try:
        yield
    except OperatorError as error:
        _leave(error, EXIT_MISTAKE)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        status = _status(error)
        if status is None:
            raise
        _leave(error, status)


def _status(error: Exception) -> int | None:
    """The exit status of an error of one of the rooms; None for one that nobody foresaw.

    The rooms are looked up by name only once something went wrong: importing them all would make
    every command as slow as the slowest.
    """
    match (type(error).__module__, type(error).__name__):
        case ("producers.errors", "SendFailed"):
            return EXIT_BROKEN
        case ("producers.errors" | "headroom.local.kafka.errors", _):
            return EXIT_MISTAKE
        case ("processors.engine.errors", "TopicsMissing"):
            return EXIT_MISTAKE
        case ("processors.engine.errors" | "aiokafka.errors", _) | ("cimpl", "KafkaException"):
            return EXIT_BROKEN
        case _:
            return None


def _leave(error: Exception, status: int) -> None:
    line = " ".join(redacted(str(error)).split())
    way = next((_WAYS[one] for kind in type(error).__mro__ if (one := kind.__name__) in _WAYS), "")
    if way and "see `" not in line:
        line += f": see `{way}`"
    # The record, or the partition, that it stopped at, where it was one.
    place = {name: getattr(error, name, None) for name in _PLACE}
    say_last(line, status, **{name: value for name, value in place.items() if value is not None})
    sys.exit(status)
