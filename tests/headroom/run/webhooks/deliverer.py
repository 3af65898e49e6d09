"""Deliveries in a process of their own, of any topic: so that a test can kill it."""

import asyncio
import json
import sys
import time
from random import Random

from prometheus_client import CollectorRegistry

from headroom.run.webhooks.deliver import Delivery
from headroom.run.webhooks.receiver import Receiver, Surroundings, connections
from headroom.run.webhooks.signing import signing_with
from headroom.run.webhooks.watched import Watched
from schemas.secrets import Secret


async def deliver(bootstrap: str, topic: str, url: str, secret: str) -> None:
    """Deliver until cancelled; the group is called as the topic is."""
    watched = Watched(CollectorRegistry(), time.monotonic)
    around = Surroundings(time.time_ns, time.monotonic, asyncio.sleep, Random(1))
    async with connections() as session:
        receiver = Receiver(
            session,
            Secret(url),
            signing_with(Secret(secret)),
            watched,
            around,
            give_up_seconds=600,
        )
        kafka = {"bootstrap_servers": bootstrap}
        await Delivery(kafka, receiver, watched, group=topic, topic=topic).run()


if __name__ == "__main__":
    asyncio.run(deliver(**json.loads(sys.argv[1])))
