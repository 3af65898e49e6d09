"""Following a topic: when it is known what was there at first."""

import asyncio

import pytest
from aiokafka import TopicPartition

from headroom import following
from headroom.following import Following

PLACE = TopicPartition("t", 0)


class Silent:
    """A consumer of a topic with as many records as `end`; behind them it waits for ever."""

    def __init__(self, end):
        self.end = end
        self.at = 0

    def __call__(self, *topics, **settings):
        assert settings["isolation_level"] == "read_committed"
        return self

    async def start(self):
        return None

    async def stop(self):
        return None

    def assignment(self):
        return {PLACE}

    async def end_offsets(self, places):
        return dict.fromkeys(places, self.end)

    async def position(self, place):
        return self.at

    async def getmany(self, *, timeout_ms):
        if self.at == self.end:
            await asyncio.Event().wait()
        self.at += 1
        return {PLACE: [Record(b"%d" % self.at)]}


class Record:
    def __init__(self, value):
        self.key = b"k"
        self.value = value


@pytest.mark.parametrize("end", [0, 3])
async def test_what_was_there_is_known_before_anything_more_is_waited_for(monkeypatch, end):
    monkeypatch.setattr(following, "AIOKafkaConsumer", Silent(end))
    taken = []
    topic = Following({}, "t", lambda key, value: taken.append((key, value)))
    async with topic.followed(), asyncio.timeout(10):
        await topic.until()
    assert taken == [(b"k", b"%d" % number) for number in range(1, end + 1)]
