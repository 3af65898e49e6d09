"""Everything started by hand, as in seven terminals: the commands of the README, for real."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from headroom.audit import Audit, audit, check_answers, read_world
from headroom.local.sandbox import hercle_keys
from tests.headroom.commands import (
    Started,
    answered,
    balances,
    environment,
    headroom,
    started,
    until,
)

pytestmark = pytest.mark.slow

USERS = 12
HERCLE_USERS = 3
STALE_AFTER_SECONDS = 4


class System:
    """All processes, by name, and where they are."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self.commands: dict[str, Started] = {}
        self.journals = [folder / "sfox.journal", folder / "hercle.journal"]
        self.settings: dict[str, object] = {
            "DATA_DIR": folder / "data",
            "STALE_AFTER_SECONDS": STALE_AFTER_SECONDS,
        }

    def start(self, name: str, *words: str, says: str = "", **settings: object) -> str:
        """Start a command and wait for its word; what it said."""
        context = started(self._folder / name, *words, **self.settings, **settings)
        command = self.commands[name] = self._stack.enter_context(context)
        found: list[str] = []

        def said() -> bool:
            assert command.process.poll() is None, command.output
            found[:] = re.findall(says, command.output)
            return bool(found)

        until(said)
        return found[0]

    def query(self, worker: str, *words: str) -> Any:
        """What a worker answers, as JSON."""
        done = headroom("query", *words, "--json", "--url", self.urls[worker], **self.settings)
        assert done.status == 0, done.err
        return [json.loads(line) for line in done.out.splitlines()]

    def knows(self, worker: str, users: int) -> bool:
        """Whether a worker names so many users; not while partitions move to the other."""
        answer = answered(self.urls[worker], "/v1/users")
        return answer is not None and len(answer["users"]) == users


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A broker, its topics, both venues, both producers, two workers."""
    with ExitStack() as stack:
        made = System(stack, tmp_path_factory.mktemp("system"))
        made.settings["KAFKA_BOOTSTRAP"] = made.start("broker", "broker", says=r"127\.0\.0\.1:\d+")
        assert headroom("topics", "apply", **made.settings).status == 0
        assert headroom("topics", "check", **made.settings).status == 0
        sfox, hercle = (
            made.start(
                venue,
                *("sandbox", venue, "--users", str(users), "--rate", "40"),
                *("--journal", str(journal)),
                says=r"(?:ws|http)://\S+",
            )
            for venue, users, journal in zip(
                ("sfox", "hercle"), (USERS, HERCLE_USERS), made.journals, strict=True
            )
        )
        keys = ",".join(hercle_keys("sandbox-hercle-key", HERCLE_USERS))
        made.start(
            "produce-sfox",
            *("produce", "sfox"),
            says="connected",
            SFOX_URL=sfox,
            SFOX_API_KEY="sandbox-sfox-key",
        )
        made.start(
            "produce-hercle",
            *("produce", "hercle"),
            says="connected",
            HERCLE_URL=hercle,
            HERCLE_API_KEY=keys,
            HERCLE_POLL_SECONDS="0.2",
        )
        made.urls = {
            name: made.start(name, "work", "--port", "0", says=r"ready (\S+)")
            for name in ("one", "two")
        }
        for name in made.urls:
            until(lambda name=name: made.knows(name, USERS + HERCLE_USERS))  # type: ignore[misc]
        yield made


def test_everything_by_hand(system: System) -> None:
    """The same answers from both workers, fresh, sound; then without one; then without venues."""
    users = system.query("one", "users")
    assert system.query("two", "users") == users
    for worker in ("one", "two"):
        # By the command for one of each venue; a program for each of them is nothing more.
        for user in (users[0], users[-1]):
            assert system.query(worker, "user", user)[0]["user"] == user
        for user in users:
            answer = balances(system.urls[worker], user)
            assert answer is not None
            assert answer["user"] == user
            assert not answer["freshness"]["stale"], answer["freshness"]
            assert answer["freshness"]["age_seconds"] < STALE_AFTER_SECONDS
    shown = headroom("query", "user", "hercle:user-0001", "--url", system.urls["one"])
    assert "utilisation" in shown.out

    system.start(
        *("watch", "watch", "--url", system.urls["one"]),
        says=rf"users +{len(users)}  hercle {HERCLE_USERS} of {HERCLE_USERS} connected .*sfox conn",
    )
    assert system.commands["watch"].stop() == 0

    _console_reads(system, "balances.latest.v1", '"accounts"')
    _console_reads(system, "exposure.asset.v1", '"by_venue"')

    system.commands["one"].process.kill()
    until(lambda: all(balances(system.urls["two"], user) for user in users))

    def is_stale(user: str) -> bool:
        answer = balances(system.urls["two"], user)
        assert answer is not None
        stale: bool = answer["freshness"]["stale"]
        return stale

    for venue in ("sfox", "hercle"):
        assert system.commands[venue].stop() == 0
    until(lambda: all(is_stale(user) for user in users))
    for producer in ("produce-sfox", "produce-hercle"):
        assert system.commands[producer].stop() == 0

    kafka = {"bootstrap_servers": str(system.settings["KAFKA_BOOTSTRAP"])}

    def looked() -> Audit:
        return asyncio.run(audit(kafka, journals=system.journals))

    # The last frames may be on their way yet.
    until(lambda: not looked().findings, why=lambda: str(looked().findings[:5]))
    found = looked()
    assert found.frames == found.raw == found.normalised > 0
    world = asyncio.run(read_world(kafka))
    answers = {user: balances(system.urls["two"], user) for user in users}
    assert not check_answers(world, balances=answers)
    assert system.commands["two"].stop() == 0
    assert system.commands["broker"].stop() == 0


def _console_reads(system: System, topic: str, expected: str) -> None:
    """Kafka's own console consumer, in Java, reads a topic's keys and values."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "headroom.local.kafka.console"),
            *("--bootstrap-server", str(system.settings["KAFKA_BOOTSTRAP"])),
            *("--topic", topic, "--from-beginning", "--max-messages", "1"),
            *("--timeout-ms", "20000", "--property", "print.key=true"),
        ],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert expected in done.stdout, done.stderr[-2000:]
