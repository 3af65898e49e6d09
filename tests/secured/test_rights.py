"""Each program on a cluster that refuses what was not given: with its rights, and one less."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from headroom.local.kafka.probe import free_port
from headroom.operate.topics.acls import Right, of_producer, of_webhooks, of_worker
from schemas.topics import (
    ALERTS,
    DEAD_LETTERS,
    EXPOSURE_BASE,
    EXPOSURE_USER,
    GENERATIONS,
    UNCONFIRMED,
)
from schemas.venues import VENUES
from tests.operators.process import Place, Process, until
from tests.processors.test_several import account, message
from tests.secured.conftest import World

pytestmark = pytest.mark.kafka

SFOX = VENUES["sfox"].raw_topic
HERCLE = VENUES["hercle"].raw_topic
RULES = """
[[rule]]
name = "near"
condition = "utilisation_above"
breach = "0.8"
base_currencies = ["EUR"]
"""


def ran(process: Process, works: Callable[[], object]) -> None:
    assert until(lambda: works() or process.status is not None, 60), process.output
    assert process.status is None, process.output


def refused(place: Place, *words: str) -> str:
    """The one line with which a command ends that may not do what it has to."""
    ended = place.run(*words, seconds=60)
    assert ended.status == 2, ended.output
    assert "Unclosed" not in ended.output
    return ended.line


@pytest.mark.long
def test_topics_are_made_mended_and_looked_at(world: World) -> None:
    place = world.places[0]
    changed = ConfigEntry("retention.ms", "5000", incremental_operation=AlterConfigOpType.SET)
    for topic in (ALERTS, "headroom-moves.v1"):
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[changed])
        world.admin.incremental_alter_configs([resource])[resource].result(20)
    assert place.run("topics", "apply").output.count("mended:") == 2
    assert place.run("topics", "check").status == 0
    judged = world.cluster.judged("apply")
    # Kafka's own topics and its brokers' settings are looked at by who may.
    assert {right.name for right in judged.denied} <= {
        "__consumer_offsets",
        "__transaction_state",
        "kafka-cluster",
    }


@pytest.mark.long
@pytest.mark.parametrize("lease", [None, "main"])
def test_a_producer_has_what_it_needs_and_nothing_more(world: World, lease: str | None) -> None:
    """By its certificate, or by its password; with and without a lease."""
    user, rights = f"sfox-{lease}", of_producer("sfox", lease=lease)
    port = free_port()
    named = {} if lease is None else {"PRODUCER_LEASE": lease}
    venue = {"SFOX_URL": f"ws://127.0.0.1:{port}/ws", "SFOX_API_KEY": "sandbox-sfox-key"}
    place = world.place(user, *rights, mutual=lease is None, **venue, **named)
    place.start("sandbox", "sfox", "--port", str(port), "--users", "5", "--rate", "20")
    more = world.has_more(SFOX)
    for _ in range(2):  # the second one reads where the first one was
        process = place.start("produce", "sfox")
        ran(process, more)
        assert process.stop() == 0, process.output
        more = world.has_more(SFOX)
    assert world.unused(user, *rights) == set()
    assert world.cluster.judged(user).denied == set()
    less = [right for right in rights if str(right) != f"Write on the topic {SFOX}"]
    world.smith.give(user, less)
    line = refused(place, "produce", "sfox")
    assert f"not allowed in Kafka: Write on the topic {SFOX}: see `headroom topics acls" in line
    place.end()


@pytest.mark.parametrize(
    "guarantee", ["exactly_once", pytest.param("at_least_once", marks=pytest.mark.long)]
)
def test_a_worker_has_what_it_needs_and_nothing_more(world: World, guarantee: str) -> None:
    """It folds, buries, doubts, warns; a second one begins with what the first one has left."""
    rights = of_worker(transactions=guarantee == "exactly_once")
    rules = world.folder / "rules.toml"
    rules.write_text(RULES)
    settings = {"GUARANTEE": guarantee, "HTTP_PORT": 0, "ALERTS_FILE": rules}
    place = world.place(guarantee, *rights, **settings)
    first = place.start("work")
    told = (EXPOSURE_USER, EXPOSURE_BASE, ALERTS, DEAD_LETTERS, UNCONFIRMED)
    for turn in range(2):
        more = [world.has_more(topic) for topic in told]
        _send(world, f"{guarantee}-{turn}")
        ran(first, lambda more=more: all(each() for each in more))  # type: ignore[misc]
        assert first.stop() == 0, first.output
        if not turn:
            first = world.place(
                guarantee, *rights, **settings | {"DATA_DIR": place.folder / "other"}
            ).start("work")
    # The first worker of all has written into the book which topics there are.
    noted = set() if guarantee == "exactly_once" else {Right("topic", GENERATIONS, "Write")}
    assert world.unused(guarantee, *rights) <= noted
    assert world.cluster.judged(guarantee).denied == set()
    lacking = {"Write on the topic balances.v1", "Read on the group headroom"}
    world.smith.give(guarantee, [right for right in rights if str(right) not in lacking])
    line = refused(place, "work")
    assert "headroom topics acls work" in line
    assert all(right in line for right in lacking), line


def _send(world: World, name: str) -> None:
    """Frames of both venues: read, over a limit, and unreadable."""
    held = account(name, 1, 1, totalCurrentExposure=19)
    world.root.produce(HERCLE, message([held]), name.encode())
    world.root.produce(HERCLE, message([account(name, 2, 2, deleted=None)]), name.encode())
    world.root.produce(SFOX, b"{cut", b"somebody")
    assert world.root.flush(20) == 0


@pytest.mark.long
def test_deliveries_have_what_they_need(world: World) -> None:
    rights = of_webhooks("hooks")
    secret = world.folder / "secret"
    secret.write_text("whsec_" + "c2VjcmV0" * 6)
    secret.chmod(0o600)
    hook = {"WEBHOOK_URL": f"http://127.0.0.1:{free_port()}/", "WEBHOOK_SECRET_FILE": secret}
    place = world.place("deliver", *rights, **hook)
    process = place.start("alerts", "deliver", "--group", "hooks")
    ran(process, lambda: not world.unused("deliver", *rights))
    assert process.stop() == 0, process.output
    assert world.cluster.judged("deliver").denied == set()
    world.smith.give("deliver", rights[:1])
    assert f"Read on the topic {ALERTS}" in refused(place, "alerts", "deliver", "--group", "hooks")


def test_what_is_printed_is_what_was_tried(tmp_path: Path) -> None:
    place = Place(tmp_path)
    printed = place.run("topics", "acls", "work", "--user", "w", "--format", "json")
    said: dict[str, Any] = json.loads(printed.output)
    assert said["user"] == "w"
    given = {
        Right(one["kind"], one["name"], operation, one["prefixed"])
        for one in said["rights"]
        for operation in one["operations"]
    }
    assert given == set(of_worker())
    lines = place.run("topics", "acls", "work").output.splitlines()
    assert len(lines) == len(said["rights"])
    assert place.run("topics", "acls", "nobody").status == 2
