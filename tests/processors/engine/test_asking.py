"""Questions about partitions: what a client that is behind the brokers does."""

from concurrent.futures import Future
from typing import Any

import msgspec
import pytest
from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException
from faust.types import TP

from headroom.base import clients
from headroom.base.clients import Clients
from headroom.base.settings import KafkaSettings
from processors.engine import asking
from processors.engine.asking import Asking

PLACE = TP("raw", 0)


class Answer(msgspec.Struct, frozen=True):
    offset: int


class Behind:
    """A client that knows the leader's epoch of before, if it is the first one."""

    made = 0
    refused: KafkaError | None = None

    def __init__(self, *_: Any, **__: Any) -> None:
        Behind.made += 1
        self._is_first = Behind.made == 1

    def list_offsets(self, places: dict[Any, Any], **_: Any) -> dict[Any, Future[Answer]]:
        answer: Future[Answer] = Future()
        if self._is_first and self.refused is not None:
            answer.set_exception(KafkaException(self.refused))
        else:
            answer.set_result(Answer(OFFSET_INVALID if self._is_first else 7))
        return dict.fromkeys(places, answer)


@pytest.fixture(params=[KafkaError(KafkaError.FENCED_LEADER_EPOCH), None], ids=["fenced", "none"])
def behind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first client that is made is refused, or answered without an offset, for ever."""
    monkeypatch.setattr(Behind, "made", 0)
    monkeypatch.setattr(Behind, "refused", request.param)
    monkeypatch.setattr(asking, "AdminClient", Behind)
    monkeypatch.setattr(clients, "AdminClient", Behind)


@pytest.mark.usefixtures("behind")
def test_a_client_that_is_behind_a_leaders_epoch_is_made_anew() -> None:
    """It never learns the new epoch from being refused: asked for ever it is refused for ever."""
    asked = Asking({}, waits=lambda: Behind.made < 3)
    assert asked.ends([PLACE]) == {PLACE: 7}
    assert Behind.made == 2


@pytest.mark.usefixtures("behind")
def test_so_is_that_of_an_operator() -> None:
    """No offset is no place: a replay or a seek that took it for one would begin elsewhere."""
    asked = Clients(KafkaSettings("127.0.0.1:1"))
    assert asked.ends([PLACE.topic], 1) == {PLACE: 7}
    assert Behind.made == 2
