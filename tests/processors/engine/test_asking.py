"""Questions about partitions: what a client that is behind the brokers does."""

from concurrent.futures import Future
from typing import Any

import msgspec
import pytest
from confluent_kafka import KafkaError, KafkaException
from faust.types import TP

from processors.engine import asking
from processors.engine.asking import Asking

PLACE = TP("raw", 0)


class Answer(msgspec.Struct, frozen=True):
    offset: int


class Behind:
    """A client that knows the leader's epoch of before, if it is the first one."""

    made = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        Behind.made += 1
        self._is_first = Behind.made == 1

    def list_offsets(self, places: dict[Any, Any], **_: Any) -> dict[Any, Future[Answer]]:
        answer: Future[Answer] = Future()
        if self._is_first:
            answer.set_exception(KafkaException(KafkaError(KafkaError.FENCED_LEADER_EPOCH)))
        else:
            answer.set_result(Answer(7))
        return dict.fromkeys(places, answer)


def test_a_client_that_is_fenced_by_a_leaders_epoch_is_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It never learns the new epoch from being refused: asked for ever it is refused for ever."""
    monkeypatch.setattr(Behind, "made", 0)
    monkeypatch.setattr(asking, "AdminClient", Behind)
    asked = Asking({}, waits=lambda: Behind.made < 3)
    assert asked.ends([PLACE]) == {PLACE: 7}
    assert Behind.made == 2
