"""What a broker has learned is used by the next one, and its lack or its ruin harms nobody."""

import asyncio
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from headroom.local.kafka import KafkaNode, aot, config
from headroom.local.kafka.java import find_java, major_version
from headroom.local.kafka.training import MAJOR_MIN, train

JAVA = Path("/usr/bin/java")


def test_without_a_cache_there_are_no_options(tmp_path: Path) -> None:
    assert aot.options(JAVA, [], tmp_path) == []


def test_another_java_or_other_jars_have_another_cache(tmp_path: Path) -> None:
    jars = [Path("a.jar"), Path("b.jar")]
    places = {
        aot.place(JAVA, jars, tmp_path),
        aot.place(JAVA, jars[:1], tmp_path),
        aot.place(Path("/opt/other/bin/java"), jars, tmp_path),
    }
    assert len(places) == 3


async def test_one_that_cannot_be_used_is_passed_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade of Java in place: the JVM looks, and starts as without."""
    ruined = tmp_path / "ruined.aot"
    ruined.write_bytes(b"nothing of the kind")
    monkeypatch.setattr(aot, "options", lambda *_: [f"-XX:AOTCache={ruined}"])
    async with KafkaNode() as node:
        assert node.running


@pytest.mark.skipif((major_version(find_java()) or 0) < MAJOR_MIN, reason="this Java has none")
async def test_it_is_made_once_and_used(tmp_path: Path) -> None:
    made = await train()
    assert made is not None
    before = made.stat().st_mtime_ns
    assert await train() == made
    assert made.stat().st_mtime_ns == before
    async with KafkaNode(data_dir=tmp_path) as node:
        command = await asyncio.to_thread(Path(f"/proc/{node.pid}/cmdline").read_bytes)
        assert f"-XX:AOTCache={made}".encode() in command.split(b"\0")
        # The JVM would tell what it cannot use.
        assert "AOT cache" not in node.log_path.read_text()
    assert config.HOST in node.bootstrap


def cluster_id(bootstrap: str) -> str:
    admin = AdminClient({"bootstrap.servers": bootstrap})  # it lasts until it has answered
    return str(admin.describe_cluster().result(20).cluster_id)


@pytest.mark.skipif((major_version(find_java()) or 0) < MAJOR_MIN, reason="this Java has none")
async def test_nodes_of_the_same_first_metadata_are_clusters_of_their_own() -> None:
    await train()
    ids = set()
    for _ in range(2):
        async with KafkaNode() as node:
            # Kafka's own tool did not run, which would say so there.
            assert "Formatting" not in node.log_path.read_text()
            ids.add(await asyncio.to_thread(cluster_id, node.bootstrap))
    assert len(ids) == 2


async def test_a_node_has_its_cluster_id_where_kafkas_own_tool_gives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes of one cluster may find that nobody has learned the first metadata yet."""
    monkeypatch.setattr(aot, "first_metadata", lambda *_: tmp_path / "not there")
    node = KafkaNode()
    async with node:
        assert "Formatting" in node.log_path.read_text()
        assert await asyncio.to_thread(cluster_id, node.bootstrap) == node._cluster_id
