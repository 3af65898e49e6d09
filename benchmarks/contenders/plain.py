"""The ceiling: a plain loop over Kafka's C client, its users in a dictionary that nothing keeps.

At least once for what it sends; what a user holds would be lost with the process.
"""

import signal
import time
from typing import Any

from confluent_kafka import Consumer, Producer

from benchmarks.job import Options, Out, Users, normalised, options_from_argument, raw_of
from schemas.topics import BALANCES

_AT_ONCE = 1_000
_WAIT_SECONDS = 0.02


class Loop:
    """Consume, work, produce; flush and commit now and then."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._rows: dict[bytes, bytes] = {}
        self._fold = Users(options.prefix)
        self._running = True
        self._consumer = Consumer(
            {
                "bootstrap.servers": options.bootstrap,
                "group.id": options.group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.queue.backoff.ms": 5,
                "fetch.wait.max.ms": 20,
            }
        )
        self._producer = Producer(
            {
                "bootstrap.servers": options.bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "batch.size": 262_144,
                "queue.buffering.max.messages": 1_000_000,
            }
        )

    def stop(self, *_: object) -> None:
        """End after this turn."""
        self._running = False

    def run(self) -> None:
        """Work until stopped."""
        options = self._options
        self._consumer.subscribe([options.raw, options.topic(BALANCES)])
        due = time.monotonic() + options.commit_ms / 1_000
        while self._running:
            for message in self._consumer.consume(_AT_ONCE, _WAIT_SECONDS):
                if message.error() is not None:
                    raise RuntimeError(message.error())
                self._work(message)
            if time.monotonic() >= due:
                self._producer.flush()
                if self._consumer.assignment():
                    self._consumer.commit(asynchronous=True)
                due = time.monotonic() + options.commit_ms / 1_000
        self._producer.flush()
        self._consumer.close()

    def _work(self, message: Any) -> None:
        if message.topic() == self._options.raw:
            self._send(normalised(raw_of(message)))
            return
        key = message.key()
        outcome = self._fold.fold(self._rows.get(key), message.value())
        if outcome is not None:
            self._rows[key], out = outcome
            self._send(out)

    def _send(self, out: Out) -> None:
        topic = self._options.topic(out.topic)
        self._producer.produce(topic, out.value, out.key, headers=list(out.headers))
        self._producer.poll(0)


if __name__ == "__main__":
    loop = Loop(options_from_argument())
    signal.signal(signal.SIGTERM, loop.stop)
    loop.run()
