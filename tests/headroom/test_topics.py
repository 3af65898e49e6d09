"""`headroom topics`: what is missing is made, what differs is named, and nobody's tables move."""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from headroom.errors import KafkaUnreachable, TopicsDiffer
from headroom.settings import KafkaSettings
from headroom.topics import Difference, require
from headroom.topics.survey import apply, check
from schemas.topics import BALANCES, BALANCES_LATEST, FEEDS, TOPICS
from tests.headroom import commands
from tests.headroom.commands import headroom

APPLIED = "topics are as the contract says\n"


@pytest.fixture(scope="module")
def own() -> Iterator[str]:
    yield from commands.node()


@pytest.fixture
def empty(own: str) -> str:
    commands.without_topics(own)
    return own


@pytest.fixture
def applied(own: str) -> str:
    """All topics as the contract says, whatever a test before has done to them."""
    commands.without_topics(own)
    asyncio.run(apply(KafkaSettings(own), partitions=8, replication_factor=1))
    return own


async def alter(bootstrap: str, topic: str, **settings: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        configs = {name.replace("_", "."): value for name, value in settings.items()}
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs)
        [response] = await admin.alter_configs([resource])
        assert [entry[0] for entry in response.resources] == [0], response
    finally:
        await admin.close()
    kafka = KafkaSettings(bootstrap)
    async with asyncio.timeout(10):
        # The controller has agreed; the broker knows it within a second.
        while topic not in {
            found.topic for found in await check(kafka, partitions=8, replication_factor=1)
        }:
            await asyncio.sleep(0.05)


def differences(bootstrap: str, partitions: int = 8) -> list[Difference]:
    kafka = KafkaSettings(bootstrap)
    return asyncio.run(check(kafka, partitions=partitions, replication_factor=1))


def test_apply_makes_what_is_missing_and_is_quiet_the_second_time(empty: str) -> None:
    first = headroom("topics", "apply", KAFKA_BOOTSTRAP=empty)
    assert (first.status, first.err) == (0, "")
    created = [f"created: {name}" for name in TOPICS]
    assert first.out.splitlines() == [*created, APPLIED.strip()]
    second = headroom("topics", "apply", KAFKA_BOOTSTRAP=empty)
    assert (second.status, second.out, second.err) == (0, APPLIED, "")
    after = headroom("topics", "check", KAFKA_BOOTSTRAP=empty)
    assert (after.status, after.out, after.err) == (0, "", "")


def test_what_is_made_has_the_partitions_and_settings_of_the_contract(empty: str) -> None:
    kafka = KafkaSettings(empty)
    asyncio.run(apply(kafka, partitions=3, replication_factor=1))
    assert differences(empty, partitions=3) == []

    async def described() -> dict[str, int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=empty)
        await admin.start()
        try:
            found = await admin.describe_topics(list(TOPICS))
        finally:
            await admin.close()
        return {topic["topic"]: len(topic["partitions"]) for topic in found}

    assert asyncio.run(described()) == dict.fromkeys(TOPICS, 3)


def test_check_names_a_changed_setting_and_apply_mends_it(applied: str) -> None:
    asyncio.run(alter(applied, BALANCES, retention_ms="1000"))
    asyncio.run(alter(applied, BALANCES_LATEST, cleanup_policy="delete"))
    checked = headroom("topics", "check", KAFKA_BOOTSTRAP=applied)
    assert (checked.status, checked.err) == (1, "")
    assert f"topic {BALANCES}: retention.ms is 1000, not 2592000000" in checked.out
    assert f"topic {BALANCES_LATEST}: cleanup.policy is delete, not compact" in checked.out
    # Setting one of them leaves the others at Kafka's defaults: they differ, too.
    assert all(line.startswith(f"topic {BALANCES[:8]}") for line in checked.out.splitlines())
    mended = headroom("topics", "apply", KAFKA_BOOTSTRAP=applied)
    assert mended.status == 0
    assert f"mended: topic {BALANCES}: retention.ms" in mended.out
    assert differences(applied) == []


def test_apply_leaves_what_an_operator_set_beside_the_contract(applied: str) -> None:
    """Mending one setting does not take back another that the contract says nothing of."""
    asyncio.run(alter(applied, BALANCES, retention_ms="1000", segment_bytes="1234567"))
    kafka = KafkaSettings(applied)
    asyncio.run(apply(kafka, partitions=8, replication_factor=1))
    assert differences(applied) == []
    assert asyncio.run(_setting(applied, BALANCES, "segment.bytes")) == "1234567"


async def _setting(bootstrap: str, topic: str, name: str) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        [response] = await admin.describe_configs([resource])
        return {entry[0]: entry[1] for entry in response.resources[0][4]}[name]
    finally:
        await admin.close()


def test_a_missing_topic_is_named(applied: str) -> None:
    asyncio.run(commands.without(applied, FEEDS))
    checked = headroom("topics", "check", KAFKA_BOOTSTRAP=applied)
    assert (checked.status, checked.out) == (1, f"topic {FEEDS} is missing\n")


def test_another_number_of_partitions_is_refused_and_nothing_is_touched(applied: str) -> None:
    asyncio.run(commands.without(applied, FEEDS))
    refused = headroom("topics", "apply", KAFKA_BOOTSTRAP=applied, PARTITIONS=12)
    refused.is_one_line(f"topic {BALANCES}: partitions is 8, not 12")
    assert differences(applied) == [Difference(FEEDS, None, "present", None)]
    checked = headroom("topics", "check", KAFKA_BOOTSTRAP=applied, PARTITIONS=12)
    assert checked.status == 1
    assert f"topic {BALANCES}: partitions is 8, not 12" in checked.out


def test_a_topic_that_kafka_refuses_is_one_clear_line(empty: str) -> None:
    refused = headroom("topics", "apply", KAFKA_BOOTSTRAP=empty, REPLICATION_FACTOR=3)
    refused.is_one_line("cannot be created")


def test_a_worker_requires_topics_and_partitions_but_not_every_setting(applied: str) -> None:
    kafka = KafkaSettings(applied)
    asyncio.run(alter(applied, BALANCES, retention_ms="1000"))
    asyncio.run(require(kafka, partitions=8))
    with pytest.raises(TopicsDiffer, match=r"partitions is 8, not 4.*HEADROOM_PARTITIONS"):
        asyncio.run(require(kafka, partitions=4))
    asyncio.run(commands.without(applied, FEEDS))
    with pytest.raises(TopicsDiffer, match=f"topic {FEEDS} is missing.*headroom topics apply"):
        asyncio.run(require(kafka, partitions=8))


def test_topics_of_others_are_left_alone(applied: str) -> None:
    async def other() -> list[str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=applied)
        await admin.start()
        try:
            await admin.create_topics([NewTopic("theirs", 1, 1)])
            while "theirs" not in await admin.list_topics():
                await asyncio.sleep(0.05)
            await apply(KafkaSettings(applied), partitions=8, replication_factor=1)
            return list(await admin.list_topics())
        finally:
            await admin.close()

    assert "theirs" in asyncio.run(other())
    assert differences(applied) == []


def test_no_kafka_is_said_and_a_silent_one_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("headroom.topics.admin.CALL_SECONDS", 0.3)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        before = time.monotonic()
        with pytest.raises(KafkaUnreachable, match=address):
            differences(address)
        assert time.monotonic() - before < 5
    with pytest.raises(KafkaUnreachable, match=r"127\.0\.0\.1:1"):
        differences("127.0.0.1:1")
