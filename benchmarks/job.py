"""The job that every contender does, as functions: the only place that imports the product's.

Raw frame → `balances.v1` (or a dead letter) → the user's row → `exposure.user.v1`. What is not
Java runs these very functions, so that the difference measured is the engine around them.
"""

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from processors import compiled
from processors.ledger.user_ledger import UserLedger
from processors.ledger.users import EMITS, UserState, fold
from processors.ledger.views import user_exposure
from processors.normalise import NORMALISERS, RawFrame, tell
from schemas.codec import Told, decode_snapshot, encode
from schemas.documents import BalanceSnapshot, Source
from schemas.headers import (
    DeadLetterOrigin,
    Headers,
    Receipt,
    cloud_event,
    dead_letter,
    read_receipt,
)
from schemas.rejections import Rejected
from schemas.topics import BALANCES, DEAD_LETTERS, EXPOSURE_USER
from schemas.venues import VENUES

OUTPUTS: Final = (BALANCES, EXPOSURE_USER, DEAD_LETTERS)
_NS_PER_MS: Final = 1_000_000
_VENUES: Final = {venue.raw_topic: venue.name for venue in VENUES.values()}


class Options(NamedTuple):
    """What a contender is told: where to read, where to write, and how safely.

    `also` are raw topics beside `raw`, of other venues. `prefix` stands before the names of the
    outputs, `commit_ms` is how often to commit where the contender lets it be chosen, `emit`
    whether `every` version goes to `exposure.user.v1` or the `latest` of what is committed
    together.
    """

    bootstrap: str
    raw: str
    prefix: str
    group: str
    data_dir: str
    partitions: int
    guarantee: str = "at_least_once"
    commit_ms: int = 100
    emit: str = "every"
    store: str = "rocksdb"
    also: Sequence[str] = ()

    @property
    def raws(self) -> tuple[str, ...]:
        """All raw topics."""
        return self.raw, *self.also

    def topic(self, name: str) -> str:
        """The name of one of the outputs."""
        return self.prefix + name

    @property
    def folder(self) -> Path:
        """Where local tables lie."""
        return Path(self.data_dir)

    def argument(self) -> str:
        """These options as one word of a command line."""
        return msgspec.json.encode(self._asdict()).decode()


def options_from_argument() -> Options:
    """What a contender was told on its command line."""
    return Options(**msgspec.json.decode(sys.argv[1]))


class Out(NamedTuple):
    """One record to send; `topic` without the run's prefix."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


class Raw(NamedTuple):
    """One raw record, as any client sees it."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Any


@cache
def venue_of(raw: str) -> str:
    """The venue of a raw topic, whatever stands before the topic's own name."""
    return _VENUES[raw[raw.index("raw.") :]]


def raw_of(message: Any) -> Raw:
    """A message of confluent-kafka as the job takes it."""
    return Raw(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        message.headers() or (),
    )


def normalised(raw: Raw) -> Out:
    """The snapshot of a raw record for `balances.v1`, or its dead letter."""
    told = tell(venue_of(raw.topic), raw.topic, raw.partition, raw, _forget)
    assert not isinstance(told, list), "no frame here tells of several accounts"
    return _out(raw, told)


def normalised_in_python(raw: Raw) -> Out:
    """The same without anything compiled: what the others' outputs are compared with."""
    source = Source(raw.topic, raw.partition, raw.offset)
    outcome = NORMALISERS[venue_of(raw.topic)](RawFrame(raw.value or b"", _receipt(raw), source))
    assert not isinstance(outcome, tuple), "no frame here tells of several accounts"
    if isinstance(outcome, Rejected):
        return _out(raw, outcome)
    return _out(raw, Told(outcome.user, encode(outcome), outcome.received_time))


def _forget(_document: bytes, _snapshot: BalanceSnapshot) -> None:
    """Who reads a document decodes it."""


def _receipt(raw: Raw) -> Receipt:
    appended_ns = max(0, raw.timestamp_ms) * _NS_PER_MS
    return read_receipt(raw.headers or (), offset=raw.offset, appended_ns=appended_ns)


def _out(raw: Raw, outcome: Told | Rejected) -> Out:
    if isinstance(outcome, Rejected):
        return _buried(raw, outcome)
    event_id = f"{raw.topic}/{raw.partition}/{raw.offset}"
    headers = compiled.cloud_event(
        topic=BALANCES, subject=outcome.user, event_id=event_id, time=outcome.received_time
    )
    return Out(BALANCES, outcome.user.encode(), outcome.document, headers)


def _buried(raw: Raw, why: Rejected) -> Out:
    origin = DeadLetterOrigin(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        stage="normalise",
        class_name=NORMALISERS[venue_of(raw.topic)].__module__,
    )
    own = raw.headers or ()
    headers = dead_letter(origin, reason=why.reason, detail=why.detail, own=own)
    return Out(DEAD_LETTERS, raw.key, raw.value, headers)


def folded(before: UserState | None, value: bytes) -> tuple[UserState, str] | None:
    """The user's state after a snapshot, and its time; None where nothing follows from it."""
    outcome = fold(before, decode_snapshot(value))
    return (outcome.state, outcome.time) if outcome.verdict in EMITS else None


class Users:
    """The fold of users, one snapshot at a time, in the product's functions; rows are elsewhere."""

    def __init__(self, prefix: str) -> None:
        self._ledger = UserLedger(with_shares=False)  # the job has no sums
        self._prefix = prefix

    def fold(self, row: bytes | None, value: bytes) -> tuple[bytes, Out] | None:
        """The new row and the exposure that follow from a snapshot; None where nothing does."""
        snapshot = compiled.read(value) or decode_snapshot(value)
        change = self._ledger.fold_one(snapshot, lambda _key: row)
        if change is None:
            return None
        headers = compiled.cloud_event(
            topic=EXPOSURE_USER,
            subject=change.user,
            event_id=f"{self._prefix}{EXPOSURE_USER}/{change.user}/{change.version}",
            time=change.time,
        )
        return change.row, Out(EXPOSURE_USER, change.key, change.exposure, headers)


def exposure(state: UserState, time: str, prefix: str) -> Out:
    """A user's exposure document."""
    document = user_exposure(state)
    headers = cloud_event(
        topic=EXPOSURE_USER,
        subject=state.user,
        event_id=f"{prefix}{EXPOSURE_USER}/{state.user}/{state.version}",
        time=time,
    )
    value = None if document is None else encode(document)
    return Out(EXPOSURE_USER, state.user.encode(), value, headers)
