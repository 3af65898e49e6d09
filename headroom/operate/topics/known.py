"""Topics have identities: what a generation's workers read and keep is what it was, or they stop.

The first time an identity is seen it is written into the book; from then on it is compared, at each
start and while a worker runs.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from headroom.base.known_topics import FOLLOWED, REPLAY, RESUME, KnownTopic, entry
from headroom.base.settings import KafkaSettings
from headroom.base.whole import RESTORE_BOOK
from headroom.operate.generations import Book, read_book, read_by, tables_of, write
from headroom.operate.topics.admin import Admin, Found, admin_of
from headroom.operate.topics.differences import CONTRACT, Wanted, require_all
from processors.engine.errors import TopicReplaced
from schemas.topics import GENERATIONS, Topic

GONE_SECONDS: Final = 10.0
"""A broker that has just come back may not know a topic for a moment."""
_LOOK_SECONDS: Final = 0.1


log = logging.getLogger("headroom.topics")


def way_on(topic: str, tables: Collection[str]) -> str:
    """The command that goes on where a topic is another one."""
    if topic == GENERATIONS:
        return RESTORE_BOOK
    return REPLAY if topic in tables else RESUME


def relied_on(generation: str) -> dict[str, Topic]:
    """The topics that the workers of a live generation read, keep tables in, or follow."""
    return read_by(generation) | {name: CONTRACT[name].topic for name in FOLLOWED}


def beside(generation: str) -> list[str]:
    """All other topics of the contract: no worker stops for their identities, which are told of."""
    return sorted(CONTRACT.keys() - relied_on(generation).keys())


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


def say_others(
    known: Mapping[str, KnownTopic], found: Mapping[str, Found], names: Collection[str]
) -> set[str]:
    """Tell of topics that nobody stops for and that are other ones; which these are."""
    others = set()
    for name in names:
        before, there = known.get(name), found.get(name)
        if before is not None and there is not None and there.id not in (None, before.id):
            others.add(name)
            log.warning("%s", TopicReplaced(topic=name, known=before.id, found=there.id))
    return others


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
    topics, tables = relied_on(generation), tables_of(generation)
    others = beside(generation)
    found = await admin.found([*topics, *others])
    new = {name: topic for name, topic in tables.items() if name not in known.keys() | found.keys()}
    await admin.create(new, partitions=partitions, replication_factor=replication_factor)
    begun = clock()
    while missing := (known.keys() & topics.keys() | new.keys()) - found.keys():
        if clock() - begun > (GONE_SECONDS if missing & new.keys() else gone_seconds):
            break
        await sleep(_LOOK_SECONDS)
        found = await admin.found([*topics, *others])
    compare(known, found, list(topics), tables)
    wanted = {name: Wanted(topic) for name, topic in topics.items()}
    await require_all(admin, wanted, partitions=partitions)
    say_others(known, found, others)
    # Whoever starts at the same time has seen the same, or what was written first counts.
    while fresh_of(known, found):
        known = (await read_book(kafka.arguments(), partitions=partitions)).topics
        compare(known, found, list(topics), tables)
        if fresh := fresh_of(known, found):
            await write(kafka.arguments(), *map(entry, fresh))
    return {name: known[name] for name in (*topics, *others) if name in known}


def fresh_of(known: Mapping[str, KnownTopic], found: Mapping[str, Found]) -> list[KnownTopic]:
    """Topics that are not known yet, as they are."""
    return [
        KnownTopic(name, there.id)
        for name, there in found.items()
        if name not in known and there.id is not None
    ]


async def unchanged(kafka: KafkaSettings, book: Book, names: Collection[str]) -> list[KnownTopic]:
    """That topics are those that the book knows, and those that are followed as well.

    Those that it does not know, as they are.
    Raises `TopicReplaced`, `TopicsDiffer`, `KafkaUnreachable`.
    """
    asked = {*names, *FOLLOWED}
    async with admin_of(kafka) as admin:
        found = await admin.found(asked)
    known = {name for name in asked if name in book.topics}
    tables = {name for one in {book.live.name, *book.generations} for name in tables_of(one)}
    compare(book.topics, found, sorted(known), tables)
    return fresh_of(book.topics, found)


async def know_itself(kafka: KafkaSettings, book: Book) -> None:
    """Have the book know which topic it lies in, before anything is committed by it.

    Raises `TopicReplaced`, `KafkaUnreachable`, `TopicsDiffer`.
    """
    async with admin_of(kafka) as admin:
        found = await admin.found([GENERATIONS])
    known = [GENERATIONS] if GENERATIONS in book.topics else []
    compare(book.topics, found, known, [])
    if not known:
        for topic in fresh_of(book.topics, found):
            await write(kafka.arguments(), entry(topic))
            book.topics[topic.name] = topic


async def known_book(kafka: KafkaSettings, *, partitions: int, names: Collection[str] = ()) -> Book:
    """The book, once that, the bindings and some other topics are what it knows.

    It knows itself afterwards, as it has to before anything is committed by it.
    Raises `TopicReplaced`, `TopicsDiffer`, `KafkaUnreachable`, `TopicCut`, `BookLost`.
    """
    book = await read_book(kafka.arguments(), partitions=partitions)
    await unchanged(kafka, book, names)
    await know_itself(kafka, book)
    return book
