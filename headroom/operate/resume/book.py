"""The book of generations written anew, where it has lost what it said: `resume --generation`.

Which generation was live is what a person says, and what its commits must not contradict: whoever
was live last has read furthest. The raw topics begin another incarnation where its group stands:
what was told before keeps its names, and none of these is used again, whatever the book had said.
Of the other generations nothing is known any more: nobody can promote them.
"""

import asyncio
import sys
import time
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Final

from headroom.base import known_topics, whole
from headroom.base.clients import Clients, InUse, Place
from headroom.base.errors import OperatorError, TopicsDiffer
from headroom.base.known_topics import KnownTopic
from headroom.base.settings import Settings
from headroom.operate.deadletters.letter import Place as RawPlace
from headroom.operate.generations import FIRST, Generation, Live, app_name, read_what_is_left
from headroom.operate.generations.book import entry
from headroom.operate.generations.kind import changelog
from headroom.operate.replay.alone import alone
from headroom.operate.replay.asked import RAW_TOPICS, mapped
from headroom.operate.replay.carry import Out, put
from headroom.operate.resume.told import all_origins
from headroom.operate.topics.admin import admin_of
from processors.names import USERS_TABLE
from schemas.incarnations import Incarnation
from schemas.topics import GENERATIONS
from schemas.venues import VENUES

TRANSACTION_SECONDS: Final = 60.0
Begins = dict[Place, int]


class NotLive(OperatorError):
    """A generation that cannot have been the live one."""


class NotLost(OperatorError):
    """The book is whole: nothing is to be written anew."""


async def run_restore(settings: Settings, name: str, stop: asyncio.Event) -> None:
    """Write the book anew; raises `NotLive`, `NotLost`, `InUse`, `Stopped`."""
    kafka, partitions = settings.kafka.arguments(), settings.partitions
    clients = Clients(settings.kafka)
    async with admin_of(settings.kafka) as admin:
        found = await admin.found([*RAW_TOPICS, GENERATIONS])
    ids = {topic: one.id or "" for topic, one in found.items()}
    if GENERATIONS not in ids:
        raise TopicsDiffer([f"topic {GENERATIONS} is missing", "run `headroom topics apply`"])
    book = await read_what_is_left(kafka, partitions=partitions)
    begins = await whole.begins_of(kafka, GENERATIONS, partitions=partitions)
    itself = book.topics.get(GENERATIONS)
    replaced = itself is None or itself.id != ids.get(GENERATIONS)
    if not replaced and whole.cut(begins, itself) is None:
        raise NotLost(f"{GENERATIONS} is whole: `headroom topics check` names what is not")
    stands = await asyncio.to_thread(_stands, clients, partitions)
    check_live(name, stands)
    for other in sorted(stands.keys() - {name}):
        if (await asyncio.to_thread(clients.group, app_name(other))).members:
            raise InUse(f"the group {app_name(other)} has members: stop them first")
    producer = await asyncio.to_thread(
        lambda: clients.producer(f"{app_name(name)}.resume", seconds_max=TRANSACTION_SECONDS)
    )
    await alone(clients, name, stop, partitions=partitions)
    stands = await asyncio.to_thread(_stands, clients, partitions)
    check_live(name, stands)
    seen = await asyncio.to_thread(lambda: incarnations_seen(all_origins(clients, partitions)))
    raw = [
        known_raw(topic, ids[topic], seen, stands[name], partitions)
        for topic in RAW_TOPICS
        if topic in ids
    ]
    knows = [*raw, KnownTopic(GENERATIONS, ids[GENERATIONS], begins=begins)]
    said = [known_topics.entry(topic) for topic in knows]
    if name != FIRST:
        said.append(entry(_generation(name, stands[name], raw, partitions)))
    said.append(entry(Live(name)))
    await asyncio.to_thread(
        _publish, producer, [(GENERATIONS, None, key, value, []) for key, value in said]
    )
    for topic in raw:
        sys.stdout.write(f"{topic.name} is incarnation {topic.incarnation} from here on\n")
    sys.stdout.write(f"{name} is live; see `headroom resume` for the rest\n")


def _publish(producer: object, records: Iterable[Out]) -> None:
    producer.begin_transaction()  # type: ignore[attr-defined]
    for record in records:
        put(producer, record)
    producer.commit_transaction()  # type: ignore[attr-defined]


def _stands(clients: Clients, partitions: int) -> dict[str, dict[Place, int]]:
    """Where the generations stand in raw that there are, by their tables."""
    there = clients.admin.list_topics(timeout=10.0).topics
    begin, end = changelog("*", USERS_TABLE).split("*")
    names = {
        topic.removeprefix(begin).removesuffix(end)
        for topic in there
        if topic.startswith(begin) and topic.endswith(end)
    }
    if changelog(FIRST, USERS_TABLE) in there:
        names.add(FIRST)
    return {
        name: clients.committed(app_name(name), RAW_TOPICS, partitions, stable=False)
        for name in names
    }


def check_live(name: str, stands: Mapping[str, Mapping[Place, int]]) -> None:
    """That a generation may have been the live one: none has read further; raises `NotLive`."""
    if name not in stands:
        there = ", ".join(sorted(stands))
        raise NotLive(f"there are no tables of a generation {name!r}; there are: {there}")
    for other, places in sorted(stands.items()):
        for place, offset in sorted(places.items()):
            own = stands[name].get(place, 0)
            if offset > own:
                where = f"{place[0]}[{place[1]}]"
                raise NotLive(
                    f"{name} was not the live one: it has read {where} up to {own}, "
                    f"and {other} up to {offset}"
                )


def incarnations_seen(origins: Iterable[RawPlace]) -> dict[str, dict[int, Begins]]:
    """Of each raw topic's incarnations the first offsets that something was told of."""
    found: dict[str, dict[int, Begins]] = {}
    for one in origins:
        begins = found.setdefault(one.topic, {}).setdefault(one.incarnation, {})
        place = one.topic, one.partition
        begins[place] = min(one.offset, begins.get(place, one.offset))
    return found


def known_raw(
    topic: str,
    id_: str,
    seen: Mapping[str, Mapping[int, Begins]],
    stands: Mapping[Place, int],
    partitions: int,
) -> KnownTopic:
    """A raw topic whose next incarnation begins where the group stands."""
    numbers = seen.get(topic, {})
    newest = max(numbers, default=1)
    begins = tuple(stands.get((topic, number), 0) for number in range(partitions))
    earlier = []
    later = begins
    for number in range(newest, 1, -1):
        first = numbers.get(number, {})
        later = tuple(
            min(first.get((topic, one), later[one]), later[one]) for one in range(partitions)
        )
        earlier.append(Incarnation(number, later))
    return KnownTopic(topic, id_, newest + 1, begins, tuple(earlier))


def _generation(
    name: str, stands: Mapping[Place, int], raw: Iterable[KnownTopic], partitions: int
) -> Generation:
    """What is left to say of the live generation: all frames were told of, by whomever."""
    places = {
        (topic, number): stands.get((topic, number), 0)
        for topic in RAW_TOPICS
        for number in range(partitions)
    }
    return Generation(
        name=name,
        made_ns=time.time_ns(),
        code=metadata.version("headroom"),
        state="complete",
        accounts=dict.fromkeys(VENUES),
        starts=mapped(places),
        ends=mapped(places),
        told_from=mapped(places),
        incarnations={topic.name: topic.history for topic in raw},
    )
