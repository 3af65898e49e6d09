"""Public documents written again from the tables, where their topic was made again.

Each has the version that it was told with last, and with it the identity: for whoever saw it before
it is a repetition, word for word.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from headroom.base.clients import Clients
from headroom.operate.generations.kind import changelog
from headroom.operate.replay.carry import Out, doubtful_record
from headroom.operate.replay.rows import last_rows
from headroom.operate.resume.picture import Picture
from processors.ledger.assets import Head
from processors.ledger.doubts import doubts
from processors.ledger.users import UserState
from processors.ledger.views import Venues, View
from processors.names import ASSETS_TABLE
from schemas.codec import NotADocument, decode, decode_by, encode
from schemas.headers import cloud_event
from schemas.topics import (
    BALANCES_LATEST,
    EXPOSURE_ASSET,
    EXPOSURE_BASE,
    EXPOSURE_USER,
    UNCONFIRMED,
)

DOCUMENTS: Final = frozenset(
    {BALANCES_LATEST, EXPOSURE_USER, EXPOSURE_ASSET, EXPOSURE_BASE, UNCONFIRMED}
)
_KINDS: Final = {EXPOSURE_ASSET: "asset", EXPOSURE_BASE: "base"}
_KEY: Final = msgspec.json.Decoder(tuple[str, str])


def documents(
    clients: Clients,
    picture: Picture,
    topic: str,
    states: Iterable[UserState],
    *,
    in_assets: Venues,
    time: str,
) -> Iterator[Out]:
    """All that a topic of documents has to hold; `time` is that of what no frame led to."""
    if topic in _KINDS:
        yield from _sums(clients, picture, topic, time)
        return
    for state in states:
        if topic == UNCONFIRMED:
            for one in doubts(None, state, ()):
                yield doubtful_record(one, UNCONFIRMED)
            continue
        view = View(state, in_assets)
        document = view.balances() if topic == BALANCES_LATEST else view.exposure()
        if document is not None:
            told = max((one.received_time for one in state.live), default=time)
            yield _record(topic, state.user, document.version, encode(document), told)


def _sums(clients: Clients, picture: Picture, topic: str, time: str) -> Iterator[Out]:
    table = changelog(picture.live, ASSETS_TABLE)
    numbers = range(picture.partitions)
    ends = {(table, number): picture.end_of(table, number) for number in numbers}
    for (_, key), row in last_rows(clients, table, ends, numbers).items():
        try:
            kind, name = decode_by(key, _KEY)
            head = decode(row, Head)
        except NotADocument:
            continue  # a row below a sum's own has a longer key
        if kind == _KINDS[topic]:
            yield _record(topic, name, head.version, bytes(head.document), time)


def _record(topic: str, key: str, version: int, value: bytes, time: str) -> Out:
    event_id = f"{topic}/{key}/{version}"
    headers = cloud_event(topic=topic, subject=key, event_id=event_id, time=time)
    return topic, None, key.encode(), value, headers
