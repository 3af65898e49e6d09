"""A house in which frames were read, and replays in it."""

import asyncio
import itertools
import json
import random
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headroom.audit import Audit, audit
from headroom.base.clients import Clients
from headroom.base.settings import KafkaSettings
from headroom.operate.generations import (
    FIRST,
    app_name,
    kept_of,
    names_of,
    read_what_is_left,
)
from schemas.headers import Headers, RawHeaders
from schemas.times import rfc3339
from schemas.topics import EXPOSURE_ASSET, EXPOSURE_BASE
from schemas.venues import VENUES
from tests.data import documented_frame
from tests.headroom import commands
from tests.headroom.commands import Ended, balances, headroom, until
from tests.headroom.house import House, house

PARTITIONS = 8
EPOCH = 1_710_367_000_000_000_000
RAW = tuple(venue.raw_topic for venue in VENUES.values())
REPLAY_SECONDS = 120.0


class Scene:
    """A house, what was sent, and what Kafka says of groups and topics."""

    replay_seconds = REPLAY_SECONDS

    def __init__(self, house: House) -> None:
        self.house = house
        self.clients = Clients(KafkaSettings(house.bootstrap))
        self.sent = 0
        self._receipts = dict.fromkeys(VENUES, 0)
        self._random = random.Random(5)

    # -- frames

    def sfox(self, accounts: Iterable[str], *, sound: bool = False) -> None:
        """A frame of each of these accounts, in this order; one of 49 cannot be read, or none."""
        self.send("sfox", ((account, self._sfox(account, sound=sound)) for account in accounts))

    def hercle(self, *accounts: str) -> None:
        """The documented frame, for other accounts."""
        for account in accounts:
            frame = json.loads(documented_frame("hercle"))
            data = frame["arguments"][0]["data"]
            data |= {"userId": account, "sequence": self._receipts["hercle"] + 1}
            self.send("hercle", [(account, json.dumps(frame).encode())])

    def limits(self, used: int, *accounts: str) -> None:
        """The documented frame of Hercle, with so much of a limit of 100 used."""
        for account in accounts:
            frame = json.loads(documented_frame("hercle"))
            data = frame["arguments"][0]["data"]
            data |= {"userId": account, "sequence": self._receipts["hercle"] + 1}
            data |= {"totalCurrentExposure": used, "totalMaxExposure": 100}
            self.send("hercle", [(account, json.dumps(frame).encode())])

    def hercle_at_once(self, *accounts: str) -> None:
        """One message that tells of these accounts; the last one of them cannot be read."""
        frame = json.loads(documented_frame("hercle"))
        (event,) = frame["arguments"]
        number = self._receipts["hercle"] + 1
        event["data"] = [event["data"] | {"userId": one, "sequence": number} for one in accounts]
        event["data"][-1]["deleted"] = None
        self.send("hercle", [(accounts[0], json.dumps(frame).encode())])

    def send(self, venue: str, frames: Iterable[tuple[str | None, bytes]]) -> None:
        records: list[tuple[bytes | None, bytes, Headers]] = []
        for account, frame in frames:
            key = None if account is None else account.encode()
            records.append((key, frame, self._headers(venue)))
            self.sent += 1
        self.house.produce(VENUES[venue].raw_topic, *records)

    def _sfox(self, account: str, *, sound: bool) -> bytes:
        number = self._receipts["sfox"] + 1
        amount = f"{self._random.randrange(10**6)}.{self._random.randrange(10**8):08}"
        held = "0" if sound or number % 49 else "broken"
        update = {"currency": "btc", "balance": amount, "available": amount, "held": held}
        message = {
            "sequence": number,
            "recipient": "private.enterprise.users.balances",
            "payload": {"user_id": account, "updates": [update]},
        }
        return json.dumps(message).encode()

    def _headers(self, venue: str) -> Headers:
        self._receipts[venue] += 1
        number = self._receipts[venue]
        received = rfc3339(EPOCH + number * 1_000_000)
        return RawHeaders(venue, VENUES[venue].feed, EPOCH, number, received).encode()

    # -- what became of them

    def wait(self, generation: str = FIRST) -> None:
        """Wait until a live generation has folded all that was sent."""
        until(lambda: self.is_folded(generation), why=lambda: self.house.worker.output[-3000:])

    def is_folded(self, generation: str) -> bool:
        group, names = app_name(generation), names_of(generation, live=True)
        if sum(self.committed(group, RAW).values()) < sum(self.ends(RAW).values()):
            return False
        downstream = names.folded
        # What is done first, then all that was written: one agent's commit is another one's input.
        done = self.committed(group, downstream)
        # Also what is committed before Kafka shows it as committed.
        ends = self.clients.ends(downstream, PARTITIONS, committed=False)
        if any(done.get(place, 0) < end for place, end in ends.items()):
            return False
        # Also what tells the sums, which nobody reads on from: its markers may come last.
        told = [names.output(topic) for topic in (EXPOSURE_ASSET, EXPOSURE_BASE)]
        return self.clients.is_settled([*kept_of(generation, names), *told], PARTITIONS)

    def committed(self, group: str, topics: tuple[str, ...]) -> dict[tuple[str, int], int]:
        return self.clients.committed(group, topics, PARTITIONS)

    def read_of(self, generation: str) -> int:
        """How many frames a replay has read, as far as is known at once."""
        group = app_name(generation)
        return sum(self.clients.committed(group, RAW, PARTITIONS, stable=False).values())

    def state_of(self, generation: str) -> str | None:
        """How far a generation is by the book; None: there is none of this name."""
        book = asyncio.run(read_what_is_left(self.house.kafka, partitions=PARTITIONS))
        found = book.generations.get(generation)
        return None if found is None else found.state

    def shares_of(self, generation: str) -> dict[str, int]:
        """How many partitions of raw each process has that works on a generation."""
        group = app_name(generation)
        found = self.clients.admin.describe_consumer_groups([group])[group].result(10)
        shares = {
            one.group_instance_id: sum(
                place.topic in RAW for place in one.assignment.topic_partitions
            )
            for one in found.members
        }
        return {name: count for name, count in shares.items() if count}

    def ends(self, topics: tuple[str, ...]) -> dict[tuple[str, int], int]:
        return self.clients.ends(topics, PARTITIONS)

    def topics(self) -> set[str]:
        return set(self.clients.admin.list_topics(timeout=10).topics)

    def groups(self) -> set[str]:
        found = self.clients.admin.list_consumer_groups().result().valid
        return {group.group_id for group in found if group.group_id != "headroom-read"}

    def read(self, topic: str, since: dict[tuple[str, int], int] | None = None) -> list[Any]:
        """The records of a topic, from offsets on."""
        ends = self.ends((topic,))
        return list(
            self.clients.read({p: ((since or {}).get(p, 0), end) for p, end in ends.items()})
        )

    @property
    def readies(self) -> int:
        """How often the worker has said that it is ready."""
        return self.house.worker.output.count("ready ")

    def until_ready_again(self, before: int) -> None:
        """Wait until the worker is ready once more than `before`."""
        until(lambda: self.readies > before, why=lambda: self.house.worker.output[-3000:])

    def audit(self) -> Audit:
        return asyncio.run(audit(self.house.kafka))

    # -- commands

    def replay(self, *words: str, **settings: object) -> Ended:
        own = self.house.settings | settings
        return headroom("replay", *words, seconds=self.replay_seconds, **own)

    def compared(self, name: str, *words: str, **settings: object) -> dict[str, Any]:
        """Replay to the end, and the comparison there."""
        done = self.replay("--generation", name, "--json", *words, **settings)
        assert done.status == 0, done.err
        found: dict[str, Any] = json.loads(done.out)
        return found

    def promoted(self, name: str, *words: str) -> Ended:
        """Promote, and wait until the worker answers from it."""
        before = self.readies
        done = self.replay("promote", name, *words)
        assert done.status == 0, done.err
        assert f"{name} is live" in done.out
        self.until_ready_again(before)
        return done

    def asked(self, user: str, url: str | None = None) -> dict[str, Any]:
        """What HTTP answers of a user."""
        found = balances(url or self.house.url, user)
        assert found is not None, (user, self.house.worker.output[-3000:])
        return found


@contextmanager
def scene(
    folder: Path, *, program: tuple[str, ...] = commands.HEADROOM, **settings: object
) -> Iterator[Scene]:
    """A house whose worker is ready."""
    with house(folder, program=program, **settings) as its:
        yield Scene(its)


def accounts(count: int, *names: str) -> Iterator[str]:
    """So many accounts' names, one after the other, again and again."""
    return itertools.islice(itertools.cycle(names), count)


@contextmanager
def pouring(scene: Scene, names: list[str]) -> Iterator[None]:
    """Frames of these accounts come in while the block runs, some hundreds a second."""
    stop, chosen = threading.Event(), random.Random(3)

    def pour() -> None:
        while not stop.is_set():
            scene.sfox(chosen.choices(names, k=20))
            stop.wait(0.02)

    thread = threading.Thread(target=pour)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
