"""What the fetcher asks of librdkafka, and in which order; a stand-in takes note of it."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition
from faust.types import TP

from processors.engine import fetcher as fetching
from processors.engine.fetcher import Fetcher
from processors.engine.positions import Bounds


class StandIn:
    """A consumer that notes what is asked of it, and gives what it is told to."""

    def __init__(self, calls: list[tuple[str, Any]], given: list[list[Any]]) -> None:
        self.calls = calls
        self.given = given

    def committed(self, places: list[TopicPartition], timeout: float) -> list[Any]:
        self.calls.append(("committed", timeout))
        return [
            SimpleNamespace(topic=p.topic, partition=p.partition, offset=5, error=None)
            for p in places
        ]

    def list_topics(self, topic: str, timeout: float) -> None:
        assert timeout > 0
        self.calls.append(("list_topics", topic))

    def consume(self, count: int, timeout: float) -> list[Any]:
        assert count
        return self.given.pop(0) if timeout and self.given else []

    def assign(self, places: list[TopicPartition]) -> None:
        self.calls.append(("assign", {(p.topic, p.partition): p.offset for p in places}))

    def pause(self, places: list[TopicPartition]) -> None:
        self.calls.append(("pause", [(p.topic, p.partition) for p in places]))

    def resume(self, places: list[TopicPartition]) -> None:
        self.calls.append(("resume", [(p.topic, p.partition) for p in places]))

    def close(self) -> None:
        """Nothing to let go of."""


def message(topic: str, offset: int, *, error: Any = None, partition: int = 0) -> Any:
    """A record, or with an error an end, as far as the fetcher looks at it."""
    return SimpleNamespace(
        topic=lambda: topic,
        partition=lambda: partition,
        offset=lambda: offset,
        key=lambda: b"k",
        value=lambda: b"v",
        error=lambda: error,
    )


def end(topic: str, offset: int, partition: int = 0) -> Any:
    """The end of a partition."""
    error = KafkaError(KafkaError._PARTITION_EOF)
    return message(topic, offset, error=error, partition=partition)


@pytest.fixture
def calls() -> list[tuple[str, Any]]:
    return []


@pytest.fixture
def given() -> list[list[Any]]:
    return []


@pytest.fixture
def stand_in(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, Any]], given: list[list[Any]]
) -> None:
    monkeypatch.setattr(fetching, "Consumer", lambda *_, **__: StandIn(calls, given))
    whole = lambda _, partitions: dict.fromkeys(partitions, Bounds(0, 1_000))  # noqa: E731
    monkeypatch.setattr(fetching.Asking, "bounds", whole)


@pytest.mark.usefixtures("stand_in")
async def test_leaders_are_known_before_anything_is_assigned(calls: list[tuple[str, Any]]) -> None:
    """librdkafka, left to itself, asks who leads a topic a second later."""
    fetcher = Fetcher({}, group="g")
    fetcher.open()
    await fetcher.start([TP("b", 1), TP("a", 0), TP("b", 0)])
    assigned = {("a", 0): 5, ("b", 0): 5, ("b", 1): 5}
    known = [("list_topics", "a"), ("list_topics", "b")]
    assert calls[1:] == [*known, ("assign", assigned), ("pause", [])]
    del calls[:]
    await fetcher.start([TP("b", 0), TP("c", 0)])
    assert [call for call in calls if call[0] == "list_topics"] == [("list_topics", "c")]
    await fetcher.close()


@pytest.mark.usefixtures("stand_in")
async def test_a_partition_that_is_done_is_told_to_pause_once(
    calls: list[tuple[str, Any]], given: list[list[Any]]
) -> None:
    fetcher = Fetcher({}, group="g", until={("a", 0): 7, ("b", 0): 0})
    fetcher.open()
    await fetcher.start([TP("a", 0), TP("b", 0)])
    assert ("assign", {("a", 0): 5}) in calls
    del calls[:]
    given += [[message("a", at)] for at in (5, 6, 7)]
    taken = [await fetcher.take(10) for _ in range(3)]
    assert [[r.offset for r in one.records.get(TP("a", 0), [])] for one in taken] == [[5], [6], []]
    assert [one.ends.get(TP("a", 0)) for one in taken] == [None, 7, 7]
    assert calls == [("pause", [("a", 0)])]
    await fetcher.close()


@pytest.mark.usefixtures("stand_in")
async def test_a_partition_that_was_paused_is_read_again_after_another_assignment(
    calls: list[tuple[str, Any]], given: list[list[Any]]
) -> None:
    """The client goes on to pause what it is given again; what was read may not be committed."""
    fetcher = Fetcher({}, group="g", until={("a", 0): 6}, last=["b"])
    fetcher.open()
    places = [TP("a", 0), TP("a", 1), TP("b", 0)]
    await fetcher.start(places)
    given += [[message("a", 5)]]
    await fetcher.take(10)
    del calls[:]
    await fetcher.start(places)
    assigned = ("assign", {("a", 0): 5, ("a", 1): 5, ("b", 0): 5})
    resumed, held = ("resume", [("a", 0), ("b", 0)]), ("pause", [("b", 0)])
    assert calls[-3:] == [resumed, assigned, held]
    given += [[message("a", 5)]]
    await fetcher.take(10)
    assert calls[-1] == ("pause", [("a", 0)])
    await fetcher.close()


@pytest.mark.usefixtures("stand_in")
async def test_what_is_read_last_is_held_until_the_others_were_at_their_ends(
    calls: list[tuple[str, Any]], given: list[list[Any]]
) -> None:
    """That nothing comes for a moment is no end."""
    fetcher = Fetcher({}, group="g", until={("a", 1): 7, ("c", 0): 5}, last=["b"])
    fetcher.open()
    of_all = [TP("a", 0), TP("a", 1), TP("b", 0), TP("c", 0)]
    await fetcher.start(of_all)
    held, let_go = ("pause", [("b", 0)]), ("resume", [("b", 0)])
    assert calls[-1] == held
    given += [[message("a", 5)], [], [end("a", 6)], []]
    for _ in range(4):
        await fetcher.take(10)
        assert calls[-1] == held
    given += [[message("a", 6, partition=1)], [message("a", 6)]]
    await fetcher.take(10)
    assert calls[-2:] == [("pause", [("a", 1)]), let_go]
    await fetcher.take(10)
    assert calls.count(let_go) == 1
    # A new assignment holds it again.
    await fetcher.start(of_all)
    assert calls[-1] == held
    await fetcher.close()
