"""A worker in a process of its own: `python -m tests.engine.chaos.worker JSON`.

SIGTERM ends it in order. SIGUSR1 makes it write down what it would answer (`dump`), SIGUSR2 arm
the point that is written in the file `arm`. What it says on its standard output is its log; the
last line tells why it ended.
"""

import asyncio
import faulthandler
import json
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.engine.chaos import points
from tests.engine.chaos.topology import Topology

STOP_SECONDS_MAX = 20.0


async def main(options: dict[str, Any]) -> int:
    trap = points.Trap()
    points.install(trap)
    if options.get("kill"):
        trap.arm(*options["kill"])
    topology = Topology(options)
    app = topology.app

    def dump() -> None:
        place = Path(options["dump"])
        half = place.with_suffix(".half")
        half.write_text(json.dumps(topology.answers()))
        half.rename(place)

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, dump)
    loop.add_signal_handler(
        signal.SIGUSR2, lambda: trap.arm(*json.loads(Path(options["arm"]).read_text()))
    )
    print("begins", os.getpid(), flush=True)
    app.tables.when_serving(lambda: print("serving", flush=True))
    try:
        await app.start()
        crashed = asyncio.create_task(app._crashed.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((crashed, stopped), return_when=asyncio.FIRST_COMPLETED)
        crashed.cancel()
        stopped.cancel()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        traceback.print_exc(file=sys.stdout)
        print("ended: cannot start:", repr(error), flush=True)
        os._exit(1)
    finally:
        try:
            await asyncio.wait_for(app.stop(), STOP_SECONDS_MAX)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker cannot stop
            # Where every thread stands: one of them may hang in a client.
            faulthandler.dump_traceback(file=sys.stdout)
            print("ended: cannot stop:", repr(error), repr(app.crash_reason), flush=True)
            os._exit(1)
    reason = app.crash_reason
    print("ended:", "in order" if reason is None else repr(reason), flush=True)
    return 0 if reason is None else 1


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stdout,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    status = asyncio.run(main(json.loads(sys.argv[1])))
    sys.stdout.flush()
    # A thread of a client that waits for Kafka must not keep a worker that has ended.
    os._exit(status)
