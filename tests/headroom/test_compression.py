"""A cluster that compresses by every codec in turn: each command reads what it finds."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from headroom.audit import audit
from schemas.topics import FEEDS
from tests.headroom.commands import headroom, started, until
from tests.headroom.house import house
from tests.headroom.operate.replay.scene import Scene

pytestmark = pytest.mark.long

CODECS = ("gzip", "lz4", "snappy", "zstd")
PRODUCER = {"SFOX_API_KEY": "k", "SFOX_URL": "ws://127.0.0.1:1"}


def compress(bootstrap: str, codec: str) -> None:
    """Have every topic that says nothing of its own compressed so, as a cluster's operator would.

    A broker writes down anew what comes in another form.
    """
    change = ConfigEntry("compression.type", codec, incremental_operation=AlterConfigOpType.SET)
    everywhere = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[change])
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.incremental_alter_configs([everywhere])[everywhere].result(20)
    until(lambda: _said(admin) == codec)


def _said(admin: AdminClient) -> str:
    """What the broker itself goes by."""
    broker = ConfigResource(ResourceType.BROKER, "1")
    return str(admin.describe_configs([broker])[broker].result(20)["compression.type"].value)


def tell(scene: Scene, place: Path) -> None:
    """Have a producer tell of a connection that it does not get; it starts behind what is there."""
    before = sum(scene.ends((FEEDS,)).values())
    words = ("produce", "sfox")
    with started(place, *words, **scene.house.settings, **PRODUCER) as producer:
        until(lambda: sum(scene.ends((FEEDS,)).values()) > before, why=lambda: producer.output)
        assert producer.stop() == 0, producer.output


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """All topics hold records of every codec."""
    folder = tmp_path_factory.mktemp("compressed")
    with house(folder) as its:
        made = Scene(its)
        for number, codec in enumerate(CODECS):
            compress(its.bootstrap, codec)
            made.sfox([f"{codec}-{of}" for of in range(60)])
            made.hercle(f"{codec}-h")
            tell(made, folder / codec)
            move = headroom("accounts", "move", f"sfox:{codec}-1", "ann", **its.settings)
            assert move.status == 0, (number, move)
        made.wait()
        yield made


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("topics", "check"), ""),
        (("topics", "apply"), ""),
        (("accounts", "list"), "sfox:zstd-1  ann"),
        (("deadletters", "list"), "dead letters"),
        (("deadletters", "retry", "--all"), ""),
    ],
    ids=" ".join,
)
def test_every_command_reads_every_codec(scene: Scene, words: tuple[str, ...], says: str) -> None:
    done = headroom(*words, **scene.house.settings)
    assert done.status == 0, done
    assert says in done.out


def test_a_worker_a_producer_and_a_replay_start_behind_every_codec(
    scene: Scene, tmp_path: Path
) -> None:
    tell(scene, tmp_path / "producer")
    entries = [{"venue": "sfox", "account": f"{codec}-1", "user": "ann"} for codec in CODECS]
    file = tmp_path / "accounts.yaml"
    file.write_text(json.dumps({"accounts": entries}), encoding="utf-8")
    settings = scene.house.settings | {"DATA_DIR": tmp_path / "data", "ACCOUNTS_FILE": file}
    with started(tmp_path / "worker", "work", "--port", "0", **settings) as worker:
        until(lambda: "ready " in worker.output, why=lambda: worker.output)
        url = worker.output.split("ready ")[1].split()[0]
        asked = headroom("query", "user", "ann", "--json", "--url", url)
        held = {one["account"] for one in json.loads(asked.out)["accounts"]}
        assert held >= {f"{codec}-1" for codec in CODECS}
        assert worker.stop() == 0
    scene.wait()
    found = scene.compared("codecs", ACCOUNTS_FILE=file)
    assert found["equal"], found["differences"][:3]
    owners = {f"sfox:{codec}-1": ["ann"] for codec in CODECS}
    audited = asyncio.run(audit(scene.house.kafka, owners=owners))
    assert (audited.findings, audited.lost, audited.raw) == ([], 0, scene.sent + 4)
