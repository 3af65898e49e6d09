"""Alerts from a real Kafka to a real receiver: each at least once, a user's in their order."""

import asyncio
import contextlib
import json
import logging
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError
from confluent_kafka import Producer

from headroom.base.settings import load
from headroom.run.webhooks.deliver import NoTopic
from headroom.run.webhooks.receiver import ReceiverGone
from headroom.run.webhooks.run import run_delivery, webhook_of
from tests.conftest import KafkaHandle
from tests.headroom.run.webhooks.deliverer import deliver
from tests.headroom.run.webhooks.receiving import SECRET, Received, status

PARTITIONS = 3


class Topic:
    """A topic of alerts, and the group that delivers them."""

    def __init__(self, bootstrap: str, name: str, admin: AIOKafkaAdminClient) -> None:
        self.bootstrap = bootstrap
        self.name = name
        self._admin = admin
        self._count = 0

    def tell(self, *users: str, aborted: bool = False) -> list[str]:
        """An alert for each, in one transaction; their identities as a receiver has them."""
        producer = Producer(
            {"bootstrap.servers": self.bootstrap, "transactional.id": f"{self.name}-teller"}
        )
        producer.init_transactions(30)
        producer.begin_transaction()
        found = []
        for user in users:
            self._count += 1
            found.append(f"alerts/{user}/{self._count}")
            producer.produce(
                self.name,
                json.dumps({"user": user, "number": self._count}).encode(),
                key=user.encode(),
                # Each user has a partition.
                partition=ord(user[0]) % PARTITIONS,
                headers=[("ce_id", found[-1].encode())],
            )
        producer.flush(30)
        if aborted:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
        return found

    async def stands(self) -> dict[int, int]:
        """Where the group stands, as far as a Kafka that has just begun can tell."""
        try:
            found = await self._admin.list_consumer_group_offsets(self.name)
        except GroupCoordinatorNotAvailableError:
            return {}
        return {tp.partition: at.offset for tp, at in found.items() if at.offset >= 0}

    async def until_placed(self) -> dict[int, int]:
        """Wait until the group stands somewhere in every partition."""
        async with asyncio.timeout(60):
            while len(stands := await self.stands()) < PARTITIONS:
                await asyncio.sleep(0.05)
        return stands

    async def until_moved(self, before: dict[int, int], *partitions: int) -> None:
        """Wait until it has committed something more in these."""
        async with asyncio.timeout(60):
            while True:
                stands = await self.stands()
                if all(stands.get(one, -1) > before[one] for one in partitions):
                    return
                await asyncio.sleep(0.05)

    def arguments(self, url: str) -> dict[str, str]:
        return {"bootstrap": self.bootstrap, "topic": self.name, "url": url, "secret": SECRET}

    @contextlib.asynccontextmanager
    async def delivered(self, url: str) -> AsyncIterator[None]:
        """Deliver in this process, while the block runs."""
        task = asyncio.create_task(deliver(**self.arguments(url)))
        try:
            yield
        finally:
            task.cancel()
            (ended,) = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError), ended

    def process(self, url: str) -> subprocess.Popen[bytes]:
        program = (sys.executable, "-m", "tests.headroom.run.webhooks.deliverer")
        return subprocess.Popen([*program, json.dumps(self.arguments(url))])


@pytest.fixture
async def topic(kafka: KafkaHandle, unique: str) -> AsyncIterator[Topic]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(unique, PARTITIONS, 1)])
        yield Topic(kafka.bootstrap, unique, admin)
    finally:
        await admin.close()


async def test_from_the_first_start_on_each_alert_comes_in_its_users_order(topic: Topic) -> None:
    """One user's receiver fails for a while: the others go on, and its own wait for each other."""
    # Before anybody wanted to be told; more than are looked at at once.
    await asyncio.to_thread(topic.tell, *["a", "b", "c"] * 60)
    is_up = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        fails = "/a/" in request.headers["webhook-id"] and not is_up.is_set()
        return web.Response(status=500 if fails else 204)

    received = Received(*[answer] * 1_000)
    async with received.serving() as url:
        async with topic.delivered(url):
            before = await topic.until_placed()
            await asyncio.to_thread(lambda: topic.tell("a", "b", aborted=True))
            told = await asyncio.to_thread(topic.tell, "a", "b", "a", "c", "b", "c", "a")
            await received.until(5)
            told += await asyncio.to_thread(topic.tell, "a", "b")
            async with asyncio.timeout(60):
                while told[-1] not in received.ids:
                    await asyncio.sleep(0.02)
            assert {one for one in received.ids if "/a/" in one} == {told[0]}
            is_up.set()
            async with asyncio.timeout(60):
                while told[-2] not in received.ids:
                    await asyncio.sleep(0.02)
            await topic.until_moved(before, 0, 1, 2)
        assert set(received.ids) == set(told)
        seen: dict[str, list[int]] = defaultdict(list)
        for document in received.documents:
            numbers = seen[document["user"]]
            assert not numbers or document["number"] >= numbers[-1], "the older after the newer"
            numbers.append(document["number"])
        # While nobody delivers; and what was delivered does not come once more.
        later = await asyncio.to_thread(topic.tell, "b", "a")
        count = len(received.ids)
        async with topic.delivered(url):
            await received.until(count + 2)
        assert sorted(received.ids[count:]) == sorted(later)


async def test_who_is_killed_between_delivery_and_commit_delivers_again_under_the_same_id(
    topic: Topic,
) -> None:
    process: Any = None

    async def taken_and_killed(_: web.Request) -> web.StreamResponse:
        process.kill()
        return web.Response(status=204)

    received = Received(taken_and_killed)
    async with received.serving() as url:
        try:
            process = topic.process(url)
            before = await topic.until_placed()
            told = await asyncio.to_thread(topic.tell, "a", "a")
            await received.until(1)
            assert await asyncio.to_thread(process.wait, 30) == -9
            assert await topic.stands() == before
            # It has not left the group: Kafka has to notice that it is gone.
            process = topic.process(url)
            await received.until(3)
            await topic.until_moved(before, ord("a") % PARTITIONS)
        finally:
            process.kill()
            process.wait()
    assert received.ids == [told[0], told[0], told[1]]


async def test_the_program_says_how_it_is_and_nothing_of_its_secrets(
    topic: Topic, caplog: pytest.LogCaptureFixture
) -> None:
    """Until its receiver wants no more: then it ends, and that alert is committed by nobody."""
    caplog.set_level(logging.DEBUG)
    received = Received(status(204), status(500), status(410))
    async with received.serving() as url, aiohttp.ClientSession() as session:
        settings = load({"HEADROOM_KAFKA_BOOTSTRAP": topic.bootstrap})
        variables = {"HEADROOM_WEBHOOK_URL": url, "HEADROOM_WEBHOOK_SECRET": SECRET}
        webhook, stop = webhook_of(variables), asyncio.Event()
        program = asyncio.create_task(
            run_delivery(settings, webhook, topic.name, stop, topic=topic.name)
        )
        before = await topic.until_placed()
        (probes,) = re.findall(r"probes and metrics at (\S+)", caplog.text)
        async with session.get(f"{probes}/readyz") as ready, session.get(f"{probes}/livez") as live:
            assert (ready.status, live.status) == (200, 200)
        await asyncio.to_thread(topic.tell, "a")
        await topic.until_moved(before, ord("a") % PARTITIONS)
        async with session.get(f"{probes}/metrics") as response:
            assert "headroom_webhook_delivered_total 1.0" in await response.text()
        stood = await topic.stands()
        await asyncio.to_thread(topic.tell, "a")
        async with asyncio.timeout(60):
            with pytest.raises(ReceiverGone, match="410"):
                await program
        assert await topic.stands() == stood
    assert SECRET not in caplog.text
    assert url not in caplog.text.replace("POST /hook", "")


async def test_the_program_ends_when_it_is_told_to(topic: Topic) -> None:
    settings = load({"HEADROOM_KAFKA_BOOTSTRAP": topic.bootstrap})
    webhook = webhook_of({"HEADROOM_WEBHOOK_URL": "http://h/", "HEADROOM_WEBHOOK_SECRET": SECRET})
    stop = asyncio.Event()
    run = run_delivery(settings, webhook, topic.name, stop, topic=topic.name)
    program = asyncio.create_task(run)
    await topic.until_placed()
    stop.set()
    async with asyncio.timeout(60):
        await program


async def test_a_topic_that_is_not_there_is_said(kafka: KafkaHandle, unique: str) -> None:
    settings = load({"HEADROOM_KAFKA_BOOTSTRAP": kafka.bootstrap})
    webhook = webhook_of({"HEADROOM_WEBHOOK_URL": "http://h/", "HEADROOM_WEBHOOK_SECRET": SECRET})
    with pytest.raises(NoTopic, match="headroom topics apply"):
        await run_delivery(settings, webhook, unique, asyncio.Event(), topic=unique)
