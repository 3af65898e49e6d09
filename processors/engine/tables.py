"""Faust's table manager, restoring by position and telling who may be asked.

Faust calls it when partitions come and go. A restore runs beside the group's heartbeats; until it
has ended no agent gets a batch, and the questions are told to come back later.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from faust.tables import TableManager as FaustTableManager
from faust.types import TP

from processors.engine.restore import Restore


class TableManager(FaustTableManager):  # type: ignore[misc]
    """Opens, restores and closes the partitions of all tables."""

    def __init__(self, app: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Faust's own signature
        super().__init__(app, **kwargs)
        self._restoring: asyncio.Task[None] | None = None
        self.serving = False
        self.restored_records = 0
        self._on_serving: Callable[[], None] | None = None

    async def on_start(self) -> None:
        """Subscribe to the changelogs, so that Faust's assignor places them with their sources."""
        self._tables_finalized.set()
        for table in self.values():
            channel = table.changelog_topic.clone_using_queue(self.changelog_queue)
            self.app.topics.add(channel)
            self._channels[table] = channel
            await table.maybe_start()
        self._tables_registered.set()

    async def on_stop(self) -> None:
        """Stop restoring and let go of all stores."""
        await self.cancel_restore()
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
        if self._restoring is not None:
            self._restoring.cancel()

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],
        newly_assigned: set[TP],
        generation_id: int = 0,
    ) -> None:
        """Let go of what is no longer ours, and restore the rest beside the heartbeats."""
        del revoked, newly_assigned
        await self.cancel_restore()
        held = {(tp.topic, tp.partition) for tp in assigned}
        for table in self.values():
            for partition in table.open_partitions:
                if (table.changelog_topic_name, partition) not in held:
                    table.close(partition)
        self._recovery_started.set()
        self._restoring = self.app.loop.create_task(self._restore(assigned, generation_id))

    async def cancel_restore(self) -> None:
        """Stop restoring, if that is what is being done."""
        task, self._restoring = self._restoring, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _restore(self, assigned: set[TP], generation_id: int) -> None:
        try:
            changelogs: dict[str, set[int]] = {}
            for tp in assigned:
                if tp.topic in self.changelog_topics:
                    changelogs.setdefault(tp.topic, set()).add(tp.partition)
            if not self._is_complete(assigned, changelogs):
                # The group's leader did not know a changelog yet. Ask again, and work meanwhile
                # on nothing: an agent without its table would start from empty rows.
                self.log.info("incomplete assignment, asking again: %s", sorted(assigned))
                self.app.consumer.rejoin()
                return
            restore = Restore(self.app.consumer.client, self.log)
            self.restored_records += await restore.run(self.values(), changelogs)
            for table in self.values():
                table.restored()
            await self._resume(assigned, generation_id)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker must not serve on
            self.app.consumer.flight.break_down(error)
            await self.app.crash(error)

    def _is_complete(self, assigned: set[TP], changelogs: dict[str, set[int]]) -> bool:
        """Whether every table has the partitions of the sources that were assigned."""
        sources = {tp.partition for tp in assigned if tp.topic not in self.changelog_topics}
        return all(changelogs.get(topic, set()) == sources for topic in self.changelog_topics)

    async def _resume(self, assigned: set[TP], generation_id: int) -> None:
        """Let the agents work again."""
        app = self.app
        if app.consumer_generation_id != generation_id:
            return
        await app.on_rebalance_complete.send()
        consumer = app.consumer
        consumer.resume_partitions({tp for tp in assigned if tp.topic not in self.changelog_topics})
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
