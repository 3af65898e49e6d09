"""The proxy between clients and Kafka: who stays behind it, and what it does to requests."""

import asyncio

import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.conftest import KafkaHandle
from tests.engine.proxy import Kind, Proxy

pytestmark = pytest.mark.kafka


async def test_a_held_request_waits_and_a_lost_answer_is_asked_for_again(
    kafka: KafkaHandle, unique: str
) -> None:
    """A client that began at the proxy stays behind it; idempotent retries leave one record."""
    admin = AIOKafkaAdminClient(**kafka.arguments)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(unique, 1, 1)])
    finally:
        await admin.close()
    async with Proxy(kafka.bootstrap) as proxy:
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=proxy.bootstrap, enable_idempotence=True
        )
        async with producer:
            with proxy.holding(Kind.PRODUCE):
                sent = await producer.send(unique, b"1")
                await asyncio.wait([sent], timeout=0.3)
                assert not sent.done()
                assert proxy.held == 1
            assert (await sent).offset == 0
            proxy.lose_answer(Kind.PRODUCE)
            await producer.send_and_wait(unique, b"2")
            assert (await producer.send_and_wait(unique, b"3")).offset == 2
