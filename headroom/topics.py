"""`headroom topics apply` and `check`: the contract's topics in Kafka."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from headroom.errors import KafkaUnreachable, TopicsDiffer
from schemas.topics import TOPICS, Topic

# Source: Kafka's DescribeConfigs, config source DYNAMIC_TOPIC_CONFIG.
_SET_ON_TOPIC = 1
_SETTLE_SECONDS = 0.05
_SETTLE_TIMES = 200
_START_SECONDS = 10.0


class Difference(msgspec.Struct, frozen=True):
    """What is otherwise in Kafka than in the contract; `setting` is None for a missing topic."""

    topic: str
    setting: str | None
    wanted: str
    found: str | None

    def __str__(self) -> str:
        if self.setting is None:
            return f"topic {self.topic} is missing"
        return f"topic {self.topic}: {self.setting} is {self.found}, not {self.wanted}"


async def check(
    kafka: Mapping[str, Any], *, partitions: int, replication_factor: int
) -> list[Difference]:
    """What differs between Kafka and the contract; raises `KafkaUnreachable`."""
    async with _admin(kafka) as admin:
        return await _differences(admin, partitions, replication_factor)


async def apply(
    kafka: Mapping[str, Any], *, partitions: int, replication_factor: int
) -> list[Difference]:
    """Create what is missing and set what differs; what was changed.

    Raises `TopicsDiffer` where a topic exists with another number of partitions: changing it
    would move users to other partitions than those that hold their tables.
    """
    async with _admin(kafka) as admin:
        found = await _differences(admin, partitions, replication_factor)
        fixed = [difference for difference in found if difference.setting == "partitions"]
        if fixed:
            raise TopicsDiffer([str(difference) for difference in fixed])
        missing = {d.topic: TOPICS[d.topic] for d in found if d.setting is None}
        await _create(admin, missing, partitions, replication_factor)
        changed = {d.topic for d in found if d.setting is not None}
        own = await _settings(admin, sorted(changed), set_on_topic=True)
        for name in sorted(changed):
            settings = TOPICS[name].settings(replication_factor=replication_factor)
            await _alter(admin, name, own[name] | settings)
        if found:
            await _settled(admin, partitions, replication_factor)
        return found


async def create(
    kafka: Mapping[str, Any],
    wanted: Mapping[str, Topic],
    *,
    partitions: int,
    replication_factor: int,
) -> None:
    """Create topics by these names where they are missing; raises `TopicsDiffer`."""
    async with _admin(kafka) as admin:
        await _create(admin, wanted, partitions, replication_factor)


async def _create(
    admin: AIOKafkaAdminClient,
    missing: Mapping[str, Topic],
    partitions: int,
    replication_factor: int,
) -> None:
    if not missing:
        return
    response = await admin.create_topics(
        [
            NewTopic(
                name,
                num_partitions=partitions,
                replication_factor=replication_factor,
                topic_configs=topic.settings(replication_factor=replication_factor),
            )
            for name, topic in missing.items()
        ]
    )
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if error not in (TopicAlreadyExistsError, for_code(0)):
            raise TopicsDiffer([f"topic {name} cannot be created: {message[0] or error.__name__}"])


async def _alter(admin: AIOKafkaAdminClient, name: str, settings: dict[str, str]) -> None:
    """Set a topic's settings; all that are not named here go back to the broker's defaults."""
    resource = ConfigResource(ConfigResourceType.TOPIC, name, configs=settings)
    for response in await admin.alter_configs([resource]):
        for code, message, *_ in response.resources:
            if code:
                problem = message or for_code(code).__name__
                raise TopicsDiffer([f"topic {name} cannot be changed: {problem}"])


async def _settled(admin: AIOKafkaAdminClient, partitions: int, replication_factor: int) -> None:
    """Wait until the brokers know what the controller has agreed to: that takes up to a second."""
    left: list[Difference] = []
    for _ in range(_SETTLE_TIMES):
        left = await _differences(admin, partitions, replication_factor)
        if not left:
            return
        await asyncio.sleep(_SETTLE_SECONDS)
    raise TopicsDiffer(["Kafka does not keep what was set", *map(str, left)])


async def _differences(
    admin: AIOKafkaAdminClient, partitions: int, replication_factor: int
) -> list[Difference]:
    present = set(await admin.list_topics())
    found = [Difference(name, None, "present", None) for name in TOPICS if name not in present]
    there = [name for name in TOPICS if name in present]
    if not there:
        return found
    for description in await admin.describe_topics(there):
        count = len(description["partitions"])
        if count != partitions:
            found.append(
                Difference(description["topic"], "partitions", str(partitions), str(count))
            )
    settings = await _settings(admin, there)
    for name in there:
        for setting, wanted in TOPICS[name].settings(replication_factor=replication_factor).items():
            value = settings[name].get(setting)
            if value != wanted:
                found.append(Difference(name, setting, wanted, value))
    return found


async def _settings(
    admin: AIOKafkaAdminClient, names: list[str], *, set_on_topic: bool = False
) -> dict[str, dict[str, str]]:
    """The settings of topics: all that are in force, or those set on the topic itself."""
    if not names:
        return {}
    responses = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    )
    # An entry is (name, value, read only, source, …).
    return {
        resource[3]: {
            entry[0]: entry[1]
            for entry in resource[4]
            if not set_on_topic or entry[3] == _SET_ON_TOPIC
        }
        for response in responses
        for resource in response.resources
    }


@asynccontextmanager
async def _admin(kafka: Mapping[str, Any]) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**kafka)
    try:
        async with asyncio.timeout(_START_SECONDS):
            await admin.start()
    except (KafkaError, OSError, TimeoutError) as error:
        await admin.close()
        raise KafkaUnreachable(str(kafka["bootstrap_servers"])) from error
    try:
        yield admin
    except KafkaError as error:
        raise TopicsDiffer([f"Kafka refused: {error!r}"]) from error
    finally:
        await admin.close()


async def require(kafka: Mapping[str, Any], *, partitions: int) -> None:
    """That all topics are there with their partitions; raises `TopicsDiffer` where not.

    Settings that differ stop nobody: `headroom topics check` names them.
    """
    async with _admin(kafka) as admin:
        found = await _differences(admin, partitions, replication_factor=1)
    wrong = [str(d) for d in found if d.setting in (None, "partitions")]
    if wrong:
        raise TopicsDiffer([*wrong, "run `headroom topics apply`"])
