"""A Kafka that chaos may hurt."""

import os
import signal

from headroom.local.kafka import KafkaNode
from headroom.local.kafka.storage import Storage

# A transaction that a dead worker left open is ended within this time after its time-out; Kafka
# looks every ten seconds by itself.
SETTINGS = """
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
"""


class Broker(KafkaNode):
    """A node that can be killed and paused, and ends what dead workers left open soon."""

    def _write_settings(self, place: Storage, port: int) -> None:
        super()._write_settings(place, port)
        with place.server_properties.open("a") as file:
            file.write(SETTINGS)

    def pause(self) -> None:
        """SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)
