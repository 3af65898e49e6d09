"""How a command ends: told to stop, by a mistake, or by a broken world."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys

import pytest
from aiokafka.errors import KafkaTimeoutError
from confluent_kafka import KafkaError, KafkaException

from headroom.base.errors import KafkaUnreachable, SettingsError, TopicsDiffer
from headroom.base.logs import Sparing, set_up_logging
from headroom.base.running import one_clear_line, run
from headroom.local.kafka.errors import PortTaken
from processors.engine.errors import (
    ChangelogCut,
    CommitsMissing,
    EngineError,
    RecordsGone,
    TopicReplaced,
    TopicsMissing,
)
from producers.errors import SendFailed, TopicMissing, WrongKey
from schemas.secrets import Secret


def engine_errors() -> list[type[EngineError]]:
    return [kind for kind in EngineError.__subclasses__() if kind is not TopicsMissing]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_becomes_a_stop(number: signal.Signals) -> None:
    async def main(stop: asyncio.Event) -> str:
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.wait(), 5)
        return "in order"

    assert run(main) == "in order"


def test_a_second_interrupt_does_not_wait() -> None:
    async def main(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await stop.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

    with pytest.raises(SystemExit) as caught, one_clear_line():
        run(main)
    assert caught.value.code == 130


@pytest.mark.parametrize(
    "error",
    [
        SettingsError("HEADROOM_X", "is\nodd"),
        KafkaUnreachable("k:1"),
        TopicsDiffer(["a", "b"]),
        WrongKey("sfox", "sfox", "no"),
        TopicMissing("t"),
        PortTaken(1),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught, one_clear_line():
        raise error
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"headroom: {' '.join(str(error).split())}\n"


def test_a_broken_world_is_one_line_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, one_clear_line():
        raise SendFailed("t", "gone")
    assert caught.value.code == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("kind", engine_errors())
def test_what_breaks_the_engine_is_status_1(
    kind: type[EngineError], capsys: pytest.CaptureFixture[str]
) -> None:
    error = kind.__new__(kind)
    with pytest.raises(SystemExit) as caught, one_clear_line():
        raise error
    assert caught.value.code == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    "error", [KafkaException(KafkaError(KafkaError._TIMED_OUT)), KafkaTimeoutError()]
)
def test_what_kafka_says_is_status_1(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, one_clear_line():
        raise error
    assert caught.value.code == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "way"),
    [
        (RecordsGone(topic="raw", partition=0, position=3, begin=5), "headroom resume"),
        (CommitsMissing(topic="raw", partition=0), "headroom resume"),
        (TopicReplaced(topic="x", known="a", found=None, way="headroom replay"), "headroom replay"),
        (ChangelogCut("x-changelog", 0, "it begins at offset 5"), "headroom replay"),
    ],
)
def test_a_log_that_changed_ends_with_the_way_on(
    error: Exception, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, status 1, and one command that goes on, named once."""
    with pytest.raises(SystemExit) as caught, one_clear_line():
        raise error
    said = capsys.readouterr().err
    assert caught.value.code == 1
    assert said.endswith(f": see `{way}`\n")
    assert said.count("see `") == 1


def test_what_nobody_foresaw_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), one_clear_line():
        raise ZeroDivisionError


def test_logs_go_to_standard_error_and_say_nothing_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root, ours = logging.getLogger(), logging.getLogger("headroom")
    kept, level = root.handlers[:], (root.level, ours.level)
    root.handlers.clear()
    try:
        set_up_logging("INFO")
        logging.getLogger("headroom.worker").info("ours")
        logging.getLogger("headroom.worker").debug("too much")
        logging.getLogger("library").info("theirs")
        logging.getLogger("aiokafka").error('Unable connect to "127.0.0.1:1": refused')
        logging.getLogger("aiokafka").error("GroupCoordinatorNotAvailableError")
        logging.getLogger("aiokafka").error("Unable connect to node with id 1: refused")
    finally:
        root.handlers[:] = kept
        root.setLevel(level[0])
        ours.setLevel(level[1])
    out, err = capsys.readouterr()
    assert out == ""
    said = [line.split(": ", 1)[1] for line in err.splitlines()]
    assert said == ["ours", "Unable connect to node with id 1: refused"]


SECRET = "canary-of-the-log-0123"


class Quoting:
    """What a library may have in hand."""

    def __repr__(self) -> str:
        return f"<login {SECRET}>"


def test_no_logger_of_any_library_can_log_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """In a message, its values, an error's words, what caused it, a stack, from asyncio."""
    Secret(SECRET)
    root, ours = logging.getLogger(), logging.getLogger("headroom")
    kept, level = root.handlers[:], (root.level, ours.level)
    root.handlers.clear()
    try:
        set_up_logging("DEBUG")
        library = logging.getLogger("a.library")
        library.warning(f"one {SECRET}")
        library.warning("two %s %r", SECRET, Quoting())
        library.warning("three %(login)s", {"login": Quoting()})
        four = OSError(f"four {SECRET}")
        four.__cause__ = KeyError(SECRET)
        library.error("five", exc_info=four)
        library.warning(
            "six\n%s", json.dumps({"key": SECRET}).replace("-", "\\u002d"), stack_info=True
        )
        logging.getLogger("headroom.worker").debug("seven %s", SECRET)
        loop = asyncio.new_event_loop()
        loop.call_exception_handler({"message": "nine", "exception": ValueError(SECRET)})
        loop.close()
    finally:
        root.handlers[:] = kept
        root.setLevel(level[0])
        ours.setLevel(level[1])
    err = capsys.readouterr().err
    assert SECRET not in err
    assert SECRET.replace("-", "\\u002d") not in err
    for word in ("one", "two", "three", "four", "five", "seven", "nine"):
        assert f"{word} " in err or f"{word}\n" in err
    assert err.count("Secret(hidden)") >= 7


def test_the_one_line_has_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    Secret(SECRET)
    with pytest.raises(SystemExit), one_clear_line():
        raise WrongKey("sfox", "sfox", f"no {SECRET}")
    assert "the venue refuses the API key (no Secret(hidden))" in capsys.readouterr().err


UNFORESEEN = """
import gc, os, threading, warnings
from headroom.base.logs import hide_secrets_in_tracebacks, set_up_logging
from schemas.secrets import Secret

hide_secrets_in_tracebacks()
set_up_logging("INFO")
secret = Secret(os.environ["KEY"])
warnings.warn("in a warning " + secret.reveal())

def fail():
    raise ValueError("in a thread " + secret.reveal())

class Last:
    def __del__(self):
        raise ValueError("in a finalizer " + secret.reveal())

thread = threading.Thread(target=fail)
thread.start()
thread.join()
Last()
gc.collect()
raise ZeroDivisionError("at the end " + secret.reveal())
"""


def test_warnings_and_errors_that_nobody_caught_tell_no_secret() -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNFORESEEN],
        env=os.environ | {"KEY": SECRET},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr
    for where in ("in a warning", "in a thread", "in a finalizer", "at the end"):
        assert f"{where} Secret(hidden)" in done.stderr


def test_a_library_that_repeats_itself_is_heard_now_and_then() -> None:
    """Each kind of message every ten seconds at most; other loggers always."""
    now = 0.0
    sparing = Sparing(clock=lambda: now)

    def told(name: str, message: str, *values: object) -> bool:
        record = logging.LogRecord(name, logging.ERROR, "", 0, message, values, None)
        return bool(sparing.filter(record))

    assert told("aiokafka.conn", "node %s is away", 1)
    assert not told("aiokafka.conn", "node %s is away", 2)
    assert told("aiokafka.conn", "something else")
    assert all(told("headroom.worker", "ours") for _ in range(3))
    now = 10.0
    assert told("aiokafka.conn", "node %s is away", 3)
