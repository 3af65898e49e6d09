"""`headroom topics`: what is missing is made, what differs is named, and nobody's tables move."""

import asyncio
import socket
import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ResourceType
from confluent_kafka.admin import ConfigResource as Resource

from headroom.base.errors import KafkaUnreachable, TopicsDiffer
from headroom.base.settings import KafkaSettings
from headroom.operate.generations import FIRST, Generation, tables_of, topics_of, write
from headroom.operate.generations.book import entry
from headroom.operate.topics import Difference, create, require, survey
from headroom.operate.topics.admin import Admin, Refused, admin_of
from headroom.operate.topics.survey import apply, brokers, check
from schemas.topics import BALANCES, BALANCES_LATEST, FEEDS, TOPICS
from tests.engine.proxy import Proxy
from tests.headroom import commands
from tests.headroom.commands import headroom, until

pytestmark = pytest.mark.slow

APPLIED = "topics are as the contract says\n"


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

    assert asyncio.run(described()) == {name: one.partitions or 3 for name, one in TOPICS.items()}


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
    monkeypatch.setattr("headroom.operate.topics.admin.CALL_SECONDS", 0.3)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        before = time.monotonic()
        with pytest.raises(KafkaUnreachable, match=address):
            differences(address)
        assert time.monotonic() - before < 5
    with pytest.raises(KafkaUnreachable, match=r"127\.0\.0\.1:1 \(.*Connection refused"):
        differences("127.0.0.1:1")


async def test_a_kafka_that_hangs_up_at_first_is_waited_for(applied: str) -> None:
    """A broker that is busy or being started: so long that one where nobody is is given up."""
    since: list[float] = []

    class HangsUp(Proxy):
        async def _connected(
            self, client: asyncio.StreamReader, reply: asyncio.StreamWriter
        ) -> None:
            since.append(time.monotonic())
            if since[-1] - since[0] < 1.5:
                reply.close()
            else:
                await super()._connected(client, reply)

    async with HangsUp(applied) as proxy, admin_of(KafkaSettings(proxy.bootstrap)) as admin:
        assert set(await admin.found([BALANCES])) == {BALANCES}
    assert len(since) > 2


# All topics of ours, and what keeps them.


def configured(bootstrap: str, topic: str, **settings: str) -> None:
    """Set a topic's settings, and leave the others."""
    entries = [
        ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for name, value in settings.items()
    ]
    resource = Resource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.incremental_alter_configs([resource])[resource].result()


@pytest.fixture
def kept(applied: str) -> str:
    """The live tables' changelogs are there, as some worker made them."""
    asyncio.run(commands.without(applied, *tables_of(FIRST)))
    made = create(KafkaSettings(applied), tables_of(FIRST), partitions=8, replication_factor=1)
    asyncio.run(made)
    until(lambda: differences(applied) == [], why=lambda: str(differences(applied)))
    return applied


@pytest.mark.parametrize(
    ("topic", "setting", "bad", "good"),
    [
        ("headroom-users-changelog", "cleanup.policy", "compact,delete", "compact"),
        ("headroom-users-changelog", "cleanup.policy", "delete", "compact"),
        ("headroom-assets-changelog", "max.message.bytes", "1000", "17825792"),
        ("headroom-contributions.v1", "retention.ms", "1000", "2592000000"),
        ("headroom-contributions.v1", "retention.bytes", "1000", "-1"),
        ("raw.sfox.balances.v1", "message.timestamp.type", "LogAppendTime", "CreateTime"),
        (BALANCES, "unclean.leader.election.enable", "true", "false"),
        (BALANCES_LATEST, "min.compaction.lag.ms", "1000", "0"),
    ],
)
def test_every_topic_of_ours_is_compared_and_mended(
    kept: str, topic: str, setting: str, bad: str, good: str
) -> None:
    configured(kept, topic, **{setting.replace(".", "_"): bad})
    wrong = Difference(topic, setting, good, bad)
    until(lambda: differences(kept) == [wrong], why=lambda: str(differences(kept)))
    asyncio.run(apply(KafkaSettings(kept), partitions=8, replication_factor=1))
    assert differences(kept) == []


def test_what_is_right_by_a_default_alone_is_set_on_the_topic_itself(kept: str) -> None:
    """The cluster's default may be another one tomorrow: so is a topic of an earlier version."""
    own = asyncio.run(_own_settings(kept, BALANCES))
    assert own.items() >= TOPICS[BALANCES].settings(replication_factor=1).items()
    admin = AdminClient({"bootstrap.servers": kept})
    entry = ConfigEntry("retention.bytes", None, incremental_operation=AlterConfigOpType.DELETE)
    resource = Resource(ResourceType.TOPIC, BALANCES, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result()
    until(lambda: "retention.bytes" not in asyncio.run(_own_settings(kept, BALANCES)))
    assert differences(kept) == []
    assert asyncio.run(apply(KafkaSettings(kept), partitions=8, replication_factor=1)) == []
    until(lambda: asyncio.run(_own_settings(kept, BALANCES)).get("retention.bytes") == "-1")


async def _own_settings(bootstrap: str, topic: str) -> dict[str, str]:
    async with admin_of(KafkaSettings(bootstrap)) as admin:
        return (await admin.settings([topic], own=True))[topic]


def test_too_few_replicas_are_named_and_no_writer_is_stopped_for_them(kept: str) -> None:
    """Two acknowledgements of a topic with one replica would be the end of all writing."""
    checked = headroom("topics", "check", KAFKA_BOOTSTRAP=kept, REPLICATION_FACTOR=3)
    assert checked.status == 1
    for topic in (BALANCES, FEEDS, "headroom-users-changelog"):
        assert f"topic {topic}: replication factor is 1, not 3: `kafka-reassign" in checked.out
    assert "min.insync.replicas" not in checked.out
    applied = headroom("topics", "apply", KAFKA_BOOTSTRAP=kept, REPLICATION_FACTOR=3)
    applied.is_one_line("replication factor is 1, not 3")
    assert asyncio.run(_setting(kept, BALANCES, "min.insync.replicas")) == "1"


def test_topics_of_generations_are_looked_at(kept: str) -> None:
    """One that was made and has lost a table; and one that nobody knows of."""
    made = Generation("new", 1, "0", "complete", {}, {}, {})
    wanted = topics_of("new")
    lost = "headroom-generation.new-users-changelog"
    del wanted[lost]
    stray = "headroom-generation.other.balances.v1"
    wanted[stray] = TOPICS[BALANCES]
    wanted_by = create(KafkaSettings(kept), wanted, partitions=8, replication_factor=1)
    asyncio.run(wanted_by)
    asyncio.run(write({"bootstrap_servers": kept}, entry(made)))
    try:
        until(lambda: len(differences(kept)) == 2, why=lambda: str(differences(kept)))
        first, second = differences(kept)
        assert (first.topic, first.setting, second.topic) == (lost, None, stray)
        assert "`headroom replay drop new`" in first.hint
        checked = headroom("topics", "check", KAFKA_BOOTSTRAP=kept)
        assert f"topic {stray}: generation is unknown, not in the book" in checked.out
        with pytest.raises(TopicsDiffer, match=f"{lost} is missing"):
            asyncio.run(apply(KafkaSettings(kept), partitions=8, replication_factor=1))
    finally:
        asyncio.run(commands.without(kept, *wanted))


def test_what_brokers_have_too_little_of_is_named_and_no_difference(
    kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka = KafkaSettings(kept)
    assert asyncio.run(brokers(kafka, replication_factor=1)) == []
    monkeypatch.setitem(survey._BROKERS, "offsets.retention.minutes", (10**9, "for so long"))
    (line,) = asyncio.run(brokers(kafka, replication_factor=1))
    assert line == "broker 1: offsets.retention.minutes is 43200, less than 1000000000: for so long"


async def test_what_may_not_be_looked_at_is_said_and_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refused(_: Admin, *__: object) -> dict[str, dict[str, str]]:
        raise Refused("broker 1: its settings cannot be read", KafkaError(29))

    monkeypatch.setattr(Admin, "brokers", refused)
    monkeypatch.setattr(Admin, "found", refused)
    lines = await brokers(KafkaSettings("127.0.0.1:1"), replication_factor=1)
    assert len(lines) == 2
    assert all("not looked at" in line and "authorization" in line for line in lines)
