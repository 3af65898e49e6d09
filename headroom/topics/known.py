"""Topics have identities: what a generation's workers read and keep is what it was, or they stop.

The first time an identity is seen it is written into the book; from then on it is compared, at each
start and while a worker runs.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from headroom.generations import Book, read_book, read_by, tables_of, write
from headroom.known_topics import KnownTopic, entry
from headroom.settings import KafkaSettings
from headroom.topics.admin import Admin, Found, admin_of
from headroom.topics.differences import REPLAY, RESUME, Wanted, require_all
from processors.engine.errors import TopicReplaced

GONE_SECONDS: Final = 10.0
"""A broker that has just come back may not know a topic for a moment."""
_LOOK_SECONDS: Final = 0.1


def way_on(topic: str, tables: Collection[str]) -> str:
    """The command that goes on where a topic is another one."""
    return REPLAY if topic in tables else RESUME


def compare(
    known: Mapping[str, KnownTopic],
    found: Mapping[str, Found],
    names: Collection[str],
    tables: Collection[str],
) -> None:
    """That topics are those that were read; raises `TopicReplaced`. What is not known is passed."""
    for name in names:
        before, there = known.get(name), found.get(name)
        if before is None or (there is not None and there.id in (None, before.id)):
            continue
        now = None if there is None else there.id
        raise TopicReplaced(topic=name, known=before.id, found=now, way=way_on(name, tables))


async def settle(
    admin: Admin,
    kafka: KafkaSettings,
    generation: str,
    known: Mapping[str, KnownTopic],
    *,
    partitions: int,
    replication_factor: int,
    gone_seconds: float = GONE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> dict[str, KnownTopic]:
    """Compare what a live generation reads and keeps with what is known; it is known afterwards.

    Changelogs that nobody knows are made. Workers that do this at once say the same.
    Raises `TopicReplaced`, `TopicsDiffer`, `KafkaUnreachable`.
    """
    topics, tables = read_by(generation), tables_of(generation)
    found = await admin.found(topics)
    new = {name: topic for name, topic in tables.items() if name not in known.keys() | found.keys()}
    await admin.create(new, partitions=partitions, replication_factor=replication_factor)
    begun = clock()
    while missing := (known.keys() & topics.keys() | new.keys()) - found.keys():
        if clock() - begun > (GONE_SECONDS if missing & new.keys() else gone_seconds):
            break
        await sleep(_LOOK_SECONDS)
        found = await admin.found(topics)
    compare(known, found, list(topics), tables)
    wanted = {name: Wanted(topic) for name, topic in topics.items()}
    await require_all(admin, wanted, partitions=partitions)
    # Whoever starts at the same time has seen the same, or what was written first counts.
    while fresh_of(known, found):
        known = (await read_book(kafka.arguments(), partitions=partitions)).topics
        compare(known, found, list(topics), tables)
        if fresh := fresh_of(known, found):
            await write(kafka.arguments(), *map(entry, fresh))
    return {name: known[name] for name in topics if name in known}


def fresh_of(known: Mapping[str, KnownTopic], found: Mapping[str, Found]) -> list[KnownTopic]:
    """Topics that are not known yet, as they are."""
    return [
        KnownTopic(name, there.id)
        for name, there in found.items()
        if name not in known and there.id is not None
    ]


async def unchanged(kafka: KafkaSettings, book: Book, names: Collection[str]) -> list[KnownTopic]:
    """That topics are those that the book knows; those that it does not know, as they are.

    Raises `TopicReplaced`, `TopicsDiffer`, `KafkaUnreachable`.
    """
    async with admin_of(kafka) as admin:
        found = await admin.found(names)
    known = {name for name in names if name in book.topics}
    tables = {name for one in {book.live.name, *book.generations} for name in tables_of(one)}
    compare(book.topics, found, sorted(known), tables)
    return fresh_of(book.topics, found)
