"""What Faust's consumers and tables have and this engine does not: it says so when it is called.

Faust reads one message at a time and its changelogs through the same path; here batches are
fetched by `processors.engine.consumer` and tables restored by `processors.engine.restore`. An
abstract method must be there all the same. And a table has rows in partitions of which an agent
sees one: what Faust inherits from a dictionary would look at none of them, and say nothing.
"""

from typing import Any, NoReturn

import faust
from faust.transport.consumer import Consumer as FaustConsumer
from mode import Service


class MessageByMessage(FaustConsumer):  # type: ignore[misc]
    """Faust's consumer without its path for single messages."""

    async def _commit(self, offsets: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ANN401, ASYNC109
        raise NotImplementedError

    async def _seek(self, partition: Any, offset: int) -> Any:  # noqa: ANN401
        raise NotImplementedError

    def _new_topicpartition(self, topic: str, partition: int) -> Any:  # noqa: ANN401
        raise NotImplementedError

    def _to_message(self, tp: Any, record: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError

    async def seek_to_committed(self) -> Any:  # noqa: ANN401, D102
        raise NotImplementedError

    async def seek_wait(self, partitions: Any) -> Any:  # noqa: ANN401, D102
        raise NotImplementedError

    async def position(self, tp: Any) -> Any:  # noqa: ANN401, D102
        raise NotImplementedError

    async def highwaters(self, *partitions: Any) -> Any:  # noqa: ANN401, D102
        raise NotImplementedError

    async def earliest_offsets(self, *partitions: Any) -> Any:  # noqa: ANN401, D102
        raise NotImplementedError

    async def create_topic(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, D102
        raise NotImplementedError

    def topic_partitions(self, topic: str) -> Any:  # noqa: ANN401, D102
        raise NotImplementedError

    def key_partition(self, topic: str, key: Any, partition: Any = None) -> Any:  # noqa: ANN401, D102
        raise NotImplementedError

    @Service.task  # type: ignore[untyped-decorator]
    async def _commit_livelock_detector(self) -> None:
        """`Consumer.stalled` sees what hangs."""


def _not_here(name: str) -> Any:  # noqa: ANN401 - stands in for methods of all kinds
    def refuse(*_: object, **__: object) -> NoReturn:
        raise NotImplementedError(f"a table of this engine has no {name}")

    return refuse


class NoDictionary(faust.Table):  # type: ignore[misc]
    """Faust's table without what it has of a dictionary; a table adds what it means."""

    __iter__ = __len__ = __reversed__ = _not_here("way to go through its rows but committed_items")
    keys = values = items = copy = _not_here("way to go through its rows but committed_items")
    clear = popitem = _not_here("way to delete rows but del")
    pop = setdefault = update = _not_here("pop, setdefault or update: get, set and delete rows")
    tumbling = hopping = using_window = _not_here("windows")
    join = left_join = inner_join = outer_join = _not_here("joins")
    on_recover = _not_here("on_recover: use on_partition")

    # Faust's own is written in Python, and asked for with every row.
    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return True  # and not whether it has rows
