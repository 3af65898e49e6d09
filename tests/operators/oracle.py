"""What lies in the topics and what is answered, compared with what the venues said.

It shares no code with what it judges.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from processors.engine.headers import headers_of
from tests.operators.venue import Frame, Held, Venue

BALANCES: Final = "balances.v1"
DEAD: Final = "deadletters.v1"
LATEST: Final = "balances.latest.v1"
ASSETS: Final = "exposure.asset.v1"
TABLES: Final = (LATEST, "exposure.user.v1", ASSETS)
_SECONDS: Final = 30.0


class Record(msgspec.Struct, frozen=True):
    """One record of a topic, committed."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    headers: Mapping[str, str]

    @property
    def document(self) -> dict[str, Any]:
        """Its JSON; empty where it is none."""
        try:
            found = json.loads(self.value or b"null")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def records(bootstrap: str, topic: str) -> list[Record]:
    """All that was committed to a topic, in order of each partition; nothing where it is not."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "oracle",
            "log_level": 0,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    try:
        known = consumer.list_topics(topic, _SECONDS).topics[topic].partitions
        left = set(known)
        consumer.assign([TopicPartition(topic, one, OFFSET_BEGINNING) for one in known])
        found: list[Record] = []
        deadline = time.monotonic() + _SECONDS
        while left and time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is None:
                continue
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
                continue
            found.append(_record(message))
        assert not left, f"{topic} cannot be read to its end: {left}"
        return found
    finally:
        consumer.close()


def _record(message: Any) -> Record:
    # No judging: the client's own way to headers is not sound for whatever strangers call them.
    headers = {name: (value or b"").decode(errors="replace") for name, value in headers_of(message)}
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        (message.key() or b"").decode(errors="replace"),
        message.value(),
        headers,
    )


class Memory:
    """All that was ever seen in the public topics, also what was deleted there since."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._seen: dict[tuple[str, int, int, str], Record] = {}

    def look(self) -> None:
        """Read the topics, and keep what is there."""
        for topic in (BALANCES, DEAD, *TABLES):
            for one in records(self.bootstrap, topic):
                identity = json.dumps(dict(one.headers), sort_keys=True)
                self._seen[topic, one.partition, one.offset, identity] = one

    def of(self, topic: str) -> list[Record]:
        return [one for one in self._seen.values() if one.topic == topic]

    def lost(self, frames: Iterable[Frame]) -> list[str]:
        """Frames that were there to be read and have no outcome."""
        told = set()
        for one in self.of(BALANCES):
            found = one.document
            # As text: a stranger's record may hold anything there.
            told.add(tuple(str(found.get(k)) for k in ("venue", "account", "epoch", "receipt")))
        buried = {
            (one.headers.get("venue"), one.headers.get("epoch"), one.headers.get("receipt"))
            for one in self.of(DEAD)
        }
        return [
            f"{frame.user} receipt {frame.receipt}, {frame.topic}/{frame.partition}/{frame.offset}"
            for frame in frames
            if not frame.gone
            and tuple(map(str, frame.identity)) not in told
            and (frame.venue, str(frame.epoch), str(frame.receipt)) not in buried
        ]

    def twice(self) -> list[str]:
        """Outcomes told again under one identity; documents of one identity with other bytes.

        Corrections are marked as such and are none.
        """
        return [*self._outcomes_twice(), *self._documents_twice()]

    def _outcomes_twice(self) -> list[str]:
        first: dict[str, Record] = {}
        found = []
        for one in (*self.of(BALANCES), *self.of(DEAD)):
            identity = _identity(one)
            if identity is None or "headroom.generation" in one.headers:
                continue
            before = first.setdefault(identity, one)
            if before is not one:
                how = "the same bytes" if before.value == one.value else "OTHER BYTES"
                found.append(f"{identity} again at {one.topic}/{one.partition}/{one.offset}: {how}")
        return found

    def _documents_twice(self) -> list[str]:
        first: dict[str, bytes | None] = {}
        return [
            f"{one.headers['ce_id']} again with OTHER BYTES at {one.topic}/{one.offset}"
            for topic in TABLES
            for one in self.of(topic)
            if "ce_id" in one.headers
            and first.setdefault(one.headers["ce_id"], one.value) != one.value
        ]

    def went_back(self) -> list[str]:
        """Versions that are lower than one that was told before of the same key."""
        highest: dict[tuple[str, str], int] = {}
        found = []
        for topic in TABLES:
            for one in self.of(topic):
                version = one.document.get("version")
                if version is None:
                    continue
                known = highest.setdefault((topic, one.key), version)
                if version < known:
                    found.append(f"{topic} {one.key}: version {version} after {known}")
                highest[topic, one.key] = max(known, version)
        return found

    def tables_wrong(self, venue: Venue) -> list[str]:
        """What the last documents say otherwise than the venues' last frames."""
        last: dict[tuple[str, str], Record] = {
            (topic, one.key): one for topic in TABLES for one in records(self.bootstrap, topic)
        }
        found = []
        for user, frame in venue.newest().items():
            one = last.get((LATEST, user))
            told = held(one.document.get("totals", {})) if one else None
            if told != frame.held:
                found.append(f"{LATEST} of {user} is not what the venue said last")
        for asset, total in venue.sums().items():
            one = last.get((ASSETS, asset))
            told_total = Decimal(one.document["total"]) if one else None
            if told_total != total:
                found.append(f"{ASSETS} of {asset} is {told_total}, not {total}")
        return found


def _identity(one: Record) -> str | None:
    """What a record is the outcome of: of a snapshot its `ce_id`, of a dead letter its origin."""
    if one.topic == BALANCES:
        return one.headers.get("ce_id")
    place = [one.headers.get(f"__connect.errors.{k}") for k in ("topic", "partition", "offset")]
    part = one.headers.get("headroom.part")
    return "/".join(str(k) for k in (*place, part) if k is not None) if place[0] else None


def held(totals: Mapping[str, Any]) -> Held:
    """Amounts as an answer or a document has them."""
    return {
        asset: (Decimal(one["total"]), Decimal(one["available"]), Decimal(one["held"]))
        for asset, one in totals.items()
    }


class Answer(msgspec.Struct, frozen=True):
    """What HTTP answered; status 0: nothing."""

    status: int
    body: dict[str, Any]
    text: str = ""


def ask(url: str, path: str) -> Answer:
    """Ask a worker; one that never said where it is does not answer."""
    if not url:
        return Answer(0, {})
    try:
        with urllib.request.urlopen(url + path, timeout=10) as response:  # noqa: S310 - loopback
            text = response.read().decode()
            status = response.status
    except urllib.error.HTTPError as error:
        return Answer(error.code, {})
    except OSError:
        return Answer(0, {})
    try:
        body = json.loads(text)
    except ValueError:
        body = {}
    return Answer(status, body if isinstance(body, dict) else {}, text)


def shown_wrong(url: str, venue: Venue, *, all_live: bool = False) -> list[str]:
    """Numbers that are shown as the venue's and are not, users that are missing, sums not exact.

    With `all_live` everybody has to be live as well.
    """
    found: list[str] = []
    tables: dict[str, Decimal] = {}
    whole = True
    for user, frame in venue.newest().items():
        answer = ask(url, f"/v1/users/{quote(user, safe='')}/balances")
        whole = whole and answer.status == HTTPStatus.OK
        problem = _user_wrong(user, frame, answer, all_live=all_live)
        found += [] if problem is None else [problem]
        for asset, (total, *_) in held(answer.body.get("totals", {})).items():
            tables[asset] = tables.get(asset, Decimal(0)) + total
    return [*found, *_sums_wrong(url, tables)] if whole else found


def _user_wrong(user: str, frame: Frame, answer: Answer, *, all_live: bool) -> str | None:
    if answer.status != HTTPStatus.OK:
        missing = answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR}
        return f"{user}: status {answer.status}" if all_live or missing else None
    is_true, fresh = held(answer.body["totals"]) == frame.held, answer.body["freshness"]
    if not is_true and not fresh["stale"]:
        return f"{user}: live, and not what the venue said last"
    if all_live and not (is_true and not fresh["stale"]):
        return f"{user}: {fresh.get('state')} ({fresh.get('reason')})"
    return None


def _sums_wrong(url: str, tables: Mapping[str, Decimal]) -> list[str]:
    found = []
    for asset, total in tables.items():
        answer = ask(url, f"/v1/assets/{asset}/exposure")
        told = Decimal(answer.body["total"]) if "total" in answer.body else None
        if answer.status != HTTPStatus.SERVICE_UNAVAILABLE and told != total:
            found.append(f"sum of {asset}: {told}, over the tables {total}")
    return found
