"""Named points of the engine at which a worker can be made to kill itself.

The engine has no hooks: its functions are wrapped from outside, before the app is made. Where one
of them is gone this fails at once, and with it every seed.

| point | when |
|---|---|
| before-send, after-send | a record is handed to librdkafka, or was a moment ago |
| after-changelog | Kafka has acknowledged a changelog record |
| before-offsets | a transaction's records are out, its offsets are not |
| before-commit | everything is out, nothing is committed |
| after-commit | committed; rows are not in the local stores yet |
| before-abort, after-abort | a transaction was refused |
| in-recovery | some records of a changelog are in the local store, others not |
| in-revoke, in-assign | the group takes partitions, or gives them |
"""

import os
import signal
import time
from typing import Any

import confluent_kafka

from processors.engine import consumer, restore, sender

POINTS_ONCE = (
    "before-send",
    "after-send",
    "after-changelog",
    "before-offsets",
    "before-commit",
    "after-commit",
)
POINTS_AT_LEAST_ONCE = (
    "before-send",
    "after-send",
    "after-changelog",
    "before-commit",
    "after-commit",
)
POINTS_OF_REBALANCE = ("in-revoke", "in-assign")
# After a send: long enough for librdkafka's thread to have it on the wire.
ON_THE_WIRE_SECONDS = 0.02


class Trap:
    """Kills this process when an armed point is passed for the nth time."""

    def __init__(self) -> None:
        self._point = ""
        self._hits = 0

    def arm(self, point: str, hit: int) -> None:
        """Die at the `hit`th passing of a point, counted from now on."""
        self._point, self._hits = point, hit

    def passes(self, point: str, *, wait_seconds: float = 0.0) -> None:
        """The process is at a point."""
        if point != self._point:
            return
        self._hits -= 1
        if self._hits == 0:
            time.sleep(wait_seconds)
            print("killed at", point, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)


def install(trap: Trap) -> None:
    """Wrap the engine's functions."""
    sender.Producer = _producer(trap)
    _wrap_restorer(trap)
    _wrap_listener(trap)
    commit_now = consumer.Consumer._commit_now

    async def trapped_commit(self: Any, *commits: Any) -> bool:
        trap.passes("before-commit")
        done = await commit_now(self, *commits)
        trap.passes("after-commit")
        return done

    consumer.Consumer._commit_now = trapped_commit  # type: ignore[method-assign]


def _producer(trap: Trap) -> Any:
    class Trapped(confluent_kafka.Producer):  # type: ignore[misc]
        def produce(self, topic: str, *record: Any) -> None:
            *record, told, other_name, timestamp, headers = record
            if topic.endswith("-changelog") and told is not None:
                told = _then(told, lambda: trap.passes("after-changelog"))
            trap.passes("before-send")
            super().produce(topic, *record, told, other_name, timestamp, headers)
            trap.passes("after-send", wait_seconds=ON_THE_WIRE_SECONDS)

        def send_offsets_to_transaction(self, *arguments: Any) -> None:
            trap.passes("before-offsets")
            super().send_offsets_to_transaction(*arguments)

        def commit_transaction(self, *arguments: Any) -> None:
            trap.passes("before-commit")
            super().commit_transaction(*arguments)
            trap.passes("after-commit")

        def abort_transaction(self, *arguments: Any) -> None:
            trap.passes("before-abort")
            super().abort_transaction(*arguments)
            trap.passes("after-abort")

    return Trapped


def _then(first: Any, second: Any) -> Any:
    def both(*arguments: Any) -> None:
        first(*arguments)
        second()

    return both


def _wrap_restorer(trap: Trap) -> None:
    read_on = restore.Restorer._read_on

    def trapped(self: Any, *arguments: Any, **options: Any) -> int:
        count = read_on(self, *arguments, **options)
        if count:
            trap.passes("in-recovery")
        return count

    restore.Restorer._read_on = trapped  # type: ignore[method-assign]


def _wrap_listener(trap: Trap) -> None:
    listener = consumer._RebalanceListener
    revoked, assigned = listener.on_partitions_revoked, listener.on_partitions_assigned

    async def trapped_revoked(self: Any, partitions: Any) -> None:
        trap.passes("in-revoke")
        await revoked(self, partitions)
        trap.passes("in-revoke")

    async def trapped_assigned(self: Any, partitions: Any) -> None:
        trap.passes("in-assign")
        await assigned(self, partitions)
        trap.passes("in-assign")

    listener.on_partitions_revoked = trapped_revoked  # type: ignore[method-assign]
    listener.on_partitions_assigned = trapped_assigned  # type: ignore[method-assign]
