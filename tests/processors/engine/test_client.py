"""What goes away by itself stops no worker: a broker that is away, a leader that is elected."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from faust.types import TP

from processors.engine import librdkafka
from processors.engine.client import by_partition
from processors.engine.errors import FetchFailed
from processors.engine.librdkafka import patiently
from processors.engine.restore import Restorer
from processors.engine.store import MemoryStore

PASSING = [
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._NOENT,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
]
# Of topics that a broker that is starting does not know yet.
UNKNOWN = [KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART]
FOR_GOOD = KafkaError.GROUP_AUTHORIZATION_FAILED


class Answers:
    """Raises these errors, one a call, then answers."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)

    def __call__(self) -> str:
        if self.codes:
            raise KafkaException(KafkaError(self.codes.pop(0)))
        return "answer"


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(librdkafka, "_AGAIN_SECONDS", 0.001)


@pytest.mark.parametrize("code", [*PASSING, *UNKNOWN])
def test_what_passes_is_asked_again(code: int) -> None:
    assert patiently(Answers(code, code, code), seconds=30) == "answer"


def test_what_fails_for_good_is_told_at_once() -> None:
    call = Answers(FOR_GOOD, KafkaError._TRANSPORT)
    with pytest.raises(KafkaException) as raised:
        patiently(call, seconds=30)
    assert raised.value.args[0].code() == FOR_GOOD
    assert call.codes == [KafkaError._TRANSPORT]


@pytest.mark.parametrize("code", PASSING)
def test_what_does_not_pass_in_time_is_told(code: int) -> None:
    with pytest.raises(KafkaException):
        patiently(Answers(*[code] * 1_000), seconds=0.05)


@pytest.mark.parametrize("code", UNKNOWN)
def test_a_topic_that_is_gone_is_told_sooner(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that has started knows its topics within seconds."""
    monkeypatch.setattr(librdkafka, "_UNKNOWN_SECONDS_MAX", 0.05)
    with pytest.raises(KafkaException):
        patiently(Answers(*[code] * 1_000), seconds=30)


def message(offset: int, code: int | None = None, *, partition: int = 0) -> Any:
    """A message of librdkafka's, or what it gives for one."""
    return SimpleNamespace(
        topic=lambda: "t",
        partition=lambda: partition,
        offset=lambda: offset,
        key=lambda: b"key",
        value=lambda: b"value",
        headers=list,
        timestamp=lambda: (1, 0),
        error=lambda: None if code is None else KafkaError(code),
    )


@pytest.mark.parametrize("code", PASSING)
def test_records_around_a_passing_error_are_read(code: int) -> None:
    found, ends = by_partition([message(1), message(-1, code), message(2)])
    assert [record.offset() for record in found["t", 0]] == [1, 2]
    assert ends == {}


def test_records_find_their_partition_and_its_end() -> None:
    ended = KafkaError._PARTITION_EOF
    given = [message(1), message(7, partition=1), message(8, ended, partition=1), message(2)]
    found, ends = by_partition(given)
    assert {tp: [m.offset() for m in of_tp] for tp, of_tp in found.items()} == {
        TP("t", 0): [1, 2],
        TP("t", 1): [7],
    }
    assert ends == {TP("t", 1): 8}


def test_an_error_for_good_ends_the_reading() -> None:
    with pytest.raises(FetchFailed):
        by_partition([message(1), message(-1, KafkaError.TOPIC_AUTHORIZATION_FAILED)])


def restorer(*messages: Any) -> Restorer:
    """A restorer that is given these."""
    made = Restorer({}, group="g", tombstones_ms=1, clock_ms=lambda: 0)
    made._client = SimpleNamespace(consume=lambda count, seconds: list(messages))
    return made


@pytest.mark.parametrize("code", PASSING)
def test_a_restore_goes_on_over_a_passing_error(code: int) -> None:
    tp, store = TP("t", 0), MemoryStore()
    positions = {tp: 0}
    assert restorer(message(-1, code), message(4))._read_on(positions, {tp: store.restore}) == 1
    assert positions == {tp: 5}
    assert store.get(b"key") == b"value"


def test_a_restore_ends_with_an_error_for_good() -> None:
    tp = TP("t", 0)
    failing = restorer(message(-1, KafkaError.TOPIC_AUTHORIZATION_FAILED))
    with pytest.raises(FetchFailed):
        failing._read_on({tp: 0}, {tp: MemoryStore().restore})
