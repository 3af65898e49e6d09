"""What the public gets of a promotion: what differs, and the word that another generation is live.

That word and every row and document that differs are one transaction, which the live workers wait
for. What came otherwise of frames that were read before is told again ahead of it.
"""

import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from confluent_kafka import TopicPartition

from headroom.base import known_topics
from headroom.base.clients import Clients
from headroom.base.known_topics import KnownTopic
from headroom.operate.generations import Book, Generation, Live, app_name, names_of
from headroom.operate.generations.book import entry
from headroom.operate.generations.kind import changelog
from headroom.operate.replay.carry import Out, put
from headroom.operate.replay.compare import Comparison, compare
from headroom.operate.replay.plan import sum_records, user_records
from headroom.operate.replay.records import RECORD_TOPICS, Telling
from headroom.operate.replay.rows import Tables, last_rows
from processors.engine.headers import headers_of
from processors.engine.marks import mark
from processors.ledger.views import Venues
from processors.names import ALERTS_TABLE, USERS_TABLE
from schemas.headers import GENERATION
from schemas.times import rfc3339
from schemas.topics import BALANCES, GENERATIONS
from schemas.venues import VENUES

TRANSACTION_SECONDS: Final = 600.0
_CORRECTIONS_AT_ONCE: Final = 20_000


def publish(
    clients: Clients,
    book: Book,
    generation: Generation,
    new: list[KnownTopic],
    *,
    partitions: int,
    moved: frozenset[str],
    in_assets: Venues,
) -> Comparison:
    """Make a generation the live one that stands at the same frames as the live one; what differed.

    `new` are topics of its that the book does not know yet. `moved` and `in_assets`: see `compare`.
    """
    old, group = book.live.name, app_name(generation.name)
    comparison = compare(
        clients, generation, old, partitions=partitions, moved=moved, in_assets=in_assets
    )
    producer = clients.producer(f"{group}.promotion", seconds_max=TRANSACTION_SECONDS)
    _correct(producer, clients, generation, comparison, partitions=partitions)
    # From here on the promoted agents read what comes: corrections are folded already, also those
    # whose transaction has no marker yet.
    ends = clients.ends([BALANCES], partitions, committed=False)
    producer.begin_transaction()
    tables = Tables(clients, generation.name, old, partitions=partitions, in_assets=in_assets)
    for out in _differing(tables, generation.name, partitions):
        put(producer, out)
    for out in _alerted(clients, generation.name, old, partitions):
        put(producer, out)
    for written in (*map(known_topics.entry, new), *map(entry, _said(book, generation))):
        put(producer, (GENERATIONS, None, *written, []))
    rows = _rows(clients, generation.name, partitions)
    producer.send_offsets_to_transaction(
        [
            TopicPartition(topic, partition, end, metadata=mark(end, left_rows=rows[partition]))
            for (topic, partition), end in ends.items()
        ],
        clients.nobody_of(group),
    )
    producer.commit_transaction()
    return comparison


def _rows(clients: Clients, name: str, partitions: int) -> dict[int, bool]:
    """Which partitions have users: a worker takes their changelogs for lost if they are empty."""
    ends = clients.ends([changelog(name, USERS_TABLE)], partitions, committed=False)
    return {partition: end > 0 for (_, partition), end in ends.items()}


def _correct(
    producer: Any,  # noqa: ANN401 - librdkafka has no types
    clients: Clients,
    generation: Generation,
    comparison: Comparison,
    *,
    partitions: int,
) -> None:
    """Tell again, marked as such, what came otherwise of frames that were read before."""
    own = names_of(generation.name, live=False)
    topics = {topic: own.output(topic) for topic in RECORD_TOPICS}
    telling = Telling(clients, generation, topics, partitions=partitions)
    waiting = 0
    producer.begin_transaction()
    for topic, identities in comparison.corrections.items():
        for said, message in telling.said(topics[topic], range(partitions)):
            if said.identity not in identities:
                continue
            headers = [*headers_of(message), (GENERATION, generation.name.encode())]
            put(producer, (topic, None, message.key(), message.value(), headers))
            waiting += 1
            if waiting % _CORRECTIONS_AT_ONCE == 0:
                producer.commit_transaction()
                producer.begin_transaction()
    producer.commit_transaction()


def _differing(tables: Tables, name: str, partitions: int) -> Iterator[Out]:
    """Rows and documents that are not the same in both."""
    now = rfc3339(time.time_ns())
    for partition in range(partitions):
        for pair in tables.users([partition]):
            if pair is not None:
                yield from user_records(pair, name, now)
    for sums in tables.sums():
        yield from sum_records(sums, name, now)


def _alerted(clients: Clients, name: str, old: str, partitions: int) -> Iterator[Out]:
    """Rows that say what others were told by alerts: that is what was sent until now.

    What this generation would have told went nowhere. The next frame of an account is judged by
    what is known of it outside: nothing is told twice, and what differs is told then.
    """
    ours, theirs = (changelog(one, ALERTS_TABLE) for one in (name, old))
    ends, numbers = clients.ends([ours, theirs], partitions), range(partitions)
    here = last_rows(clients, ours, ends, numbers)
    there = last_rows(clients, theirs, ends, numbers)
    for place in sorted(here.keys() | there.keys()):
        if here.get(place) != there.get(place):
            partition, key = place
            yield ours, partition, key, there.get(place), []


def _said(book: Book, generation: Generation) -> list[Generation | Live]:
    """What the book says from now on."""
    stands = generation.ends
    old = book.generations.get(book.live.name) or Generation(
        name=book.live.name,
        made_ns=0,
        code=generation.code,
        state="complete",
        accounts=dict.fromkeys(VENUES),
        starts={topic: [0] * len(offsets) for topic, offsets in stands.items()},
        ends=stands,
    )
    raw = generation.incarnations
    demoted = msgspec.structs.replace(old, ends=stands, told_from=stands, incarnations=raw)
    return [generation, demoted, Live(generation.name)]
