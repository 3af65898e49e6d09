"""Asking Kafka about topics and telling it what they should be: one client of librdkafka's.

It has topic identities (KIP-516) and sets only the settings that are named (KIP-339).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Hashable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import msgspec
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewTopic,
    ResourceType,
)

from headroom.base.errors import KafkaUnreachable, TopicsDiffer
from headroom.base.settings import KafkaSettings
from headroom.operate.topics.identity import text_of
from processors.engine.librdkafka import librdkafka_log, passes, properties
from schemas.topics import Topic

K = TypeVar("K", bound=Hashable)

CALL_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.02
# An address may stand for several: the next one is tried a moment after the first.
_DOWN_SECONDS: Final = 1.0
# What librdkafka says of an address where nobody is. All else may be a broker that is busy.
_NOBODY: Final = ("Connection refused", "Failed to resolve")
_AWAY: Final = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - its public name
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError.REQUEST_TIMED_OUT,
    }
)
_BROKEN: Final = frozenset(
    {
        KafkaError._RESOLVE,  # noqa: SLF001 - as above
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
    }
)
_REFUSALS: Final = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001 - as above
        KafkaError._SSL,  # noqa: SLF001
    }
)

_FORBIDDEN: Final = frozenset(
    {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
)


class Refused(TopicsDiffer):
    """Kafka does not do what it was asked to: rights, mostly."""

    def __init__(self, what: str, error: KafkaError) -> None:
        super().__init__([f"{what}: {error.str()}"])
        self.code = error.code()


class Found(msgspec.Struct, frozen=True):
    """A topic as it is: `id` is None where Kafka gives none, replicas are those of the fewest."""

    id: str | None
    partitions: int
    replication_factor: int


class Admin:
    """Questions about topics, and orders; each raises `KafkaUnreachable` and `Refused`.

    Two things are told apart: a topic that is not there is left out of answers, and one of which
    Kafka does not say whether it is there is `Refused`.
    """

    def __init__(self, kafka: KafkaSettings, *, clock: Callable[[], float]) -> None:
        arguments = kafka.arguments()
        self._bootstrap = str(arguments["bootstrap_servers"])
        self._clock = clock
        self._down_since: float | None = None
        self._why: str | None = None
        self._last = ""
        self._answered = False
        # What it has to say of connections is said in one line by `KafkaUnreachable`.
        own = {"log_level": 0, "error_cb": self._broken}
        self._client = AdminClient(
            {**properties(arguments), **kafka.properties(), **own}, logger=librdkafka_log
        )

    def _broken(self, error: KafkaError) -> None:
        if error.code() in _REFUSALS:
            self._why = error.str()
        elif error.code() in _BROKEN:
            self._last = error.str()
        elif error.code() == KafkaError._ALL_BROKERS_DOWN and self._down_since is None:  # noqa: SLF001
            self._down_since = self._clock()

    async def found(self, names: Collection[str]) -> dict[str, Found]:
        """Those of some topics that there are."""
        if not names:
            return {}
        asked = TopicCollection(list(names))
        answers = await self._answers(
            lambda: self._client.describe_topics(asked, request_timeout=CALL_SECONDS)
        )
        found = {}
        for name, answer in answers.items():
            if not isinstance(answer, KafkaError):
                found[name] = Found(
                    text_of(answer.topic_id),
                    len(answer.partitions),
                    min((len(p.replicas) for p in answer.partitions), default=0),
                )
            elif answer.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise Refused(f"topic {name} cannot be described", answer)
        return found

    async def names(self) -> set[str]:
        """The topics that there are, as far as one may know of them."""
        return set((await self._metadata()).topics)

    async def create(
        self, wanted: Mapping[str, Topic], *, partitions: int, replication_factor: int
    ) -> None:
        """Create topics by these names where they are missing."""
        if not wanted:
            return
        asked = [
            NewTopic(
                name,
                num_partitions=topic.partitions or partitions,
                replication_factor=replication_factor,
                config=topic.settings(replication_factor=replication_factor),
            )
            for name, topic in wanted.items()
        ]
        answers = await self._answers(
            lambda: self._client.create_topics(asked, request_timeout=CALL_SECONDS)
        )
        for name, answer in answers.items():
            exists = KafkaError.TOPIC_ALREADY_EXISTS
            if isinstance(answer, KafkaError) and answer.code() != exists:
                raise Refused(f"topic {name} cannot be created", answer)

    async def settings(
        self, names: Collection[str], *, own: bool = False
    ) -> dict[str, dict[str, str]]:
        """The settings that are in force for those of some topics that there are.

        With `own` those alone that are set on the topic itself: no default of the cluster's.
        """
        if not names:
            return {}
        asked = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        answers = await self._answers(
            lambda: self._client.describe_configs(asked, request_timeout=CALL_SECONDS)
        )
        found = {}
        for resource, answer in answers.items():
            if not isinstance(answer, KafkaError):
                found[resource.name] = _values(answer, own=own)
            elif answer.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise Refused(f"topic {resource.name}: its settings cannot be read", answer)
        return found

    async def alter(self, changed: Mapping[str, Mapping[str, str]]) -> None:
        """Set settings of topics; all that are not named stay as they are."""
        if not changed:
            return
        asked = [
            ConfigResource(
                ResourceType.TOPIC,
                name,
                incremental_configs=[
                    ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
                    for key, value in settings.items()
                ],
            )
            for name, settings in changed.items()
        ]
        answers = await self._answers(
            lambda: self._client.incremental_alter_configs(asked, request_timeout=CALL_SECONDS)
        )
        for resource, answer in answers.items():
            if isinstance(answer, KafkaError):
                raise Refused(f"topic {resource.name} cannot be changed", answer)

    async def brokers(self) -> dict[str, dict[str, str]]:
        """The settings of every broker, by its number; `Refused` where one may not look."""
        found = {}
        for number in sorted((await self._metadata()).brokers):
            asked = [ConfigResource(ResourceType.BROKER, str(number))]
            answers = await self._answers(
                lambda asked=asked: self._client.describe_configs(  # type: ignore[misc]
                    asked, request_timeout=CALL_SECONDS
                )
            )
            for resource, answer in answers.items():
                if isinstance(answer, KafkaError):
                    raise Refused(f"broker {number}: its settings cannot be read", answer)
                found[resource.name] = _values(answer)
        return found

    async def rights(self, names: Collection[str]) -> dict[str, frozenset[str]]:
        """What one may do with those of some topics that there are, by Kafka's names of it.

        Topics of which Kafka does not tell it are left out.
        """
        asked = TopicCollection(list(names))
        answers = await self._answers(
            lambda: self._client.describe_topics(
                asked, include_authorized_operations=True, request_timeout=CALL_SECONDS
            )
        )
        return {
            name: frozenset() if isinstance(answer, KafkaError) else _operations(answer)
            for name, answer in answers.items()
            if _tells_rights(answer)
        }

    async def rights_in(self, group: str) -> frozenset[str] | None:
        """What one may do with a group; None where nobody can tell.

        So it is with one that is not there yet, and for a moment after brokers have come or gone.
        """
        answers = await self._answers(
            lambda: self._client.describe_consumer_groups(
                [group], include_authorized_operations=True, request_timeout=CALL_SECONDS
            )
        )
        answer = answers[group]
        if not isinstance(answer, KafkaError):
            return _operations(answer) if _tells_rights(answer) else None
        if answer.code() == KafkaError.GROUP_ID_NOT_FOUND or passes(answer):
            return None
        if answer.code() in _FORBIDDEN:
            return frozenset()
        raise Refused(f"group {group} cannot be described", answer)

    async def _metadata(self) -> Any:  # noqa: ANN401 - librdkafka has no types
        try:
            return await asyncio.to_thread(self._client.list_topics, timeout=CALL_SECONDS)
        except KafkaException as error:
            raise self._unreachable() from error

    async def _answers(self, ask: Callable[[], Mapping[K, Future[Any]]]) -> dict[K, Any]:
        """What each part of a request came to, an error of Kafka's included."""
        try:
            asked = {key: asyncio.wrap_future(future) for key, future in ask().items()}
        except KafkaException as error:
            raise self._unreachable() from error
        pending = set(asked.values())
        while pending:
            _, pending = await asyncio.wait(pending, timeout=_LOOK_SECONDS)
            # Errors of connections are told to who polls.
            self._client.poll(0)
            if pending and self._is_away():
                for future in pending:
                    future.cancel()
                raise self._unreachable()
        # All of them: an error that nobody took is told of by asyncio.
        outcomes = await asyncio.gather(*asked.values(), return_exceptions=True)
        answers: dict[K, Any] = {}
        for key, outcome in zip(asked, outcomes, strict=True):
            answers[key] = outcome
            if isinstance(outcome, KafkaException):
                answers[key] = outcome.args[0]
                if answers[key].code() in _AWAY:
                    raise self._unreachable() from outcome
            elif isinstance(outcome, BaseException):
                raise outcome
        self._answered = True
        return answers

    def _is_away(self) -> bool:
        """Whether nobody has ever answered, and nobody will soon."""
        if self._down_since is None or self._answered:
            return False
        nobody = self._why is not None or any(said in self._last for said in _NOBODY)
        wait_seconds = _DOWN_SECONDS if nobody else CALL_SECONDS
        return self._clock() - self._down_since > wait_seconds

    def _unreachable(self) -> KafkaUnreachable:
        return KafkaUnreachable(self._bootstrap, self._why, last=self._last)


def _tells_rights(answer: Any) -> bool:  # noqa: ANN401 - librdkafka has no types
    """Whether an answer says what one may do; that one may not even ask says so, too."""
    if isinstance(answer, KafkaError):
        return answer.code() in _FORBIDDEN
    return answer.authorized_operations is not None


def _operations(described: Any) -> frozenset[str]:  # noqa: ANN401 - librdkafka has no types
    return frozenset(one.name for one in described.authorized_operations or ())


def _values(entries: Mapping[str, Any], *, own: bool = False) -> dict[str, str]:
    set_on_topic = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return {
        name: entry.value
        for name, entry in entries.items()
        if not own or entry.source == set_on_topic
    }


@asynccontextmanager
async def admin_of(
    kafka: KafkaSettings, *, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[Admin]:
    """Ask one Kafka while the block runs; it is not connected to before the first question."""
    yield Admin(kafka, clock=clock)
