"""`headroom topics check` and `apply`: all topics of ours, and the brokers that keep them.

All are those of the contract, public and private, and those of every generation in the book.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from confluent_kafka import KafkaException

from headroom.base.clients import Clients
from headroom.base.errors import TopicsDiffer
from headroom.base.known_topics import REPLAY, RESUME
from headroom.base.settings import KafkaSettings
from headroom.base.whole import RESTORE_BOOK, begins_of, cut, worked_as
from headroom.operate.generations import Book, names_of, read_by, tables_of, topics_of
from headroom.operate.generations.kind import is_group
from headroom.operate.topics.admin import Admin, Refused, admin_of
from headroom.operate.topics.differences import (
    CONTRACT,
    PARTITIONS,
    Difference,
    Wanted,
    differences,
)
from processors.engine.librdkafka import REQUEST_BYTES_MAX
from schemas.codec import NotADocument
from schemas.topics import ACCOUNTS, GENERATIONS, KEPT_MS, RETRIES

_SETTLE_SECONDS: Final = 0.05
_SETTLE_TIMES: Final = 200
_OF_GENERATIONS: Final = "headroom-generation."
_MS_PER_MINUTE: Final = 60_000
_TRANSACTION_MS: Final = 600_000  # a promotion's, the longest of ours
_INTERNAL: Final = ("__consumer_offsets", "__transaction_state")
# What of a broker's own settings no topic can say otherwise, the least that we need of it, and why.
_BROKERS: Final = {
    "offsets.retention.minutes": (
        KEPT_MS // _MS_PER_MINUTE,
        "a group that nobody is in for so long forgets where it stood before its records go",
    ),
    "socket.request.max.bytes": (
        REQUEST_BYTES_MAX,
        "the largest frame does not fit into a request",
    ),
    "transaction.max.timeout.ms": (
        _TRANSACTION_MS,
        "`headroom replay promote` needs a transaction of that time",
    ),
}


async def check(
    kafka: KafkaSettings, *, partitions: int, replication_factor: int
) -> list[Difference]:
    """What differs between Kafka and what it should be; raises `KafkaUnreachable`."""
    async with admin_of(kafka) as admin:
        book = await _book(admin, kafka)
        found = await differences(
            admin, _wanted(book), partitions=partitions, replication_factor=replication_factor
        )
        left = [*await _lost(admin, kafka, book, partitions), *await _strays(admin, book)]
        return found + left


async def apply(
    kafka: KafkaSettings,
    *,
    partitions: int,
    replication_factor: int,
    mended: Callable[[Difference], None] = lambda _: None,
) -> list[Difference]:
    """Create what is missing and set what differs; what was changed, as `mended` is told of it.

    Raises `TopicsDiffer` for what cannot be mended without loss: before anything else where a topic
    has another number of partitions, since the number that was asked for may be the mistake, and
    else when all the rest is mended.
    """
    async with admin_of(kafka) as admin:
        book = await _book(admin, kafka)
        wanted = _wanted(book)

        async def look() -> list[Difference]:
            return await differences(
                admin, wanted, partitions=partitions, replication_factor=replication_factor
            )

        found = await look()
        _refuse([one for one in found if one.setting == PARTITIONS])
        can_be = [one for one in found if not one.hint]
        missing = {one.topic: wanted[one.topic].topic for one in can_be if one.setting is None}
        await admin.create(missing, partitions=partitions, replication_factor=replication_factor)
        await admin.alter(await _unset(admin, wanted, can_be, replication_factor))
        if can_be:
            await _settled(look)
        for one in can_be:
            mended(one)
        lost = await _lost(admin, kafka, book, partitions)
        _refuse([*(one for one in found if one.hint), *lost])
        return can_be


async def brokers(kafka: KafkaSettings, *, replication_factor: int) -> list[str]:
    """What of the brokers themselves may break what we promise, a line each; nobody mends it here.

    A line says so where one may not look.
    """
    async with admin_of(kafka) as admin:
        found = []
        try:
            for number, settings in (await admin.brokers()).items():
                for name, (least, why) in _BROKERS.items():
                    value = settings.get(name)
                    if value is not None and int(value) < least:
                        found.append(
                            f"broker {number}: {name} is {value}, less than {least}: {why}"
                        )
        except Refused as error:
            found.append(f"the brokers' own settings were not looked at: {error}")
        try:
            for name, topic in (await admin.found(_INTERNAL)).items():
                if topic.replication_factor < replication_factor:
                    numbers = f"{topic.replication_factor}, less than {replication_factor}"
                    found.append(f"topic {name}: replication factor is {numbers}")
        except Refused as error:
            found.append(f"Kafka's own topics were not looked at: {error}")
        return found


async def _unset(
    admin: Admin,
    wanted: Mapping[str, Wanted],
    differing: list[Difference],
    replication_factor: int,
) -> dict[str, dict[str, str]]:
    """The settings to set, by topic: what differs, and what is right by a cluster's default only.

    A default is somebody else's, and may be another one tomorrow.
    """
    unset: dict[str, dict[str, str]] = {}
    there = await admin.found(wanted)
    for name, own in (await admin.settings(there, own=True)).items():
        replicas = min(replication_factor, there[name].replication_factor)
        needed = wanted[name].topic.settings(replication_factor=replicas)
        if missing := {key: value for key, value in needed.items() if key not in own}:
            unset[name] = missing
    for one in differing:
        if one.setting is not None:
            unset.setdefault(one.topic, {})[one.setting] = one.wanted
    return unset


def _refuse(found: list[Difference]) -> None:
    if found:
        raise TopicsDiffer([str(difference) for difference in found])


async def _settled(look: Callable[[], Awaitable[list[Difference]]]) -> None:
    """Wait until the brokers know what the controller has agreed to: that takes up to a second."""
    left: list[Difference] = []
    for _ in range(_SETTLE_TIMES):
        left = [difference for difference in await look() if not difference.hint]
        if not left:
            return
        await asyncio.sleep(_SETTLE_SECONDS)
    raise TopicsDiffer(["Kafka does not keep what was set", *map(str, left)])


async def _book(admin: Admin, kafka: KafkaSettings) -> Book:
    """The book of generations; an empty one where there is none yet."""
    there = (await admin.found([GENERATIONS])).get(GENERATIONS)
    if there is None:
        return Book()
    try:
        return await asyncio.to_thread(_read, kafka, there.partitions)
    except KafkaException as error:
        raise Refused(f"topic {GENERATIONS} cannot be read", error.args[0]) from error


def _read(kafka: KafkaSettings, partitions: int) -> Book:
    book, clients = Book(), Clients(kafka)
    try:
        begins = clients.begins([GENERATIONS], partitions)
        ends = clients.ends([GENERATIONS], partitions)
        for message in clients.read({place: (begins[place], ends[place]) for place in ends}):
            with contextlib.suppress(NotADocument):
                book.take(message.key(), message.value())
    finally:
        clients.close()
    return book


def _wanted(book: Book) -> dict[str, Wanted]:
    """Every topic of ours as it should be."""
    live = book.live.name
    wanted = {
        name: Wanted(one.topic, known=book.topics.get(name)) for name, one in CONTRACT.items()
    }
    itself = wanted[GENERATIONS]
    wanted[GENERATIONS] = msgspec.structs.replace(itself, way=RESTORE_BOOK)
    for name, topic in (read_by(live) | topics_of(live)).items():
        if name not in wanted:
            # The first worker makes them, and others are told of in the contract's topics.
            way, known = REPLAY, book.topics.get(name)
            wanted[name] = Wanted(topic, known=known, way=way, needed=False)
    for generation in book.generations.keys() - {live}:
        way = f"{REPLAY} drop {generation}"
        private = names_of(generation, live=True)
        complete = book.generations[generation].state == "complete"
        kept = {private.contributions, private.adoptions, *tables_of(generation)}
        for name, topic in topics_of(generation).items():
            wanted[name] = Wanted(
                topic,
                known=book.topics.get(name),
                way=way,
                needed=name in kept and complete,
                made_by=f"nobody makes it again: `{way}` lets the generation go, and a new replay",
            )
    return wanted


async def _lost(
    admin: Admin, kafka: KafkaSettings, book: Book, partitions: int
) -> list[Difference]:
    """What topics do not hold any more whose every record counts."""
    there = await admin.found([GENERATIONS, ACCOUNTS, RETRIES])
    found = []
    for name, one in there.items():
        way = RESTORE_BOOK if name == GENERATIONS else RESUME
        if one.partitions != partitions:
            continue
        begins = await begins_of(kafka.arguments(), name, partitions=partitions)
        if (begin := cut(begins, book.topics.get(name))) is not None:
            hint = f"records were deleted from it: see `{way}`"
            setting = f"the beginning of partition {begin[0]}"
            found.append(Difference(name, setting, "what is known", str(begin[1]), hint))
    if GENERATIONS in there and GENERATIONS not in book.topics:
        group = await worked_as(kafka.arguments(), is_group)
        if group is not None:
            hint = f"the group {group} has worked with another one: see `{RESTORE_BOOK}`"
            found.append(Difference(GENERATIONS, "id", "what was read", "another one", hint))
    return found


async def _strays(admin: Admin, book: Book) -> list[Difference]:
    """Topics of generations that the book does not know."""
    of = {name for one in {book.live.name, *book.generations} for name in topics_of(one)}
    strays = {name for name in await admin.names() if name.startswith(_OF_GENERATIONS)} - of
    hint = "its generation was dropped half, or the book has lost what it said: nobody reads it"
    return [
        Difference(name, "generation", "in the book", "unknown", hint) for name in sorted(strays)
    ]
