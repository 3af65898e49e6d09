"""An example of each public record: what comes of one asset of Hercle's documented frame.

`tests/schemas/test_examples.py` makes them from that frame, with the product.
"""

import json
from typing import Any, Final

import msgspec

from schemas import topics
from schemas.codec import encode
from schemas.documents import (
    AccountExposure,
    AssetBalance,
    AssetExposure,
    Balance,
    BalanceSnapshot,
    BaseExposure,
    Exposure,
    Limit,
    LimitAlert,
    Source,
    UserAsset,
    UserBalances,
    UserExposure,
    VenueHolding,
)
from schemas.feeds import ConfirmedFrom, Doubt, FeedStatus, UnconfirmedAccount
from schemas.headers import DeadLetterOrigin, Headers, RawHeaders, cloud_event, dead_letter
from schemas.rejections import Reason
from schemas.venues import VENUES

TIME: Final = "2024-03-13T22:00:25.310000000Z"
SOURCE: Final = Source("raw.hercle.balances.v1", 1, 7)
RAW: Final = RawHeaders(
    venue="hercle",
    feed=VENUES["hercle"].feed,
    epoch=1710367000000000000,
    receipt=1,
    received_time=TIME,
)
_USER: Final = "hercle:user-123"
_HELD: Final = ("1250", "1000", "250")

SNAPSHOT: Final = BalanceSnapshot(
    user=_USER,
    venue="hercle",
    account="user-123",
    epoch=RAW.epoch,
    sequence=123,
    receipt=RAW.receipt,
    venue_time=None,
    received_time=TIME,
    deleted=False,
    assets={"USDT": AssetBalance(*_HELD, wallets={}, exposure=Exposure("0", "1500"))},
    exposure=AccountExposure("EUR", "1430", "1500"),
    source=SOURCE,
)
_TOTAL_LIMIT: Final = Limit(
    venue="hercle",
    account="user-123",
    asset=None,
    base_currency="EUR",
    current="1430",
    max="1500",
    headroom="70",
    utilisation="0.953333",
)
_ASSET_LIMIT: Final = msgspec.structs.replace(
    _TOTAL_LIMIT, asset="USDT", current="0", headroom="1500", utilisation="0.000000"
)
_FOLLOWING: Final[dict[str, tuple[str, msgspec.Struct]]] = {
    topics.BALANCES_LATEST: (
        _USER,
        UserBalances(_USER, [SNAPSHOT], {"USDT": Balance(*_HELD)}, version=1),
    ),
    topics.EXPOSURE_USER: (
        _USER,
        UserExposure(
            _USER,
            {"USDT": UserAsset(*_HELD, by_venue={"hercle": "1250"})},
            [_TOTAL_LIMIT, _ASSET_LIMIT],
            version=1,
        ),
    ),
    topics.EXPOSURE_ASSET: (
        "USDT",
        AssetExposure("USDT", *_HELD, 1, {"hercle": VenueHolding(*_HELD, users=1)}, version=1),
    ),
    topics.EXPOSURE_BASE: (
        "EUR",
        BaseExposure("EUR", "1430", "1500", "70", "0.953333", accounts=1, version=1),
    ),
}
ALERT: Final = LimitAlert(
    user=_USER,
    venue="hercle",
    account="user-123",
    asset=None,
    base_currency="EUR",
    level="warning",
    current="1430",
    max="1500",
    utilisation="0.953333",
    time=TIME,
    rule="near-the-limit",
    condition="utilisation_above",
    value="0.953333",
    threshold="0.80",
    source=SOURCE,
)
_ALERTED: Final = (
    f"{topics.ALERTS}/{_USER}/near-the-limit/hercle/user-123//"
    f"{SOURCE.topic}/{SOURCE.partition}/{SOURCE.offset}"
)
FEED: Final = FeedStatus(
    venue="hercle",
    connection="1",
    state="connected",
    epoch=RAW.epoch,
    last_heard=TIME,
    last_frame=TIME,
    frames=1,
    gaps=0,
    reconnects=1,
    time="2024-03-13T22:00:26.000000000Z",
    since="2024-03-13T22:00:25.120000000Z",
    confirmed_from=ConfirmedFrom(
        RAW.receipt,
        Doubt("reconnected", "connected again at 22:00:25", "2024-03-13T22:00:25.120000000Z"),
    ),
    accounts=["user-123"],
    last_confirmed=TIME,
    instance="5f0c",
)
_UNREAD: Final = "unreadable frame at data.assets[0].available (amount)"
UNCONFIRMED: Final = UnconfirmedAccount(
    user=_USER,
    venue="hercle",
    account="user-123",
    doubt=Doubt("unreadable", _UNREAD, "2024-03-13T22:00:26.310000000Z"),
    epoch=RAW.epoch,
    receipt=2,
    source=Source(SOURCE.topic, 1, 9),
)
_FRAME: Final = (
    '{"type": 1, "target": "executionEvents", "arguments": [{"subject": '
    '"account.balances.snapshot", "clientId": "my-client-123", "data": {"userId": "user-123", '
    '"sequence": 123, "assets": [{"name": "USDT", "available": 1000, "allocated": 250, '
    '"currentExposure": 0, "maxExposure": 1500}], "baseCurrency": "EUR", '
    '"totalCurrentExposure": 1430, "totalMaxExposure": 1500, "deleted": false}}]}'
)
CUT: Final = _FRAME[:40]
"""What a dead letter holds: a frame that broke off."""


class Example(msgspec.Struct, frozen=True):
    """A record: its key, its headers, and its value as text."""

    key: str
    headers: dict[str, str]
    value: str

    @property
    def document(self) -> Any:  # noqa: ANN401 - JSON is any of six things
        """The value, read."""
        return json.loads(self.value)


def examples() -> dict[str, Example]:
    """An example record by the topic's name."""
    place = f"{SOURCE.topic}/{SOURCE.partition}/{SOURCE.offset}"
    code = "processors.normalise.hercle"
    origin = DeadLetterOrigin(SOURCE.topic, 1, 8, "normalise", code, version="0.1.0")
    why = "Expecting property name enclosed in double quotes at character 40"
    cut = dead_letter(origin, reason=Reason.NOT_JSON, detail=why, own=RAW.encode())
    found = {
        SOURCE.topic: Example("user-123", _texts(RAW.encode()), _FRAME),
        topics.BALANCES: _event(topics.BALANCES, _USER, place, SNAPSHOT),
        topics.ALERTS: _event(topics.ALERTS, _USER, _ALERTED, ALERT),
        topics.DEAD_LETTERS: Example("user-123", _texts(cut), CUT),
        topics.PUBLIC_FEEDS: _event(
            topics.PUBLIC_FEEDS,
            "hercle/1",
            f"{topics.PUBLIC_FEEDS}/hercle/1/{FEED.time}",
            FEED,
            time=FEED.time,
        ),
        topics.UNCONFIRMED: _event(
            topics.UNCONFIRMED,
            _USER,
            f"{topics.UNCONFIRMED}/{_USER}/{UNCONFIRMED.epoch}/{UNCONFIRMED.receipt}/{_USER}",
            UNCONFIRMED,
            time=UNCONFIRMED.doubt.since,
        ),
    }
    for topic, (key, document) in _FOLLOWING.items():
        found[topic] = _event(topic, key, f"{topic}/{key}/1", document)
    return found


def _event(
    topic: str, key: str, event_id: str, document: msgspec.Struct, *, time: str = TIME
) -> Example:
    headers = cloud_event(topic=topic, subject=key, event_id=event_id, time=time)
    return Example(key, _texts(headers), encode(document).decode())


def _texts(headers: Headers) -> dict[str, str]:
    return {name: value.decode() for name, value in headers}
