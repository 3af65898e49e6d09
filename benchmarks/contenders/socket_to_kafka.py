"""The bare loop that a producer is measured against: websockets → Kafka, no headers, no spool."""

import argparse
import asyncio
import json
from contextlib import suppress
from typing import Any, Final

from confluent_kafka import Producer
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from processors.engine.librdkafka import SENDING

_QUEUE_MESSAGES_MAX: Final = 1_024


async def run(options: argparse.Namespace) -> None:
    """Carry frames until the venue closes."""
    producer: Any = Producer({"bootstrap.servers": options.bootstrap, **SENDING})
    # With the library's own bound, 16, it stops and goes on for each chunk: a tenth slower.
    async with connect(
        options.url, compression=None, max_size=None, max_queue=_QUEUE_MESSAGES_MAX
    ) as socket:
        for request in ({"type": "authenticate"}, {"type": "subscribe"}):
            await socket.send(json.dumps(request))
            await socket.recv()
        with suppress(ConnectionClosed):
            while True:
                frame = await socket.recv(decode=False)
                while True:
                    try:
                        producer.produce(options.topic, frame)
                        break
                    except BufferError:
                        producer.poll(0.01)
                producer.poll(0)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--topic", required=True)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
