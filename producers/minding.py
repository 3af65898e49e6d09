"""What is looked after beside the lines: other producers, keys that may be others by now."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from aiokafka.errors import KafkaError

from producers.errors import SteppedBack
from producers.feed import Feed
from producers.health import Health
from producers.keys import READ_SECONDS, Keys
from producers.line import World
from producers.neighbours import Neighbours
from producers.statuses import StatusWriter

_MIND_SECONDS: Final = 1.0


async def mind(
    neighbours: Neighbours,
    feeds: Sequence[Feed],
    world: World,
    writer: StatusWriter,
    connections: set[str],
    health: Health,
) -> None:
    """Begin anew where another producer came and went; clear away what nobody has any more."""
    while True:
        await world.sleep(_MIND_SECONDS)
        world.publisher.observe()
        health.tick()
        for feed in feeds:
            epoch = neighbours.superseding(feed.status(), world.monotonic())
            if epoch is not None:
                world.epochs.observe(epoch)
                feed.supersede()
        if world.lease and neighbours.greatest_lease > world.lease:
            world.publisher.step_back(SteppedBack("it has begun after this one"))
        forgotten = neighbours.forgotten(connections, world.monotonic())
        if forgotten:
            with contextlib.suppress(KafkaError):  # it is looked at again in a moment
                await writer.forget(forgotten)


async def read_keys(keys: Keys, told: asyncio.Event, feeds: Sequence[Feed], world: World) -> None:
    """Read the keys again, every few seconds and where it is `told`."""
    read_at = world.monotonic()
    while True:
        await world.sleep(_MIND_SECONDS)
        at_once = told.is_set()
        if not at_once and world.monotonic() - read_at < READ_SECONDS:
            continue
        told.clear()
        read_at = world.monotonic()
        # A file may be on a disk that does not answer.
        changed = await asyncio.to_thread(keys.renew, world.log)
        if at_once and not changed:
            world.log.info("the keys are what they were")
        for feed in feeds:
            feed.rekeyed(at_once=at_once)
