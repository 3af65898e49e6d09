"""A producer of sFOX in a process of its own, on a test's topics: see `tests.producers.standby`."""

import asyncio
import faulthandler
import json
import logging
import signal
import sys
import time
from pathlib import Path
from random import SystemRandom

from prometheus_client import CollectorRegistry

from headroom.base.following import Reader
from processors.engine.librdkafka import properties
from producers.line import Lines
from producers.pace import RateBound
from producers.publisher import SpoolSettings
from producers.service import produce
from producers.settings import Deadlines
from producers.sfox import SfoxLine, SfoxSettings
from producers.statuses import StatusSettings
from producers.turns import StandbySettings
from schemas.secrets import Secret
from schemas.venues import Venue
from tests.producers import topics


async def main(told: dict[str, str]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    at = Venue(told["venue"], feed="test")
    line = SfoxLine(
        SfoxSettings(
            api_key=Secret("sandbox-sfox-key"),
            url=told["url"],
            deadlines=Deadlines(close_seconds=1.0),
        )
    )
    servers = {"bootstrap_servers": told["bootstrap"]}
    follow = Reader(lambda: properties(servers))
    await produce(
        Lines(at, [line], RateBound(999), RateBound(9_999)),
        servers,
        follow=follow,
        access=follow.access,
        statuses=StatusSettings(topic=topics.feeds_topic(at), public_topic=topics.public_topic(at)),
        spool=SpoolSettings(Path(told["spool"])),
        standby=StandbySettings("both", topics.leases_topic(at)),
        stop=stop,
        clock_ns=time.time_ns,
        monotonic=time.monotonic,
        rng=SystemRandom(),
        sleep=asyncio.sleep,
        registry=CollectorRegistry(),
        log=logging.getLogger("producer"),
    )


if __name__ == "__main__":
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)  # where it stands, if it stands
    logging.basicConfig(level="INFO", format="%(asctime)s %(name)s %(message)s")
    asyncio.run(main(json.loads(sys.argv[1])))
