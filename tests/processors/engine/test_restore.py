"""What a restore makes of Kafka's answers."""

from collections.abc import Collection
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from faust.types import TP

from processors.engine import asking
from processors.engine.asking import Asking
from processors.engine.errors import ChangelogCut
from processors.engine.restore import Restorer
from processors.engine.store import MemoryStore, Position

CHANGELOG = TP("changelog", 0)
DAY_MS = 24 * 60 * 60 * 1000


def test_an_answer_without_an_offset_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that has just come back gives -1001; a changelog was taken for a cut one for it."""
    answers = iter([-1001, 5])

    class Admin:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def list_offsets(self, asked: Any, **_: Any) -> dict[TopicPartition, Future[Any]]:
            answer: Future[Any] = Future()
            answer.set_result(SimpleNamespace(offset=next(answers)))
            return dict.fromkeys(asked, answer)

    monkeypatch.setattr(asking, "AdminClient", Admin)
    assert Asking({}, waits=lambda: True).ends([CHANGELOG]) == {CHANGELOG: 5}


class Kafka:
    """What Kafka would say of one changelog."""

    def __init__(self, *, begin: int = 0, policy: str = "compact", topic_id: str = "one") -> None:
        self.begin, self.policy, self.topic_id = begin, policy, topic_id

    def begins(self, partitions: Collection[TP]) -> dict[TP, int]:
        return dict.fromkeys(partitions, self.begin)

    def cleanup_policies(self, topics: Collection[str]) -> dict[str, str]:
        return dict.fromkeys(topics, self.policy)

    def ids(self, topics: Collection[str]) -> dict[str, str]:
        return dict.fromkeys(topics, self.topic_id)


def begin(
    kafka: Kafka, store: MemoryStore, *, end: int = 10, now_ms: int = 0, must_hold: bool = False
) -> int:
    restorer = Restorer({}, group="g", tombstones_ms=DAY_MS, clock_ms=lambda: now_ms)
    restorer._asking = kafka  # type: ignore[assignment]
    needed = frozenset({CHANGELOG} if must_hold else ())
    return restorer._begin({CHANGELOG: store}, {CHANGELOG: end}, needed)[CHANGELOG]


def held(offset: int = 4, topic_id: str | None = "one") -> MemoryStore:
    store = MemoryStore()
    store.write({b"gone": b"1"}, Position(offset, 0))
    if topic_id is not None:
        store.remember(topic_id)
    return store


@pytest.mark.parametrize(("later_ms", "row"), [(DAY_MS // 2, b"1"), (2 * DAY_MS, None)])
def test_a_store_older_than_the_tombstones_is_rebuilt(later_ms: int, row: bytes | None) -> None:
    """It would never hear of rows whose deletion the changelog has forgotten meanwhile."""
    store = held()
    assert begin(Kafka(), store, now_ms=later_ms) == (0 if row is None else 5)
    assert store.get(b"gone") == row


@pytest.mark.parametrize("store", [MemoryStore(), held()], ids=["no folder", "a folder"])
@pytest.mark.parametrize(
    ("kafka", "why"),
    [
        (Kafka(begin=3), "it begins at offset 3"),
        (Kafka(policy="compact,delete"), "cleanup.policy is 'compact,delete'"),
        (Kafka(policy="delete"), "cleanup.policy is 'delete'"),
    ],
)
def test_a_changelog_that_lost_records_or_will_is_refused(
    kafka: Kafka, why: str, store: MemoryStore
) -> None:
    """Whether there is a local table or not: another machine would serve without the rows."""
    with pytest.raises(ChangelogCut, match=why):
        begin(kafka, store)


def test_another_changelog_of_the_same_name_is_refused() -> None:
    """A store tells by Kafka's identity of the topic, however long the other one is."""
    with pytest.raises(ChangelogCut, match="another topic"):
        begin(Kafka(topic_id="two"), held())


def test_a_store_from_before_identities_takes_the_present_one() -> None:
    """An earlier version has not written it down."""
    store = held(topic_id=None)
    assert begin(Kafka(), store) == 5
    assert store.made_of() == "one"


@pytest.mark.parametrize(
    ("store", "end", "must_hold"), [(held(9), 9, False), (MemoryStore(), 0, True)]
)
def test_a_changelog_that_ends_too_early_is_refused(
    *, store: MemoryStore, end: int, must_hold: bool
) -> None:
    """Its store holds more, or what it is of was read."""
    with pytest.raises(ChangelogCut, match=f"it ends at offset {end}"):
        begin(Kafka(), store, end=end, must_hold=must_hold)
