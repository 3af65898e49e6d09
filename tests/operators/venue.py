"""The venues' frames, written to raw as the contract says, and what they said: the truth."""

import json
import random
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
from confluent_kafka import Producer

SFOX: Final = tuple(f"user-{number:02d}" for number in range(12))
HERCLE: Final = ("fund-a", "fund-b")
FEEDS: Final = "headroom-feeds.v1"
_EVERY_SECONDS: Final = 0.5

Held = Mapping[str, tuple[Decimal, Decimal, Decimal]]
"""Of each asset: in total, available, held."""


class Frame(msgspec.Struct):
    """One frame as it was written; `gone` where an operator deleted it before it was read."""

    venue: str
    account: str
    epoch: int
    receipt: int
    held: Held
    partition: int = -1
    offset: int = -1
    gone: bool = False

    @property
    def user(self) -> str:
        return f"{self.venue}:{self.account}"

    @property
    def topic(self) -> str:
        return f"raw.{self.venue}.balances.v1"

    @property
    def identity(self) -> tuple[str, str, int, int]:
        return self.venue, self.account, self.epoch, self.receipt


class Venue:
    """Both venues and their producers, which vouch for what they wrote; `close` ends it."""

    def __init__(self, bootstrap: str, seed: str) -> None:
        self._random = random.Random(seed)
        self.epoch = time.time_ns()
        self.frames: list[Frame] = []
        self._receipts = {"sfox": 0, "hercle": 0}
        self._kafka: dict[str, str | int] = {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "log_level": 0,
        }
        self._producer = Producer({**self._kafka, "acks": "all"})
        self.owners: dict[str, str] = {}
        self._over = threading.Event()
        self._vouching = threading.Thread(target=self._vouch, daemon=True)
        self._vouching.start()

    def close(self) -> None:
        self._over.set()
        self._vouching.join()

    def reach(self, bootstrap: str) -> None:
        """Write elsewhere from now on: the same Kafka at another address."""
        self._kafka["bootstrap.servers"] = bootstrap
        self._producer = Producer({**self._kafka, "acks": "all"})

    def anew(self) -> None:
        """Write by a client that has never seen the topics: they were made again."""
        self._producer = Producer({**self._kafka, "acks": "all"})

    def tell(self, users: Iterable[str] | None = None, times: int = 1) -> list[Frame]:
        """One more frame of each of these accounts (None: of all), `times` in a row."""
        chosen = self.users() if users is None else list(users)
        written = [self._write(*user.split(":")) for _ in range(times) for user in chosen]
        left = self._producer.flush(30)
        assert left == 0, f"{left} frames could not be written"
        return written

    def users(self) -> list[str]:
        """Everybody who ever spoke."""
        first = [f"sfox:{name}" for name in SFOX] + [f"hercle:{name}" for name in HERCLE]
        return list(dict.fromkeys([*first, *(frame.user for frame in self.frames)]))

    def newest(self) -> dict[str, Frame]:
        """What each account's venue said last, by the user that has the account."""
        return {self.owners.get(frame.user, frame.user): frame for frame in self.frames}

    def sums(self) -> dict[str, Decimal]:
        """What is held of each asset over all accounts."""
        found: dict[str, Decimal] = {}
        for frame in self.newest().values():
            for asset, (total, *_) in frame.held.items():
                found[asset] = found.get(asset, Decimal(0)) + total
        return found

    def _write(self, venue: str, account: str) -> Frame:
        receipt = self._receipts[venue] = self._receipts[venue] + 1
        held = {asset: self._amounts() for asset in ("BTC", "ETH", "USD")}
        frame = Frame(venue, account, self.epoch, receipt, held)
        self.frames.append(frame)

        def placed(error: Any, message: Any) -> None:
            assert error is None, error
            frame.partition, frame.offset = message.partition(), message.offset()

        self._producer.produce(
            frame.topic,
            key=account.encode(),
            value=_text(frame).encode(),
            headers=[
                ("venue", venue),
                ("feed", "balances"),
                ("epoch", str(frame.epoch)),
                ("receipt", str(receipt)),
                ("received_time", _now()),
            ],
            on_delivery=placed,
        )
        self._producer.poll(0)
        return frame

    def _amounts(self) -> tuple[Decimal, Decimal, Decimal]:
        available = Decimal(self._random.randrange(1, 10**12)) / 10**6
        held = Decimal(self._random.randrange(10**9)) / 10**6
        return available + held, available, held

    def _vouch(self) -> None:
        """Say twice a second that both connections stand, as their producers do."""
        producer, address = Producer(self._kafka), self._kafka["bootstrap.servers"]
        while not self._over.wait(_EVERY_SECONDS):
            if address != self._kafka["bootstrap.servers"]:
                producer, address = Producer(self._kafka), self._kafka["bootstrap.servers"]
            for venue in ("sfox", "hercle"):
                status = json.dumps(self._status(venue)).encode()
                producer.produce(FEEDS, key=f"{venue}/1".encode(), value=status)
            producer.poll(0)
        producer.flush(3)

    def _status(self, venue: str) -> dict[str, Any]:
        begun, now = _time(self.epoch), _now()
        begun_doubt = {"cause": "reconnected", "reason": "connected", "since": begun}
        return {
            "venue": venue,
            "connection": "1",
            "state": "connected",
            "epoch": self.epoch,
            "last_heard": now,
            "last_frame": now,
            "frames": 1,
            "gaps": 0,
            "reconnects": 0,
            "time": now,
            "since": begun,
            "doubt": None,
            "confirmed_from": {"receipt": 1, "doubt": begun_doubt},
            "accounts": None,
            "last_confirmed": now,
            "instance": "operators",
        }


def _text(frame: Frame) -> str:
    if frame.venue == "sfox":
        updates = [
            {"currency": a.lower(), "balance": f"{t:f}", "available": f"{v:f}", "held": f"{h:f}"}
            for a, (t, v, h) in frame.held.items()
        ]
        payload = {"user_id": frame.account, "updates": updates}
        recipient = "private.enterprise.users.balances"
        message = {"sequence": frame.receipt, "recipient": recipient, "payload": payload}
        return json.dumps(message)
    assets = ",".join(
        f'{{"name":"{a}","available":{v:f},"allocated":{h:f}}}'
        for a, (_, v, h) in frame.held.items()
    )
    return (
        '{"type":1,"target":"executionEvents","arguments":[{"subject":"account.balances.snapshot",'
        f'"clientId":"x","data":{{"userId":"{frame.account}","sequence":{frame.receipt},'
        f'"assets":[{assets}],"baseCurrency":"EUR","totalCurrentExposure":1,"totalMaxExposure":2,'
        '"deleted":false}}]}'
    )


def _now() -> str:
    return _time(time.time_ns())


def _time(ns: int) -> str:
    seconds, rest = divmod(ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
