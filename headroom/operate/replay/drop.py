"""`headroom replay drop`: a generation goes, with everything that it made and nothing else."""

import asyncio
import shutil
import sys

import msgspec

from headroom.base import known_topics
from headroom.base.clients import CALL_SECONDS, Clients
from headroom.base.settings import Settings
from headroom.operate.generations import app_name, check_name, read_book, topics_of, write
from headroom.operate.generations.book import entry, no_entry
from headroom.operate.replay.begin import IsLive
from headroom.operate.replay.place import forget_helpers, without_helpers, workplace
from headroom.operate.topics import require


async def run_drop(settings: Settings, name: str) -> None:
    """Delete a generation's topics, its consumer group, its local tables and its entry.

    Helpers see that it is being removed, and end. Killed in the middle, it can be called again.
    Raises `IsLive`, `Unknown`, `Busy`.
    """
    check_name(name)
    kafka, clients = settings.kafka.arguments(), Clients(settings.kafka)
    await require(settings.kafka, partitions=settings.partitions)
    book = await read_book(kafka, partitions=settings.partitions)
    if name in (book.live.name, book.live.promoting):
        raise IsLive(f"{name} is the live generation, or about to be: it cannot be dropped")
    generation = book.find(name)
    with workplace(settings.data_dir, name, clients) as place:
        await write(kafka, entry(msgspec.structs.replace(generation, is_going=True)))
        await without_helpers(clients, name, place.instance)
        dropped = await asyncio.to_thread(_drop, clients, name)
        place.clear()
        forget_helpers(settings.data_dir, name)
        # A name can come again, and is another topic then.
        gone = [known_topics.no_entry(topic) for topic in topics_of(name) if topic in book.topics]
        # The entry goes last: as long as it is there, the rest can be found.
        await write(kafka, *gone, no_entry(name))
    shutil.rmtree(place.root, ignore_errors=True)
    sys.stdout.write(f"{name} is dropped: {dropped} topics\n")


def _drop(clients: Clients, name: str) -> int:
    there = clients.admin.list_topics(timeout=CALL_SECONDS).topics.keys() & topics_of(name).keys()
    if there:
        for deleted in clients.admin.delete_topics(sorted(there)).values():
            deleted.result(CALL_SECONDS)
    clients.forget_group(app_name(name))
    return len(there)
