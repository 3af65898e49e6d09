"""What a user's number of an asset is made of, as the user's row knows it.

The row names each raw record and what came of it. Where that lies in Kafka, when it was written and
what its bytes say is for `headroom explain`, which reads Kafka: a worker does not for a question,
since a record that lies a month back may take seconds to be had.
"""

import msgspec

from processors.freshness import AccountFreshness, Freshness
from processors.http.copies import CopyNow
from processors.ledger.users import Confirmed, UserState
from processors.ledger.views import user_balances
from schemas.amounts import Amount
from schemas.documents import AssetBalance, Balance, BalanceSnapshot, Source, Time
from schemas.identity import user_for
from schemas.topics import BALANCES, BALANCES_LATEST


class SnapshotPlace(msgspec.Struct, frozen=True):
    """The record of `balances.v1` that an account is told in: by its `ce_id`.

    Of a raw record that tells of several accounts that is `id` with `/N` behind it.
    """

    topic: str
    id: str


class ExplainedPart(msgspec.Struct, frozen=True):
    """What one account adds, and the frame that said so.

    `balance` is null where the newest frame does not list the asset; with `unknown` the account
    holds more of it than is told. `source` is the raw record: its place, `epoch` and `receipt` (its
    headers), `venue_time` and `received_time`. `confirmed` is a later frame that told the same.
    """

    venue: str
    account: str
    balance: AssetBalance | None
    unknown: bool
    snapshot: SnapshotPlace
    source: Source
    epoch: int
    sequence: int
    receipt: int
    venue_time: Time | None
    received_time: Time
    confirmed: Confirmed | None
    freshness: AccountFreshness


class ExplainedNow(msgspec.Struct, frozen=True):
    """A user's number of an asset, in which version of the row, and what was added up to it.

    `document` is the `ce_id` of the record of `balances.latest.v1` that told the version. `copy` is
    there where it is not the word of who holds the user's row.
    """

    user: str
    asset: str
    version: int
    document: str
    total: Amount
    available: Amount
    held: Amount
    parts: list[ExplainedPart]
    freshness: Freshness
    copy: CopyNow | msgspec.UnsetType = msgspec.UNSET


NOTHING = Balance("0", "0", "0")


def explained(state: UserState, asset: str, freshness: Freshness) -> ExplainedNow | None:
    """What a row says of an asset; None of one that the user never held.

    The user has an account that is not deleted; `freshness` is the user's.
    """
    balances = user_balances(state)
    if balances is None or (asset not in state.assets and asset not in balances.unknown):
        return None
    held = balances.totals.get(asset, NOTHING)
    fresh = {(one.venue, one.account): one for one in freshness.accounts}
    return ExplainedNow(
        user=state.user,
        asset=asset,
        version=state.version,
        document=f"{BALANCES_LATEST}/{state.user}/{state.version}",
        total=held.total,
        available=held.available,
        held=held.held,
        parts=[_part(state, one, asset, fresh[one.venue, one.account]) for one in state.live],
        freshness=freshness,
    )


def _part(
    state: UserState, snapshot: BalanceSnapshot, asset: str, freshness: AccountFreshness
) -> ExplainedPart:
    source = snapshot.source
    return ExplainedPart(
        venue=snapshot.venue,
        account=snapshot.account,
        balance=snapshot.assets.get(asset),
        unknown=asset in snapshot.unknown,
        snapshot=SnapshotPlace(BALANCES, f"{source.topic}/{source.partition}/{source.offset}"),
        source=source,
        epoch=snapshot.epoch,
        sequence=snapshot.sequence,
        receipt=snapshot.receipt,
        venue_time=snapshot.venue_time,
        received_time=snapshot.received_time,
        confirmed=state.confirmed.get(user_for(snapshot.venue, snapshot.account)),
        freshness=freshness,
    )
