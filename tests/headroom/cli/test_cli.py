"""The command line: help, mistakes told on one line, and no secret anywhere."""

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import pytest

from headroom.cli import headroom as root
from headroom.cli import main
from schemas.topics import FEEDS, TOPICS
from tests.headroom import commands
from tests.headroom.commands import headroom, started
from tests.producers import topics

CANARY = "canary-0123456789"
NO_KAFKA = "127.0.0.1:1"


@pytest.fixture
def applied(own: str) -> str:
    assert headroom("topics", "apply", KAFKA_BOOTSTRAP=own).status == 0
    return own


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def silent() -> Iterator[str]:
    """Something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def inside(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., commands.Ended]:
    """A command that ends before it does anything, without a process of its own."""

    def run(*words: str) -> commands.Ended:
        monkeypatch.setattr("sys.argv", ["headroom", *words])
        for module in (sys, threading):  # `main` sets others
            monkeypatch.setattr(module, "excepthook", module.excepthook)
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return commands.Ended(ended.value.code, out, err)

    return run


def all_commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from all_commands(command, *path, name)
        else:
            yield (*path, name)


@pytest.mark.parametrize("words", list(all_commands(root)), ids=" ".join)
def test_every_command_has_help(
    words: tuple[str, ...], inside: Callable[..., commands.Ended]
) -> None:
    found = inside(*words, "--help")
    assert (found.status, found.err) == (0, "")
    usage, *_ = found.out.splitlines()
    assert usage.startswith("Usage: ")
    assert " ".join(words) in usage


def test_the_program_itself_has_help() -> None:
    found = headroom("topics", "--help")
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith("Usage: python -m headroom topics")


def test_the_commands_are_those_of_the_contract() -> None:
    found = {" ".join(words) for words in all_commands(root)}
    assert found >= {
        "demo",
        "broker",
        "topics apply",
        "topics check",
        "sandbox sfox",
        "sandbox hercle",
        "produce sfox",
        "produce hercle",
        "work",
        "query user",
        "query asset",
        "query base",
        "query users",
    }


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("topics", "nonsense"),
        ("work", "--nonsense"),
        ("work", "--port", "x"),
        ("work", "--port", "65536"),
        ("query", "user"),
        ("sandbox", "sfox", "--rate", "x"),
        ("demo", "--for", "0"),
    ],
    ids=" ".join,
)
def test_what_is_not_a_command_is_one_line_that_leads_to_the_help(
    words: tuple[str, ...], inside: Callable[..., commands.Ended]
) -> None:
    inside(*words).is_one_line("--help")


def test_the_command_alone_shows_what_there_is() -> None:
    found = headroom()
    assert (found.status, found.out) == (2, "")
    assert "Commands:" in found.err


@pytest.mark.parametrize("word", ["topics", "sandbox", "produce", "query"])
def test_a_command_without_its_part_is_one_line_that_leads_to_the_help(
    word: str, inside: Callable[..., commands.Ended]
) -> None:
    inside(word).is_one_line("Missing command", "--help")


@pytest.mark.parametrize(
    "words",
    [
        *[("demo", "--for", text) for text in ("nan", "inf", "0", "-1")],
        *[("demo", "--rate", text) for text in ("nan", "inf", "-1")],
    ],
    ids=" ".join,
)
def test_a_number_that_is_none_is_one_line_before_anything_starts(
    words: tuple[str, ...], inside: Callable[..., commands.Ended]
) -> None:
    inside(*words).is_one_line(words[1])


def test_a_bad_setting_is_one_line() -> None:
    headroom("topics", "apply", PARTITIONS="many").is_one_line("HEADROOM_PARTITIONS")
    headroom("work", HTTP_HOST="0.0.0.0").is_one_line("HEADROOM_HTTP_HOST")  # noqa: S104
    headroom("topics", "check").is_one_line("HEADROOM_KAFKA_BOOTSTRAP", "headroom broker")


# Ports.


def test_a_taken_port_is_one_line(taken: int, tmp_path: Path) -> None:
    port = str(taken)
    for venue in ("sfox", "hercle"):
        headroom("sandbox", venue, "--port", port).is_one_line(port)
    given = {"KAFKA_BOOTSTRAP": NO_KAFKA, "DATA_DIR": tmp_path}
    headroom("work", "--port", port, **given).is_one_line(port, "HEADROOM_HTTP_PORT")
    headroom("work", HTTP_PORT=port, **given).is_one_line(port, "HEADROOM_HTTP_PORT")


# Kafka.

WITH_KAFKA = [
    ("topics", "apply"),
    ("topics", "check"),
    ("work", "--port", "0"),
    ("produce", "sfox"),
]


@pytest.mark.parametrize("words", WITH_KAFKA, ids=" ".join)
def test_no_kafka_is_one_line_at_once(words: tuple[str, ...], tmp_path: Path) -> None:
    before = time.monotonic()
    found = headroom(*words, KAFKA_BOOTSTRAP=NO_KAFKA, DATA_DIR=tmp_path, SFOX_API_KEY=CANARY)
    found.is_one_line(NO_KAFKA, "HEADROOM_KAFKA_BOOTSTRAP")
    assert time.monotonic() - before < 10


def test_a_kafka_that_says_nothing_is_one_line_soon(silent: str, tmp_path: Path) -> None:
    """All commands side by side: each waits for ten seconds."""

    def run(words: tuple[str, ...]) -> commands.Ended:
        folder = tmp_path / "-".join(words)
        return headroom(*words, KAFKA_BOOTSTRAP=silent, DATA_DIR=folder, SFOX_API_KEY=CANARY)

    with ThreadPoolExecutor() as pool:
        for found in pool.map(run, WITH_KAFKA):
            found.is_one_line(silent, "HEADROOM_KAFKA_BOOTSTRAP")


@pytest.mark.parametrize(
    "words", [("work", "--port", "0"), ("produce", "sfox"), ("produce", "hercle")], ids=" ".join
)
def test_missing_topics_are_one_line_that_says_what_to_do(
    words: tuple[str, ...], empty: str, tmp_path: Path
) -> None:
    found = headroom(
        *words,
        KAFKA_BOOTSTRAP=empty,
        DATA_DIR=tmp_path,
        SFOX_API_KEY=CANARY,
        HERCLE_API_KEY=CANARY,
    )
    found.is_one_line("raw.", "is missing", "`headroom topics apply`")


def test_a_producer_needs_the_topic_of_its_connections_too(applied: str) -> None:
    asyncio.run(commands.without(applied, FEEDS))
    found = headroom("produce", "sfox", KAFKA_BOOTSTRAP=applied, SFOX_API_KEY=CANARY)
    found.is_one_line(FEEDS, "`headroom topics apply`")


# Secrets.


@pytest.mark.parametrize("venue", ["sfox", "hercle"])
def test_a_missing_or_odd_secret_is_one_line(venue: str, tmp_path: Path) -> None:
    name = f"{venue.upper()}_API_KEY"
    given = {"KAFKA_BOOTSTRAP": NO_KAFKA}
    headroom("produce", venue, **given).is_one_line(f"HEADROOM_{name} is not set", f"{name}_FILE")
    file = tmp_path / "key"
    given[f"{name}_FILE"] = str(file)
    headroom("produce", venue, **given).is_one_line(f"HEADROOM_{name}_FILE cannot be read")
    for content in ("\n", f"{CANARY} {CANARY}"):
        file.write_text(content)
        found = headroom("produce", venue, **given)
        found.is_one_line(f"HEADROOM_{name}")
        assert CANARY not in found.err


def test_a_wrong_key_is_tried_patiently_and_a_right_one_is_nowhere_to_be_seen(
    applied: str, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text(CANARY)
    secret = {"SFOX_API_KEY_FILE": key}
    sandbox = ("sandbox", "sfox", "--rate", "50")
    with started(tmp_path / "sandbox", *sandbox, **secret) as simulated:
        url = first_line(simulated)
        given = {"KAFKA_BOOTSTRAP": applied, "SFOX_URL": url, "LOG_LEVEL": "DEBUG"}
        given["DATA_DIR"] = str(tmp_path / "data")
        mistaken = {"SFOX_API_KEY": f"{CANARY}-wrong", **given}
        with started(tmp_path / "mistaken", "produce", "sfox", **mistaken) as wrong:
            # The venue's block lasts two minutes: `tests/producers` waits for the end of it.
            wait_for(lambda: "sfox: key_refused (no reason given); trying again" in wrong.output)
            assert wrong.stop() == 0
            assert "Traceback" not in wrong.output
        with started(tmp_path / "producer", "produce", "sfox", **secret, **given) as producer:
            wait_for(lambda: "connected, epoch" in producer.output)
            wait_for(lambda: len(read(applied, "raw.sfox.balances.v1")) >= 10)
            lines = [simulated.command_line(), producer.command_line()]
            assert producer.stop() == 0
        assert simulated.stop() == 0
        said = [wrong.output, simulated.output, producer.output]
    assert CANARY.encode() not in b"".join(lines)
    assert CANARY not in "".join(said)
    for name in TOPICS:
        for record in read(applied, name):
            assert CANARY.encode() not in repr(record).encode()


@pytest.mark.parametrize("words", [("query", "users"), ("watch",), ("query", "user", "sfox:a")])
def test_a_token_with_a_line_break_is_one_line_before_anybody_is_asked(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    """A file of two lines, or with the ends of lines of another system in the middle."""
    file = tmp_path / "token"
    file.write_bytes(f"{CANARY}\r\n{CANARY}\r\n".encode())
    found = headroom(*words, "--url", "http://127.0.0.1:1", API_TOKEN_FILE=file)
    found.is_one_line("HEADROOM_API_TOKEN", "control character")
    assert CANARY not in found.err


def test_a_secret_in_a_url_is_not_repeated() -> None:
    for url in (f"wss://u:{CANARY}@x/ws", f"ws://example.org/{CANARY}", f"nonsense {CANARY}"):
        found = headroom(
            "produce", "sfox", KAFKA_BOOTSTRAP=NO_KAFKA, SFOX_API_KEY="k", SFOX_URL=url
        )
        found.is_one_line("HEADROOM_SFOX_URL")
        assert CANARY not in found.err


def read(bootstrap: str, topic: str) -> list[object]:
    return asyncio.run(topics.records(bootstrap, topic, TOPICS[topic].partitions or 8))


def first_line(command: commands.Started) -> str:
    wait_for(lambda: "\n" in command.output)
    return command.output.splitlines()[0]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
