"""What is logged, and how: to standard error, as text for people or as JSON, never with a secret.

As JSON (`HEADROOM_LOG_FORMAT=json`, and where a program that serves has no terminal) each line is
one object: `time` (UTC), `level`, `logger`, `message`, `error` (what Python tells of it) where
there is one, and what else belongs to the line: `venue` and `connection`; of a line that speaks of
one record `topic`, `partition`, `offset` and its event's `ce_id`. The one line with which a command
ends is one of them, too. Why this is no library's: docs/decisions/0022-logs.md.
"""

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Final

import msgspec

from schemas.secrets import redacted
from schemas.times import rfc3339

AUTO: Final = "auto"
JSON: Final = "json"
_TEXT: Final = "text"
_SILENT_SECONDS: Final = 10.0
_CHATTY: Final = ("aiokafka", "opentelemetry")
_NS_PER_S: Final = 1_000_000_000
# What every record has; the rest was given with the line.
_OWN: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})


class _WithoutSecrets(logging.Formatter):
    """Formats a record, its error and its stack, whoever logged it, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class _Json(logging.Formatter):
    """The same as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": rfc3339(round(record.created * _NS_PER_S)),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        if record.exc_info:
            told["error"] = redacted(self.formatException(record.exc_info))
        if record.stack_info:
            told["stack"] = redacted(record.stack_info)
        for name, value in vars(record).items():
            if name not in _OWN and name not in told:
                told[name] = value if isinstance(value, bool | int) else redacted(str(value))
        return msgspec.json.encode(told, enc_hook=str).decode()


class _Expected(logging.Filter):
    """Leaves out what aiokafka calls errors and is the ordinary course, or said by ourselves."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        # The second is a bootstrap address that does not answer; of nodes it says "to node".
        return not (
            "GroupCoordinatorNotAvailable" in message or message.startswith('Unable connect to "')
        )


class Sparing(logging.Filter):
    """Lets each kind of some libraries' messages, and of asyncio's on accepting, through at times.

    Every ten seconds at most. While Kafka is away aiokafka says several lines every tenth of a
    second, and asyncio a hundred where it cannot accept. `clock` counts seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is to be told."""
        if not (record.name.startswith(_CHATTY) or "socket.accept" in str(record.msg)):
            return True
        kind, now = (record.name, str(record.msg)), self._clock()
        if now - self._told.get(kind, -_SILENT_SECONDS) < _SILENT_SECONDS:
            return False
        self._told[kind] = now
        return True


def form_of(setting: str, *, serves: bool) -> str:
    """The form of a setting: of `auto` JSON for who serves without a terminal, else text.

    What a person typed and waits for is told as text wherever its standard error goes.
    """
    if setting != AUTO:
        return setting
    return JSON if serves and not sys.stderr.isatty() else _TEXT


def set_up_logging(level: str, form: str = _TEXT) -> None:
    """Log to standard error: ours at `level`, the libraries' warnings; never a secret.

    Python's own warnings, and what asyncio tells of errors that nobody awaited, go there, too.
    `form`: `text`, or `json`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Json()
        if form == JSON
        else _WithoutSecrets("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
    )
    handler.addFilter(_Expected())
    handler.addFilter(Sparing())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("headroom").setLevel(level)
    logging.captureWarnings(True)


def say_last(line: str, status: int, **told: object) -> None:
    """The one line with which a command ends; it holds no secret any more. `told`: its fields."""
    if _is_json():
        _write(line, status=status, **told)
    else:
        sys.stderr.write(f"headroom: {line}\n")


def hide_secrets_in_tracebacks() -> None:
    """Have what Python writes of errors that nobody caught, in any thread, without secrets."""

    def tell(error: BaseException | None, where: str) -> None:
        if error is None or isinstance(error, SystemExit):
            return
        lines = redacted("".join(traceback.format_exception(error)))
        if _is_json():
            _write(where.strip(": \n") or "an unforeseen error", error=lines)
        else:
            sys.stderr.write(where + lines)

    sys.excepthook = lambda _kind, error, _trace: tell(error, "")
    threading.excepthook = lambda args: tell(args.exc_value, "Exception in a thread:\n")
    sys.unraisablehook = lambda args: tell(args.exc_value, "Exception ignored:\n")


def _is_json() -> bool:
    return any(isinstance(handler.formatter, _Json) for handler in logging.getLogger().handlers)


def _write(message: str, **told: object) -> None:
    record = logging.makeLogRecord(
        {"name": "headroom", "levelname": "ERROR", "levelno": logging.ERROR, "msg": message, **told}
    )
    sys.stderr.write(_Json().format(record) + "\n")
