"""A thousand real documents: the sandboxes' frames, read by the normalisers, folded by the ledgers.

Epochs are of nanoseconds, offsets begin behind 2^31, and ether has 18 places.
"""

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

import msgspec

from headroom.local.sandbox import hercle_messages as hercle
from headroom.local.sandbox.config import account_ids
from headroom.local.sandbox.exposures import Exposures
from headroom.local.sandbox.market import HERCLE_ASSETS, SFOX_ASSETS, Market
from headroom.local.sandbox.sfox_session import SfoxSession
from processors.ledger.assets import SumLedger
from processors.ledger.users import UserState, fold
from processors.ledger.views import contributions, user_balances, user_exposure
from processors.normalise import NORMALISERS, RawFrame
from schemas import topics
from schemas.codec import encode
from schemas.documents import AssetExposure, BalanceSnapshot, Source
from schemas.export.examples import FEED, examples
from schemas.headers import Receipt
from schemas.times import rfc3339
from schemas.venues import VENUES

DOCUMENTS: Final = 1_000
_USERS: Final = 30
_EPOCH: Final = 1_795_933_078_806_830_263
_OFFSET: Final = 3_000_000_001
_MADE_UP: Final = (topics.PUBLIC_FEEDS, topics.UNCONFIRMED, topics.ALERTS)

_BEGUN: Final = msgspec.structs.replace(
    FEED, state="disconnected", epoch=None, last_heard=None, last_frame=None, confirmed_from=None
)
"""A connection before its first frame."""

Document = tuple[str, bytes]
"""A topic's name and a value of it."""


def documents(count: int = DOCUMENTS) -> list[Document]:
    """So many of all public topics; of those that no frame alone makes examples."""
    shown = examples()
    found = [(name, shown[name].value.encode()) for name in _MADE_UP]
    found.append((topics.PUBLIC_FEEDS, encode(_BEGUN)))
    told = _told()
    while len(found) < count:
        found.append(next(told))
    return found


def with_a_new_field(told: Sequence[Document]) -> list[Document]:
    """One document of each topic as it may be once there is a field that nobody knows yet."""
    found = []
    for topic, value in dict(told).items():
        newer = {**json.loads(value), "surprise": {"of": [_EPOCH]}}
        found.append((topic, json.dumps(newer).encode()))
    return found


def _told() -> Iterator[Document]:
    """What workers tell as frames come in, without end."""
    states: dict[str, UserState] = {}
    rows: dict[bytes, bytes] = {}
    sums = SumLedger()
    sums.load(0, [])
    for snapshot in _snapshots():
        yield topics.BALANCES, encode(snapshot)
        folded = fold(states.get(snapshot.user), snapshot)
        states[snapshot.user] = folded.state
        for topic, document in (
            (topics.BALANCES_LATEST, user_balances(folded.state)),
            (topics.EXPOSURE_USER, user_exposure(folded.state)),
        ):
            if document is not None:
                yield topic, encode(document)
        changes = sums.fold(0, contributions(folded), lambda keys: [rows.get(key) for key in keys])
        rows.update(changes.rows)
        # One of them, not to have all documents be sums.
        total = changes.emissions[snapshot.receipt % len(changes.emissions)].document
        is_asset = isinstance(total, AssetExposure)
        yield (topics.EXPOSURE_ASSET if is_asset else topics.EXPOSURE_BASE), encode(total)


def _snapshots() -> Iterator[BalanceSnapshot]:
    for number, (venue, frame) in enumerate(_frames()):
        time = rfc3339(_EPOCH + number * 1_000_007)
        source = Source(VENUES[venue].raw_topic, number % 8, _OFFSET + number)
        receipt = Receipt(_EPOCH + number // 50 * 60_000_000_001, number + 1, time)
        read = NORMALISERS[venue](RawFrame(frame.encode(), receipt, source))
        assert isinstance(read, BalanceSnapshot), read
        yield read


def _frames() -> Iterator[tuple[str, str]]:
    rng = Random(1)
    of_sfox = Market(account_ids(_USERS), rng, kinds=SFOX_ASSETS, margin=True)
    of_hercle = Market(account_ids(_USERS), rng, kinds=HERCLE_ASSETS, margin=False)
    limits = {account.user_id: Exposures(account, of_hercle, rng) for account in of_hercle.accounts}
    session = SfoxSession("key")
    for number in range(1_000_000):
        account = of_sfox.step()
        assert account is not None
        yield "sfox", session.frame(account, _EPOCH + number * 999_983)[1]
        account = of_hercle.step()
        assert account is not None
        limits[account.user_id].move()
        data = hercle.balances_data(account, limits[account.user_id])
        yield "hercle", hercle.event(hercle.envelope(hercle.BALANCES, "c", data, "text"))
