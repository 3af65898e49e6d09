"""What every librdkafka client of the engine has in common: what it gave, and its thread."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException
from faust.types import TP

from processors.engine.errors import FetchFailed
from processors.engine.librdkafka import passes

T = TypeVar("T")

# With `auto.offset.reset=error`: nobody reads on from somewhere else in silence.
_OUT_OF_RANGE: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError._LOG_TRUNCATION})  # noqa: SLF001


class OutOfRange(FetchFailed):
    """The position of a partition lies outside of what it holds."""

    def __init__(self, tp: TP, cause: Any) -> None:  # noqa: ANN401 - librdkafka has no types
        super().__init__(KafkaException(cause))
        self.tp = tp


def by_partition(messages: Iterable[Any]) -> tuple[dict[TP, list[Any]], dict[TP, int]]:
    """What a consumer gave: the records of each partition, and where a partition had no more.

    Raises `FetchFailed` for an error that does not go away by itself, `OutOfRange` where a
    position lies outside of its partition.
    """
    found: dict[TP, list[Any]] = {}
    ends: dict[TP, int] = {}
    # Most records are of the partition of the one before them.
    topic, partition, records = None, None, list[Any]()
    for message in messages:
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                ends[TP(message.topic(), message.partition())] = message.offset()
            elif error.code() in _OUT_OF_RANGE:
                raise OutOfRange(TP(message.topic(), message.partition()), error)
            elif not passes(error):
                raise FetchFailed(KafkaException(error))
            continue
        if message.partition() != partition or message.topic() != topic:
            topic, partition = message.topic(), message.partition()
            records = found.setdefault(TP(topic, partition), [])
        records.append(message)
    return found, ends


class OwnThread:
    """One thread for the calls of a client that block; they run in the order in which they came.

    It does not hold the process back: a call of librdkafka's that never returns ends with it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]
        self._calls = queue.SimpleQueue()
        self._started = False

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - whatever the function takes
        """Run a function in the thread and wait for what it returns or raises.

        It runs to its end also where the waiting is cancelled.
        """
        if not self._started:
            self._started = True
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        outcome: Future[T] = Future()
        self._calls.put((outcome, partial(function, *arguments)))
        return await asyncio.shield(asyncio.wrap_future(outcome))

    def close(self) -> None:
        """Take no more calls; what was asked for before still runs."""
        self._calls.put(None)

    def _run(self) -> None:
        while (asked := self._calls.get()) is not None:
            outcome, call = asked
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - it belongs to who waits
                outcome.set_exception(error)
            else:
                outcome.set_result(result)
            # Else the last call's arguments would live until the next one.
            del asked, outcome, call
