"""A Faust agent that does not carry on after an exception.

Faust restarts an agent that raised, with the batch that it raised on already acknowledged. Here
the worker stops: what an agent cannot handle, the next one cannot either, and nothing is lost.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

import faust


class Agent(faust.Agent):  # type: ignore[misc]
    """An agent over batches: one at a time, so that they are finished in the order they began."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Faust's own signature
        super().__init__(*args, **options)
        if self.concurrency != 1:
            raise ValueError("an agent works on one batch at a time: start more workers instead")

    async def _execute_actor(self, coro: Awaitable[Any], aref: Any) -> None:  # noqa: ANN401, ARG002 - Faust's own signature
        try:
            await coro
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the reason goes to whoever runs the app
            self.app.consumer.flight.break_down(error)
            await self.app.crash(error)
