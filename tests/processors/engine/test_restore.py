"""What a restore makes of Kafka's answers."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec
from faust.types import TP

from processors.engine import restore
from processors.engine.restore import Restorer
from processors.engine.store import MemoryStore


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

    monkeypatch.setattr(restore, "AdminClient", Admin)
    restorer = Restorer({}, group="g", tombstones_ms=0, clock_ms=lambda: 0)
    found = restorer._offsets({TP("changelog", 0): MemoryStore()}, OffsetSpec.latest())
    assert found == {TP("changelog", 0): 5}
