"""A lease, by what its client is told: whose it is, how long that is proved, and who lets go."""

import asyncio
import logging
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition

from producers.lease import SESSION_SECONDS, Lease
from producers.turns import Vouching

MINE = [TopicPartition("leases", 0)]


class Client:
    """In place of librdkafka's."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: self.done.append(name)

    def poll(self, _: float) -> None:
        return None


class One(Lease):
    """A lease whose client does what the test says."""

    def __init__(self) -> None:
        self.seconds = 100.0
        super().__init__(
            dict,
            "leases",
            "name",
            monotonic=lambda: self.seconds,
            sleep=asyncio.sleep,
            log=logging.getLogger("tests"),
        )
        self._client = self.client = Client()

    def given(self, *places: TopicPartition) -> None:
        self._assigned(self.client, list(places))

    def prove(self) -> None:
        self._turn()
        self._answered(None, MINE)

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds


async def test_it_is_proved_for_a_session_from_when_the_proof_was_asked_for() -> None:
    one = One()
    assert not one.is_held
    one.given(*MINE)
    assert (one.is_held, one.is_proved()) == (True, False)
    one._turn()
    one.pass_by(2.0)
    one._answered(None, MINE)
    assert one.is_proved()
    one.pass_by(SESSION_SECONDS - 2.0)
    assert (one.is_held, one.is_proved()) == (True, False)
    one.prove()
    assert one.is_proved()


async def test_a_status_waits_for_its_frames_and_wants_a_proof() -> None:
    class Frames:
        received = 3

        async def settled(self, received: int, _: float) -> bool:
            return received <= 2

    one = One()
    vouching = Vouching(Frames(), one)
    one.given(*MINE)
    assert not await vouching.settled(1, 1.0)
    one.prove()
    assert await vouching.settled(2, 1.0)
    assert not await vouching.settled(vouching.received, 1.0)


async def test_a_refused_proof_is_none() -> None:
    one = One()
    one.given(*MINE)
    one._turn()
    one._answered("unknown member", MINE)
    assert not one.is_proved()


async def test_who_lost_touch_is_in_doubt_until_it_is_told() -> None:
    one = One()
    one.given(*MINE)
    one.prove()
    one._lost(one.client, MINE)
    assert not one.is_held
    losing = asyncio.create_task(one.until_lost())
    await asyncio.sleep(0)
    assert not losing.done()
    one.given(*MINE)
    assert one.is_held
    one._lost(one.client, MINE)
    one.given()
    await losing
    assert not one.is_proved()


async def test_who_is_fenced_waits_for_a_proof_that_is_asked_for_later() -> None:
    one = One()
    one.given(*MINE)
    one.prove()
    one.pass_by(1.0)
    asked = asyncio.create_task(one.proved_anew())
    await asyncio.sleep(0)
    assert not asked.done()
    one.prove()
    assert await asked
    asked = asyncio.create_task(one.proved_anew())
    one.pass_by(1.0)
    await asyncio.sleep(0)
    one._revoked(one.client, MINE)
    assert not await asked


async def test_who_waited_and_was_away_itself_lets_go_once() -> None:
    one = One()
    one.given()
    one.prove()
    one.pass_by(SESSION_SECONDS + 1.0)
    one.given(*MINE)
    assert not one.is_held
    assert one.client.done[-1] == "unsubscribe"
    one.pass_by(1.0)
    one._turn()
    assert one.client.done[-1] == "unsubscribe"
    one.pass_by(3.0)
    one._turn()
    assert one.client.done[-1] == "subscribe"
    one.given(*MINE)
    assert one.is_held


@pytest.mark.parametrize(
    "how", [KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, "lost", "not yet"]
)
async def test_who_is_no_member_asks_for_no_proof(how: int | str) -> None:
    """Its refusal would break off the joining: nobody who asks again and again ever joins."""
    one = One()
    if how != "not yet":
        one.given(*MINE)
        one.prove()
        one.pass_by(2.0)
        one._turn()
        assert one.client.done.count("commit") == 2
        if how == "lost":
            one._lost(one.client, MINE)
        one._answered(KafkaError(KafkaError.UNKNOWN_MEMBER_ID if how == "lost" else how), MINE)
    before = one.client.done.count("commit")
    for _ in range(20):
        one.pass_by(1.0)
        one._turn()
    assert one.client.done.count("commit") == before
    one.given()
    one._turn()
    assert one.client.done.count("commit") == before + 1


async def test_who_has_no_answer_asks_again() -> None:
    one = One()
    one.given(*MINE)
    one._turn()
    one._answered(KafkaError(KafkaError._TIMED_OUT), MINE)
    one.pass_by(2.0)
    one.prove()
    assert one.is_proved()
