"""Running a command: signals become a stop, errors become one line and an exit status."""

import asyncio
import logging
import signal
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from headroom.errors import OperatorError
from schemas.secrets import redacted

T = TypeVar("T")

EXIT_BROKEN = 1
EXIT_MISTAKE = 2
_SILENT_SECONDS: Final = 10.0
# The command that goes on where a log is not what it was, by the error's name (see `_status`).
_WAYS: Final = {"LogChanged": "headroom resume", "ChangelogCut": "headroom replay"}


def run(main: Callable[[asyncio.Event], Awaitable[T]]) -> T:
    """Run `main` with an event that SIGINT and SIGTERM set; a second signal interrupts at once."""

    async def with_signals() -> T:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def told_to_stop(number: signal.Signals) -> None:
            loop.remove_signal_handler(number)
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, told_to_stop, number)
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
        case ("producers.errors" | "headroom.kafka.errors", _):
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
    sys.stderr.write(f"headroom: {line}\n")
    sys.exit(status)


def hide_secrets_in_tracebacks() -> None:
    """Have what Python writes of errors that nobody caught, in any thread, without secrets."""

    def tell(error: BaseException | None, where: str = "") -> None:
        if error is not None and not isinstance(error, SystemExit):
            lines = traceback.format_exception(error)
            sys.stderr.write(redacted("".join((where, *lines))))

    sys.excepthook = lambda _kind, error, _trace: tell(error)
    threading.excepthook = lambda args: tell(args.exc_value, "Exception in a thread:\n")
    sys.unraisablehook = lambda args: tell(args.exc_value, "Exception ignored:\n")


class _WithoutSecrets(logging.Formatter):
    """Formats a record, its error and its stack, whoever logged it, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class _Expected(logging.Filter):
    """Leaves out what aiokafka calls errors and is the ordinary course, or said by ourselves."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        # The second is a bootstrap address that does not answer; of nodes it says "to node".
        return not (
            "GroupCoordinatorNotAvailable" in message or message.startswith('Unable connect to "')
        )


class Sparing(logging.Filter):
    """Lets each kind of aiokafka's messages through every ten seconds at most.

    While Kafka is away it says several lines every tenth of a second. `clock` counts seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is to be told."""
        if not record.name.startswith("aiokafka"):
            return True
        kind, now = (record.name, str(record.msg)), self._clock()
        if now - self._told.get(kind, -_SILENT_SECONDS) < _SILENT_SECONDS:
            return False
        self._told[kind] = now
        return True


def set_up_logging(level: str) -> None:
    """Log to standard error: ours at `level`, the libraries' warnings; never a secret.

    Python's own warnings, and what asyncio tells of errors that nobody awaited, go there, too.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _WithoutSecrets("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
    )
    handler.addFilter(_Expected())
    handler.addFilter(Sparing())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("headroom").setLevel(level)
    logging.captureWarnings(True)
