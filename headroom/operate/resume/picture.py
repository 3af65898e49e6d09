"""What Kafka holds of a live generation, and where its group stands: all that a plan is made of."""

import base64
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, TopicCollection

from headroom.base.clients import CALL_SECONDS, Clients, Place
from headroom.base.errors import OperatorError
from headroom.base.known_topics import KnownTopic
from headroom.operate.generations import Book, app_name, names_of
from headroom.operate.generations.kind import changelog
from headroom.operate.topics.differences import partitions_of
from headroom.operate.topics.known import beside
from processors.engine.librdkafka import patiently
from processors.engine.marks import Commit
from processors.names import ALERTS_TABLE, ASSETS_TABLE, USERS_TABLE
from schemas.incarnations import named_at
from schemas.topics import ACCOUNTS, BALANCES, MOVES, RETRIES
from schemas.venues import VENUES

_PATIENCE_SECONDS: Final = 60.0
_HALF: Final = (1 << 64) - 1


class Kind(StrEnum):
    """What a topic is to the workers."""

    RAW = "raw"
    BALANCES = "balances"
    ORDERS = "orders"
    CONTRIBUTIONS = "contributions"
    TABLE = "table"
    SMALL = "small"


class Span(msgspec.Struct, frozen=True):
    """A partition's offsets, and the group's commit; None: it has none, or reads nothing there."""

    begin: int
    end: int
    commit: int | None = None


class Small(msgspec.Struct, frozen=True):
    """A topic that is not worked through: its identity, None where it is not there.

    `begins` are its partitions' first offsets where every record counts.
    """

    found: str | None
    begins: tuple[int, ...] = ()


class Picture(msgspec.Struct, frozen=True):
    """The topics of a live generation by their names; `found` has None for what is not there.

    `known` are those of them that the book knows. `strange` are commits without a mark of ours,
    `moved` those that are not where the group stood, and why. `small` are the topics beside.
    """

    live: str
    partitions: int
    kinds: dict[str, Kind]
    found: dict[str, str | None]
    known: dict[str, KnownTopic]
    spans: dict[Place, Span]
    strange: dict[Place, Commit] = {}
    moved: dict[Place, str] = {}
    small: dict[str, Small] = {}

    @property
    def read_anything(self) -> bool:
        """Whether any table holds a row: then the workers have read before."""
        return any(self.has_rows(partition) for partition in range(self.partitions))

    def has_rows(self, partition: int) -> bool:
        """Whether the tables of this number have ever had a row."""
        tables = (topic for topic, kind in self.kinds.items() if kind is Kind.TABLE)
        return any(self.end_of(topic, partition) > 0 for topic in tables)

    def end_of(self, topic: str, partition: int) -> int:
        """Where a partition ends; 0 where there is none."""
        span = self.spans.get((topic, partition))
        return 0 if span is None else span.end

    def name_of(self, place: Place, offset: int) -> str:
        """What a topic is called in identities at a place, as far as the book knows."""
        known = self.known.get(place[0])
        return named_at(place[0], () if known is None else known.history, place[1], offset)

    def read_from(self, place: Place, stands: Mapping[Place, int]) -> tuple[int, int]:
        """From where to where a source is still to be read, once the group `stands` elsewhere."""
        span = self.spans[place]
        at = stands.get(place, span.begin if span.commit is None else span.commit)
        return max(at, span.begin), span.end

    @property
    def has_commits(self) -> bool:
        """Whether the group stands anywhere."""
        return any(span.commit is not None for span in self.spans.values())


class OtherPartitions(OperatorError):
    """A topic has another number of partitions than HEADROOM_PARTITIONS says."""


def kinds_of(live: str) -> dict[str, Kind]:
    """The topics that the workers of a live generation read or keep tables in."""
    names = names_of(live, live=True)
    return {
        **{names.source(venue.raw_topic): Kind.RAW for venue in VENUES.values()},
        names.output(BALANCES): Kind.BALANCES,
        names.source(MOVES): Kind.ORDERS,
        names.adoptions: Kind.ORDERS,
        names.contributions: Kind.CONTRIBUTIONS,
        changelog(live, USERS_TABLE): Kind.TABLE,
        changelog(live, ASSETS_TABLE): Kind.TABLE,
        changelog(live, ALERTS_TABLE): Kind.TABLE,
    }


def look(clients: Clients, book: Book, *, partitions: int, stable: bool = True) -> Picture:
    """The picture as it is now; raises `OtherPartitions`, KafkaException.

    Unless `stable` it does not wait for transactions that may still move the group.
    """
    live = book.live.name
    kinds = kinds_of(live)
    others = [ACCOUNTS, *beside(live)]
    described = _described(clients, [*kinds, *others], partitions)
    found = {name: described.get(name) for name in kinds}
    there = [name for name in kinds if name in described]
    sources = [name for name in there if kinds[name] is not Kind.TABLE]
    begins = clients.begins(there, partitions)
    # All that was written: what is read ends there, whatever becomes of it.
    ends = clients.ends(there, partitions, committed=False)
    commits = clients.commits(app_name(live), sources, partitions, stable=stable)
    stands = {place: commit.offset for place, commit in commits.items()}
    return Picture(
        live=live,
        partitions=partitions,
        kinds=kinds,
        found=found,
        known={name: book.topics[name] for name in (*kinds, *others) if name in book.topics},
        spans={
            place: Span(begin, ends[place], stands.get(place)) for place, begin in begins.items()
        },
        small=_small(clients, others, described, partitions),
        strange={place: commit for place, commit in commits.items() if not commit.ours},
    )


def _small(
    clients: Clients, names: Collection[str], described: Mapping[str, str], partitions: int
) -> dict[str, Small]:
    counted = [name for name in (ACCOUNTS, RETRIES) if name in described]
    begins = clients.begins(counted, partitions)
    return {
        name: Small(
            described.get(name),
            tuple(begins[name, number] for number in range(partitions) if name in counted),
        )
        for name in names
    }


def _described(clients: Clients, names: Collection[str], partitions: int) -> dict[str, str]:
    """The identities of the topics that there are."""

    def ask() -> dict[str, Any]:
        asked = TopicCollection(list(names))
        answers = clients.admin.describe_topics(asked, request_timeout=CALL_SECONDS)
        found = {}
        for name, answer in answers.items():
            try:
                found[name] = answer.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
        return found

    described = patiently(ask, seconds=_PATIENCE_SECONDS)
    for name, topic in described.items():
        number = partitions_of(name, partitions)
        if len(topic.partitions) != number:
            problem = f"{name} has {len(topic.partitions)} partitions, not {number}"
            raise OtherPartitions(
                f"{problem}: HEADROOM_PARTITIONS must say how many the tables have"
            )
    return {name: id_text(topic.topic_id) for name, topic in described.items()}


def id_text(uuid: Any) -> str:  # noqa: ANN401 - librdkafka has no types
    """A topic's identity as Kafka's own tools print it: base64 without the signs at its end."""
    high = uuid.get_most_significant_bits() & _HALF
    low = uuid.get_least_significant_bits() & _HALF
    octets = ((high << 64) | low).to_bytes(16, "big")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
