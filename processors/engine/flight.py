"""Batches in flight: what agents answered, on its way to Kafka, and what is done.

A batch is done when all in-sync replicas have every record that follows from it, its tables'
changelog records included; only then do its rows move into the local stores, and only then may
its offset be committed. The first failure ends it all: nothing is settled after it.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from processors.engine.errors import DrainTimedOut, EngineError, SendFailed, StoreUnusable
from processors.engine.progress import Progress

if TYPE_CHECKING:
    from processors.engine.batch import Batch, Headers, Rows


class Sender(Protocol):
    """Hands records to Kafka; the future ends when all in-sync replicas have one."""

    async def enqueue(
        self,
        topic: str,
        key: "bytes | None",
        value: "bytes | None",
        *,
        partition: int | None = None,
        headers: "Headers" = (),
    ) -> "asyncio.Future[Any]":
        """Take a record."""


class Flight:
    """The batches that were begun and are not done; `failed` is called once, with the reason."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self.progress = Progress()
        # Set whenever a batch is done, or the world broke: whoever waits looks again.
        self.moved = asyncio.Event()
        self.broken: BaseException | None = None
        self._failed = failed

    def break_down(self, error: BaseException) -> None:
        """Settle nothing more: the world is broken, `error` says how."""
        if self.broken is None:
            self.broken = error
        self.moved.set()

    async def finish(self, batch: "Batch", sender: Sender) -> None:
        """Send what follows from a batch, in the order in which the agent said it.

        Returns once Kafka's client has taken everything; `SendFailed` if it does not. Kafka's
        own answer settles the batch later.
        """
        waits: list[tuple[str, asyncio.Future[Any]]] = []
        row_waits: dict[Rows, list[asyncio.Future[Any]]] = {}
        topic = ""
        try:
            for table, rows in batch.rows.items():
                topic = table.changelog_topic_name
                for key, row in rows.items():
                    wait = await sender.enqueue(topic, key, row, partition=batch.partition)
                    waits.append((topic, wait))
                    row_waits.setdefault(table, []).append(wait)
            for send in batch.all_sends():
                topic = send.topic
                wait = await sender.enqueue(topic, send.key, send.value, headers=send.headers)
                waits.append((topic, wait))
        except Exception as error:
            failure = SendFailed(topic, error)
            self.break_down(failure)
            raise failure from error
        self._settle_when_sent(batch, waits, row_waits)

    def _settle_when_sent(
        self,
        batch: "Batch",
        waits: "list[tuple[str, asyncio.Future[Any]]]",
        row_waits: "dict[Rows, list[asyncio.Future[Any]]]",
    ) -> None:
        """Without a task of its own: the last acknowledgement settles the batch."""
        remaining = len(waits)
        if not remaining:
            self._settle(batch)
            return

        def acknowledged(topic: str, wait: "asyncio.Future[Any]") -> None:
            nonlocal remaining
            error = asyncio.CancelledError() if wait.cancelled() else wait.exception()
            if error is not None:
                self._fail(SendFailed(topic, error))
                return
            remaining -= 1
            if not remaining:
                batch.row_offsets = {
                    table: [row.result().offset for row in rows]
                    for table, rows in row_waits.items()
                }
                self._settle(batch)

        for topic, wait in waits:
            wait.add_done_callback(lambda done, topic=topic: acknowledged(topic, done))  # type: ignore[misc]

    def _settle(self, batch: "Batch") -> None:
        if self.broken is not None:
            return
        try:
            for done in self.progress.settle(batch):
                for table, offsets in done.row_offsets.items():
                    table.settle(done, offsets)
        except EngineError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - rocksdict raises bare Exceptions; nobody else hears a callback
            self._fail(StoreUnusable(f"behind {batch}", error))
        self.moved.set()

    def _fail(self, error: BaseException) -> None:
        if self.broken is None:
            self.break_down(error)
            self._failed(error)

    async def landed(self, seconds: float) -> None:
        """Wait until nothing is in flight; `DrainTimedOut` after `seconds`.

        Returns at once where the world is broken: what is in flight then never lands.
        """
        deadline = time.monotonic() + seconds
        while self.progress.in_flight and self.broken is None:
            self.moved.clear()
            try:
                await asyncio.wait_for(self.moved.wait(), max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                failure = DrainTimedOut(batches=self.progress.in_flight, waited_seconds=seconds)
                self.break_down(failure)
                raise failure from None
