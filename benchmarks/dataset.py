"""The frames that all contenders read: frozen by a seed, with the headers of a real producer."""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

from confluent_kafka import Producer

from benchmarks.frames import (
    EPOCH,
    bad_hercle_frame,
    bad_sfox_frame,
    hercle_frame,
    sfox_frame,
)
from schemas.headers import Headers, RawHeaders
from schemas.times import rfc3339
from schemas.venues import VENUES

ASSETS: Final = ("btc", "eth", "usd", "sol")
_Write = Callable[[str, int, Random, Sequence[str]], str]
_WRITE: Final[dict[str, tuple[_Write, Callable[[int, int], str]]]] = {
    "sfox": (sfox_frame, bad_sfox_frame),
    "hercle": (hercle_frame, bad_hercle_frame),
}
# One frame in so many is one that cannot be read, so that dead letters are compared as well.
BAD_EVERY: Final = 500
_FLUSH_SECONDS: Final = 60.0


class Dataset(NamedTuple):
    """Which frames: how many, of how many users, from which seed, of which venue."""

    records: int
    users: int
    seed: int = 1
    venue: str = "sfox"


class Frame(NamedTuple):
    """One raw record before Kafka has it."""

    key: bytes
    value: bytes
    headers: Headers


def frames(dataset: Dataset) -> Iterator[Frame]:
    """The frames in the order in which they were received."""
    random = Random(dataset.seed)
    write, bad = _WRITE[dataset.venue]
    for number in range(1, dataset.records + 1):
        # Everybody once, then at random: the number of keys does not depend on luck.
        user = number - 1 if number <= dataset.users else random.randrange(dataset.users)
        account = f"user-{user:06}"
        if number % BAD_EVERY == 0:
            value = bad(number, number // BAD_EVERY)
        else:
            value = write(account, number, random, ASSETS)
        yield Frame(account.encode(), value.encode(), headers_of(dataset.venue, number))


def headers_of(venue: str, number: int) -> Headers:
    """The headers of the frame that was received as the `number`th of a connection."""
    return RawHeaders(
        venue=venue,
        feed=VENUES[venue].feed,
        epoch=EPOCH,
        receipt=number,
        received_time=rfc3339(EPOCH + number * 1_000_003 + 7_000_000),
    ).encode()


def load(bootstrap: str, topic: str, dataset: Dataset) -> None:
    """Write the frames into a topic, each user's in order."""
    producer = raw_producer(bootstrap)
    for frame in frames(dataset):
        produce(producer, topic, frame)
    if producer.flush(_FLUSH_SECONDS):
        message = f"not all frames went to {topic}"
        raise RuntimeError(message)


def raw_producer(bootstrap: str) -> Producer:
    """A producer that keeps the order, partitioned as Kafka's own Java does."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            # In order without the help of a coordinator: a new broker may not have one yet, and
            # librdkafka has crashed where a client ended while it still asked for it.
            "max.in.flight.requests.per.connection": 1,
            "partitioner": "murmur2_random",
            "linger.ms": 5,
            "batch.size": 262_144,
        }
    )


def produce(producer: Producer, topic: str, frame: Frame) -> None:
    """Hand a frame to the client, waiting where its queue is full."""
    while True:
        try:
            producer.produce(topic, frame.value, frame.key, headers=list(frame.headers))
        except BufferError:
            producer.poll(0.05)
        else:
            producer.poll(0)
            return
