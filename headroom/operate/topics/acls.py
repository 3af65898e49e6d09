"""What each program needs to be allowed to do in Kafka, and not a right more.

`tests/secured` runs each program with these rights on a cluster that refuses all others, and
compares them with those that its authorizer saw used. Names of operations are Kafka's own
(org.apache.kafka.common.acl.AclOperation); whoever may read, write, delete or alter may describe.
"""

import json
import shlex
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import msgspec
import yaml

from headroom.operate.generations.kind import FIRST, app_name, names_of, read_by, tables_of
from schemas import topics
from schemas.venues import VENUES

Kind = Literal["topic", "group", "transactional-id"]
Operation = Literal["Read", "Write", "Describe", "Create", "DescribeConfigs", "AlterConfigs"]

_STRIMZI: Final = {"topic": "topic", "group": "group", "transactional-id": "transactionalId"}
_OURS: Final = "headroom-"
# Where the agents of a live generation tell what they found.
_TOLD: Final = (
    topics.BALANCES,
    topics.BALANCES_LATEST,
    topics.EXPOSURE_USER,
    topics.EXPOSURE_ASSET,
    topics.EXPOSURE_BASE,
    topics.ALERTS,
    topics.UNCONFIRMED,
    topics.DEAD_LETTERS,
)


# librdkafka asks for the coordinator of a group that each of its readers must name, and none joins.
_READERS: Final = "headroom-read"


class Right(msgspec.Struct, frozen=True, order=True):
    """One operation on one thing, or on all whose names begin so."""

    kind: Kind
    name: str
    operation: Operation
    prefixed: bool = False

    def __str__(self) -> str:
        """As in `Write on the topic balances.v1`."""
        begins = "that begin with " if self.prefixed else ""
        many = f"{self.kind}s" if self.prefixed else f"the {self.kind}"
        return f"{self.operation} on {many} {begins}{self.name}"


def of_producer(venue: str, *, lease: str | None = None) -> tuple[Right, ...]:
    """Of `headroom produce VENUE`; `lease` is HEADROOM_PRODUCER_LEASE."""
    raw = VENUES[venue].raw_topic
    found = [
        *_on("topic", raw, "Read", "Write"),
        *_on("topic", topics.FEEDS, "Read", "Write"),
        *_on("topic", topics.PUBLIC_FEEDS, "Write"),
        *_on("group", _READERS, "Describe"),
    ]
    if lease is not None:
        name = f"headroom-producer.{venue}.{lease}"
        found += _on("topic", topics.LEASES, "Read")
        found += _on("group", name, "Read")
        found += _on("transactional-id", name, "Write")
    return tuple(sorted(found))


def of_worker(generation: str = FIRST, *, transactions: bool = True) -> tuple[Right, ...]:
    """Of `headroom work` while this generation is live; exactly once it has transactions."""
    names, app = names_of(generation, live=True), app_name(generation)
    found = [right for name in topics.TOPICS for right in _on("topic", name, "Describe")]
    for name in read_by(generation):
        found += _on("topic", name, "Read")
    for name in (topics.GENERATIONS, topics.ACCOUNTS, topics.FEEDS):
        found += _on("topic", name, "Read")
    for name in (*map(names.output, _TOLD), names.contributions, names.adoptions):
        found += _on("topic", name, "Write")
    found += _on("topic", topics.GENERATIONS, "Write")
    for name in tables_of(generation):
        found += _on("topic", name, "Create", "Write", "DescribeConfigs")
    found += _on("group", app, "Read")
    found += _on("group", _READERS, "Describe")
    if transactions:
        found += _on("transactional-id", f"{app}-", "Write", prefixed=True)
    return _least(found)


def to_begin() -> tuple[Right, ...]:
    """What a worker needs to find out which generation is live, and what else it needs."""
    seen = [right for name in topics.TOPICS for right in _on("topic", name, "Describe")]
    return tuple(sorted([*seen, *_on("topic", topics.GENERATIONS, "Read")]))


def of_live_worker(generation: str) -> tuple[str, tuple[Right, ...]]:
    """What `headroom topics acls` is asked for a worker's rights, and these."""
    way = "work" if generation == FIRST else f"work --generation {generation}"
    return way, of_worker(generation)


def of_webhooks(group: str, topic: str = topics.ALERTS) -> tuple[Right, ...]:
    """Of `headroom alerts deliver`."""
    return (*_on("group", group, "Read"), *_on("topic", topic, "Read"))


def of_topics() -> tuple[Right, ...]:
    """Of `headroom topics apply`, as long as the first generation is live."""
    # What generations have is looked at as well, and what nobody knows any more is found.
    every: list[Operation] = ["Describe", "DescribeConfigs", "AlterConfigs"]
    found = _on("topic", _OURS, *every, prefixed=True)
    for name, topic in topics.TOPICS.items():
        found += _on("topic", name, "Create", *(every if topic.public else ()))
    found += _on("topic", topics.GENERATIONS, "Read")
    # Whether somebody has worked with another book is asked of the workers' groups.
    found += _on("group", app_name(FIRST), "Describe", prefixed=True)
    return tuple(sorted(found))


def programs(
    generation: str = FIRST,
    *,
    lease: str | None = None,
    transactions: bool = True,
    group: str = "headroom-webhooks",
) -> dict[str, tuple[Right, ...]]:
    """The rights of each program, by what `headroom topics acls` calls it."""
    producers = {f"produce-{venue}": of_producer(venue, lease=lease) for venue in VENUES}
    return {
        "apply": of_topics(),
        **producers,
        "work": of_worker(generation, transactions=transactions),
        "deliver": of_webhooks(group),
    }


def _on(kind: Kind, name: str, *operations: Operation, prefixed: bool = False) -> list[Right]:
    return [Right(kind, name, operation, prefixed) for operation in operations]


def _least(rights: Iterable[Right]) -> tuple[Right, ...]:
    """Without Describe where another right has it in it."""
    each = set(rights)
    implied = {(right.kind, right.name) for right in each if right.operation in ("Read", "Write")}
    return tuple(
        sorted(r for r in each if r.operation != "Describe" or (r.kind, r.name) not in implied)
    )


def as_commands(user: str, rights: Sequence[Right]) -> str:
    """A line of Kafka's own tool for each thing."""
    lines = []
    for (kind, name, prefixed), operations in _by_thing(rights).items():
        given = " ".join(f"--operation {one}" for one in operations)
        pattern = " --resource-pattern-type prefixed" if prefixed else ""
        lines.append(
            "kafka-acls.sh --bootstrap-server HOST:PORT --command-config ADMIN.properties --add "
            f"--allow-principal {shlex.quote(f'User:{user}')} {given} --{kind} {name}{pattern}\n"
        )
    return "".join(lines)


def as_strimzi(user: str, rights: Sequence[Right]) -> str:
    """A KafkaUser of Strimzi's operator, in YAML."""
    resource = {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaUser",
        "metadata": {"name": user, "labels": {"strimzi.io/cluster": "CLUSTER"}},
        "spec": {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {"type": "simple", "acls": [*strimzi(rights)]},
        },
    }
    return str(yaml.safe_dump(resource, sort_keys=False, explicit_start=True))


def as_json(user: str, rights: Sequence[Right]) -> str:
    """An object on a line: `user`, and of each right `kind`, `name`, `prefixed`, `operations`."""
    given = [
        {"kind": kind, "name": name, "prefixed": prefixed, "operations": operations}
        for (kind, name, prefixed), operations in _by_thing(rights).items()
    ]
    return json.dumps({"user": user, "rights": given}) + "\n"


def strimzi(rights: Sequence[Right]) -> Iterable[dict[str, Any]]:
    """The rules of a KafkaUser, one for each thing."""
    for (kind, name, prefixed), operations in _by_thing(rights).items():
        pattern = "prefix" if prefixed else "literal"
        resource = {"type": _STRIMZI[kind], "name": name, "patternType": pattern}
        yield {"resource": resource, "operations": operations}


def _by_thing(rights: Sequence[Right]) -> dict[tuple[Kind, str, bool], list[Operation]]:
    found: dict[tuple[Kind, str, bool], list[Operation]] = {}
    for right in rights:
        found.setdefault((right.kind, right.name, right.prefixed), []).append(right.operation)
    return found
