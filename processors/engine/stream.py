"""Batches on their way through Faust's channels to an agent.

Faust acknowledges an event also when the agent that worked on it raised; here a batch is done
only when the agent comes back for the next one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import faust

from processors.engine.batch import Batch, current_batch


class BatchSchema(faust.Schema):  # type: ignore[misc]
    """Decodes nothing: a batch is its own value, and decoding is the agent's own affair."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Awaitable[Any]]:  # noqa: ANN401 - Faust's own signature
        """The function that makes a Faust event of a batch."""

        async def decode(batch: Batch, *, propagate: bool = False) -> Any:  # noqa: ANN401, ARG001
            return app.create_event(None, batch, None, batch)

        return decode


class BatchStream(faust.Stream):  # type: ignore[misc]
    """Yields batches, and hands each back to the engine when the agent asks for the next."""

    def __aiter__(self) -> AsyncIterator[Batch]:
        return self._batches()

    async def _batches(self) -> AsyncIterator[Batch]:
        self._finalized = True
        started_here = await self.maybe_start()
        try:
            while not self.should_stop:
                event = await self.channel.queue.get()
                batch: Batch = event.value
                if not self.app.consumer.begin(batch):
                    continue
                current_batch.set(batch)
                # No try/finally here: an agent that raises never comes back, so its batch stays
                # undone and its offset uncommitted.
                yield batch
                current_batch.set(None)
                await self.app.consumer.finish(batch)
                # A full queue is read without a pause: let the heartbeats have their turn.
                await asyncio.sleep(0)
        except StopAsyncIteration:
            # Faust ends a channel by throwing this into its queue.
            return
        finally:
            self._channel_stop_iteration(self.channel)
            if started_here:
                await self.stop()
                self.service_reset()
