"""What Faust asks of every consumer and this engine never calls.

Faust reads one message at a time and its changelogs through the same path; here batches are
fetched by `processors.engine.consumer` and tables restored by `processors.engine.restore`. An
abstract method must be there all the same, and says so if somebody calls it after all.
"""

from typing import Any

from faust.transport.consumer import Consumer as FaustConsumer


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
