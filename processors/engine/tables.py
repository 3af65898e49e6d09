"""Faust's table manager, restoring by position and telling who may be asked.

Faust calls it when partitions come and go. A restore runs beside the group's heartbeats; until it
has ended no agent gets a batch, and the questions are told to come back later. Afterwards standby
partitions are kept warm, until the next assignment makes them ours or somebody else's.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from faust.tables import TableManager as FaustTableManager
from faust.types import TP

from processors.engine.copies import Copy, Ends
from processors.engine.restore import Restorer, ended
from processors.engine.store import StoreClosed
from processors.engine.table import Table


class TableManager(FaustTableManager):  # type: ignore[misc]
    """Opens, restores and closes the partitions of all tables."""

    def __init__(self, app: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Faust's own signature
        super().__init__(app, **kwargs)
        self._at_work: asyncio.Task[None] | None = None
        self._restorer = Restorer(
            app.librdkafka,
            group=app.conf.id,
            tombstones_ms=app.tombstones_ms,
            clock_ms=app.clock_ms,
        )
        self._ends = Ends(app.librdkafka)
        self.serving = False
        self._on_serving: Callable[[], None] | None = None

    @property
    def restored_records(self) -> int:
        """How many changelog records were read since the start."""
        return self._restorer.restored_records

    async def copy_of(self, table: Table, partition: int, key: bytes) -> Copy | None:
        """A row as it lies here, whoever holds it; None where it does not, or nobody knows yet."""
        try:
            tp, known = TP(table.changelog_topic_name, partition), self._reached(table)
            if tp not in known:
                return None
            ends = await self._ends.of(known)
            # While Kafka was asked the partition may have been given away.
            if (at := self._reached(table).get(tp)) is None:
                return None
            store = table.copies()[partition]
            row, held = store.get(key), store.position()
        except StoreClosed:
            return None  # it is being rebuilt
        return Copy(
            row,
            is_standby=partition not in table.open_partitions,
            lag=max(0, ends[tp] - at) if tp in ends else None,
            applied_ms=None if held is None else held.written_ms,
        )

    def _reached(self, table: Table) -> dict[TP, int]:
        """How far the copies of a table's partitions have come, of which that is known."""
        copies = {TP(table.changelog_topic_name, one): at for one, at in table.copies().items()}
        found = {tp: self._restorer.reached(tp, store) for tp, store in copies.items()}
        return {tp: at for tp, at in found.items() if at is not None}

    async def on_start(self) -> None:
        """Subscribe to the changelogs, so that Faust's assignor places them with their sources."""
        self._tables_finalized.set()
        for table in self.values():
            channel = table.changelog_topic.clone_using_queue(self.changelog_queue)
            self.app.topics.add(channel)
            self._channels[table] = channel
            if table.check is not None:
                self._restorer.checks[table.changelog_topic_name] = table.check
            await table.maybe_start()
        self._tables_registered.set()

    async def on_stop(self) -> None:
        """Stop restoring and let go of all stores."""
        await self._pause()
        await self._restorer.close()
        await self.app._fetcher.stop()  # noqa: SLF001 - Faust does the same
        for table in self.values():
            await table.stop()

    def on_rebalance_start(self) -> None:
        """Answer no questions from here on: partitions are on the move."""
        super().on_rebalance_start()
        self.serving = False

    def on_partitions_revoked(self, revoked: set[TP]) -> None:  # noqa: ARG002 - Faust's own signature
        """Stop restoring; what was restored so far is kept in the store."""
        self.serving = False
        if self._at_work is not None:
            self._at_work.cancel()

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],
        newly_assigned: set[TP],
        generation_id: int = 0,
    ) -> None:
        """Let go of what is no longer ours, and restore the rest beside the heartbeats."""
        del revoked, newly_assigned
        await self._pause()
        standbys = assigned & self.app.assignor.assigned_standbys()
        actives = assigned - standbys
        for table in self.values():
            table.hold(
                active=_partitions(actives, table),
                standby=_partitions(standbys, table),
                dropped=self.app.consumer.flight.dropped,
            )
        self._recovery_started.set()
        self._at_work = self.app.loop.create_task(self._work(actives, generation_id))

    async def _pause(self) -> None:
        """Stop restoring, or keeping warm."""
        task, self._at_work = self._at_work, None
        if task is not None:
            task.cancel()
            await self._restorer.stop()
            await ended(task)

    async def _work(self, actives: set[TP], generation_id: int) -> None:
        """Restore, let the agents work, and keep standby partitions warm."""
        try:
            if self.app.assignor.url_is_outdated or not self._is_complete(actives):
                # The group's leader did not know a changelog yet, or our address. Ask again, and
                # work meanwhile on nothing: an agent without its table would start from empty rows.
                self.log.info("incomplete assignment, asking again: %s", sorted(actives))
                self.app.consumer.rejoin()
                return
            # A transaction that failed may still be committed until it is aborted, or its client
            # fenced: what is read before that may be outdated by it.
            await self.app.consumer.flight.decided.wait()
            tables: list[Table] = list(self.values())
            stores = {tp: store for table in tables for tp, store in table.actives().items()}
            sources = {tp for tp in actives if tp.topic not in self.changelog_topics}
            left_rows = await self.app.consumer.left_rows(sources)
            must_hold = {
                TP(table.changelog_topic_name, tp.partition)
                for table in tables
                for tp in left_rows
                if tp.topic == table.source
            }
            moved = await self._restorer.run(stores, must_hold=frozenset(must_hold))
            for table in tables:
                written = _partitions(self._restorer.written, table)
                await table.restored(_partitions(moved, table), written)
            await self._resume(sources, left_rows, generation_id)
            standbys = {tp: store for table in tables for tp, store in table.standbys().items()}
            await self._restorer.follow(standbys)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker must not serve on
            self.app.consumer.flight.break_down(error)
            await self.app.crash(error)

    def _is_complete(self, actives: set[TP]) -> bool:
        """Whether every table has the partitions of the sources that were assigned."""
        sources = {tp.partition for tp in actives if tp.topic not in self.changelog_topics}
        return all(_partitions(actives, table) == sources for table in self.values())

    async def _resume(self, sources: set[TP], left_rows: set[TP], generation_id: int) -> None:
        """Let the agents work again."""
        app = self.app
        if app.consumer_generation_id != generation_id:
            return
        await app.on_rebalance_complete.send()
        consumer = app.consumer
        tables_hold = await self._restorer.hold_records(
            [table.changelog_topic_name for table in self.values()], app.conf.topic_partitions
        )
        if not await consumer.start_fetching(sources, left_rows, tables_hold=tables_hold):
            consumer.rejoin()
            return
        consumer.resume_partitions(sources)
        app.flow_control.resume()
        consumer.resume_flow()
        await app._fetcher.maybe_start()  # noqa: SLF001 - Faust does the same
        self.on_actives_ready()
        self.on_standbys_ready()
        self.serving = True
        app.on_rebalance_end()
        called, self._on_serving = self._on_serving, None
        if called is not None:
            called()

    def when_serving(self, call: Callable[[], None]) -> None:
        """Call once, as soon as the tables are complete."""
        if self.serving:
            call()
        else:
            self._on_serving = call


def _partitions(tps: set[TP], table: Table) -> set[int]:
    return {tp.partition for tp in tps if tp.topic == table.changelog_topic_name}
