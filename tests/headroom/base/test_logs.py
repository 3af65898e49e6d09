"""Logs as JSON: each line one object, the last one too, and never a secret in any of them."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from headroom.base.logs import form_of, set_up_logging
from headroom.base.running import one_clear_line
from processors.engine.errors import ForeignRow
from schemas.secrets import Secret
from tests.headroom.commands import headroom

SECRET = "canary-of-the-log-0123"


class Quoting:
    def __repr__(self) -> str:
        return f"<login {SECRET}>"

    __str__ = __repr__


@contextmanager
def logged() -> Iterator[None]:
    """Logging as JSON, and as it was afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("headroom")
    kept, level = root.handlers[:], (root.level, ours.level)
    root.handlers.clear()
    try:
        set_up_logging("DEBUG", "json")
        yield
    finally:
        root.handlers[:] = kept
        root.setLevel(level[0])
        ours.setLevel(level[1])


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_is_an_object_with_what_belongs_to_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    extra = {"venue": "sfox", "connection": "1", "epoch": 5}
    with logged():
        logging.getLogger("headroom.producer").info("connected\n%s", "anew", extra=extra)
    (line,) = objects(capsys.readouterr().err)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "headroom.producer",
        "message": "connected\nanew",
        **extra,
    }


def test_no_part_of_an_object_holds_a_secret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Secret(SECRET)
    log = logging.getLogger("a.library")
    error = OSError(f"four {SECRET}")
    error.__cause__ = KeyError(SECRET)
    with logged():
        log.warning("one %s %r", SECRET, Quoting(), extra={"login": Quoting(), "key": SECRET})
        log.error("two", exc_info=error, stack_info=True)
        log.warning("three %s", json.dumps({"key": SECRET}).replace("-", "\\u002d"))
    err = capsys.readouterr().err
    assert SECRET not in err
    assert SECRET.replace("-", "\\\\u002d") not in err
    one, two, _ = objects(err)
    assert (one["key"], one["login"]) == ("Secret(hidden)", "<login Secret(hidden)>")
    assert "OSError: four Secret(hidden)" in two["error"]
    assert "stack" in two


UNFORESEEN = """
import os, threading, warnings
from headroom.base.logs import hide_secrets_in_tracebacks, set_up_logging
from schemas.secrets import Secret

hide_secrets_in_tracebacks()
set_up_logging("INFO", "json")
secret = Secret(os.environ["KEY"])
warnings.warn("in a warning " + secret.reveal())

def fail():
    raise ValueError("in a thread " + secret.reveal())

thread = threading.Thread(target=fail)
thread.start()
thread.join()
raise ZeroDivisionError("at the end " + secret.reveal())
"""


def test_errors_that_nobody_caught_are_objects_too() -> None:
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
    _, thread, end = objects(done.stderr)
    assert "ValueError: in a thread Secret(hidden)" in thread["error"]
    assert "ZeroDivisionError: at the end Secret(hidden)" in end["error"]


@pytest.mark.parametrize("words", [("produce", "sfox"), ("work",)])
def test_a_command_ends_with_an_object(words: tuple[str, ...], tmp_path: Path) -> None:
    given = {"DATA_DIR": tmp_path, "SFOX_API_KEY": SECRET, "HTTP_PORT": 0, "LOG_FORMAT": "json"}
    ended = headroom(*words, KAFKA_BOOTSTRAP="127.0.0.1:1", **given)
    assert ended.status == 2
    last = objects(ended.err)[-1]
    assert (last["level"], last["logger"], last["status"]) == ("ERROR", "headroom", 2)
    assert "127.0.0.1:1" in last["message"]
    mistaken = headroom(*words, PARTITIONS="x", **given)
    (line,) = objects(mistaken.err)
    assert "HEADROOM_PARTITIONS" in line["message"]


def test_a_format_that_there_is_not_is_one_clear_line() -> None:
    ended = headroom("topics", "check", LOG_FORMAT="xml")
    ended.is_one_line("HEADROOM_LOG_FORMAT", "auto, text, json")


def test_who_serves_without_a_terminal_logs_json_and_who_was_typed_does_not() -> None:
    """Both end at once: nothing tells them where Kafka is."""
    headroom("topics", "check", LOG_FORMAT="auto").is_one_line("HEADROOM_KAFKA_BOOTSTRAP")
    for words in (("work",), ("produce", "sfox")):
        (line,) = objects(headroom(*words, LOG_FORMAT="auto").err)
        assert (line["status"], line["level"]) == (2, "ERROR")
        assert "HEADROOM_KAFKA_BOOTSTRAP" in line["message"]


@pytest.mark.parametrize(
    ("setting", "is_terminal", "form"),
    [
        ("auto", False, "json"),
        ("auto", True, "text"),
        ("text", False, "text"),
        ("json", True, "json"),
    ],
)
def test_a_terminal_is_told_text(
    setting: str, *, is_terminal: bool, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    assert form_of(setting, serves=True) == form
    assert form_of(setting, serves=False) == ("text" if setting == "auto" else form)


def test_a_command_that_a_record_ends_names_it_in_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logged(), pytest.raises(SystemExit), one_clear_line():
        raise ForeignRow(topic="users", partition=3, key=b"k", why="it is text", offset=17)
    (line,) = objects(capsys.readouterr().err)
    assert (line["topic"], line["partition"], line["offset"]) == ("users", 3, 17)
