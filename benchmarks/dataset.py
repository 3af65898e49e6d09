"""The frames that all contenders read: frozen by a seed, with the headers of a real producer."""

from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

from confluent_kafka import Producer

from schemas.headers import Headers, RawHeaders
from schemas.times import rfc3339
from schemas.venues import VENUES

SFOX = VENUES["sfox"]

ASSETS: Final = ("btc", "eth", "usd", "sol")
EPOCH: Final = 1_710_367_000_000_000_000
_PLACES: Final = {"btc": 8, "eth": 8, "usd": 8, "sol": 9}
# One frame in so many is one that cannot be read, so that dead letters are compared as well.
BAD_EVERY: Final = 500
_FLUSH_SECONDS: Final = 60.0


class Dataset(NamedTuple):
    """Which frames: how many, of how many users, from which seed."""

    records: int
    users: int
    seed: int = 1


class Frame(NamedTuple):
    """One raw record before Kafka has it."""

    key: bytes
    value: bytes
    headers: Headers


def frames(dataset: Dataset) -> Iterator[Frame]:
    """The frames in the order in which they were received."""
    random = Random(dataset.seed)
    for number in range(1, dataset.records + 1):
        # Everybody once, then at random: the number of keys does not depend on luck.
        user = number - 1 if number <= dataset.users else random.randrange(dataset.users)
        account = f"user-{user:06}"
        value = _bad(number) if number % BAD_EVERY == 0 else _frame(account, number, random)
        yield Frame(account.encode(), value.encode(), _headers(number))


def _frame(account: str, number: int, random: Random) -> str:
    updates = ",".join(_update(asset, random) for asset in ASSETS)
    return (
        f'{{"sequence":{number},"recipient":"{SFOX.feed}",'
        f'"timestamp":{EPOCH + number * 1_000_003},'
        f'"payload":{{"user_id":"{account}","updates":[{updates}]}}}}'
    )


def _update(asset: str, random: Random) -> str:
    places = _PLACES[asset]
    held = random.randrange(10**places) if random.random() < 0.25 else 0
    available = random.randrange(10 ** (places + 3))
    total, free = _amount(available + held, places), _amount(available, places)
    return (
        f'{{"currency":"{asset}","balance":"{total}","available":"{free}",'
        f'"held":"{_amount(held, places) if held else "0"}","trading_wallet":"{total}",'
        '"collateral_wallet":"0","borrow_wallet":"0","lending_wallet":"0","staking_wallet":"0"}'
    )


def _amount(units: int, places: int) -> str:
    whole, fraction = divmod(units, 10**places)
    return f"{whole}.{fraction:0{places}}"


def _bad(number: int) -> str:
    """Frames that are wrong, each in another way."""
    head = f'{{"sequence":{number},"recipient":"{SFOX.feed}","timestamp":1,"payload":'
    update = '"balance":"1","available":"1"'
    btc = f'{{"currency":"btc",{update}'
    twice = f'{btc},"held":"0"}},{{"currency":"BTC",{update},"held":"0"}}'
    return (
        f'{head}{{"user_id":"u","updates":[{btc},"held":" 1"}}]}}}}',
        f'{head}{{"user_id":"u","user_id":"v","updates":[]}}}}',
        f'{head}{{"user_id":"u","updates":[{btc}}}]}}}}',
        f'{head}{{"user_id":"u","updates":[',
        f'{head}{{"user_id":7,"updates":[]}}}}',
        f'{head}{{"user_id":"u","updates":[{twice}]}}}}',
        '{"type":"success"}',
        f"{head}NaN}}",
    )[number // BAD_EVERY % 8]


def _headers(number: int) -> Headers:
    return RawHeaders(
        venue=SFOX.name,
        feed=SFOX.feed,
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
