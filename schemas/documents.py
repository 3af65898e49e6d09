"""Every document that Headroom publishes, as frozen structs; the JSON Schemas come from here.

Amounts are text (see `schemas.amounts`), times RFC 3339 (see `schemas.times`). Readers ignore
fields that they do not know, so a field may be added; none may be removed or change its meaning.
"""

from typing import Annotated, Final, Literal

import msgspec

from schemas.amounts import AMOUNT, Amount, are_short
from schemas.forms import Form, Texts

Version = Annotated[int, msgspec.Meta(ge=1, description="Grows, and never goes back.")]
TIME: Final = Form(
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z$",
    "RFC 3339 in UTC, nine decimals.",
)
Time = Annotated[str, TIME.meta]
_QUOTIENT: Final = Form(r"^-?[0-9]+\.[0-9]{6}$", "Rounded half-even to six places.")
Quotient = Annotated[str, _QUOTIENT.meta]
Unknown = Annotated[
    tuple[str, ...],
    msgspec.Meta(description="Assets of which more is held than is told; left out without any."),
]


Partition = Annotated[int, msgspec.Meta(extra_json_schema={"format": "int32"})]
"""The only integers that always fit 32 bits, as Kafka has them: the export tells all others' 64."""


class Source(msgspec.Struct, frozen=True, gc=False):
    """The raw record that a document came from."""

    topic: str
    partition: Partition
    offset: int


class Exposure(msgspec.Struct, frozen=True, gc=False):
    """What a venue says of one asset of an account: exposure and its limit; null is unknown."""

    current: Amount | None
    max: Amount | None


class AccountExposure(msgspec.Struct, frozen=True, gc=False):
    """What a venue says of an account as a whole, in its base currency; null is unknown."""

    base_currency: str | None
    current: Amount | None
    max: Amount | None


class AssetBalance(msgspec.Struct, frozen=True, gc=False):
    """One asset of an account: in total, what is free, what is held, and in which wallets."""

    total: Amount
    available: Amount
    held: Amount
    wallets: dict[str, Amount]
    exposure: Exposure | None


class BalanceSnapshot(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One account as one frame tells it: the value of `balances.v1`.

    It is the whole account: an asset that is missing is no longer held. Of the assets in `unknown`
    the account holds something that nobody can tell, or more than `assets` tells.
    """

    user: str
    venue: str
    account: str
    epoch: int
    sequence: int
    receipt: int
    venue_time: Time | None
    received_time: Time
    deleted: bool
    assets: dict[str, AssetBalance]
    exposure: AccountExposure | None
    source: Source
    unknown: Unknown = ()

    def is_well_formed(self) -> bool:
        """Whether every amount and time has its form: `forms.is_well_formed`, written out."""
        amounts: Texts = set()
        for balance in self.assets.values():
            amounts.update((balance.total, balance.available, balance.held))
            amounts.update(balance.wallets.values())
            if balance.exposure is not None:
                amounts.update((balance.exposure.current, balance.exposure.max))
        if self.exposure is not None:
            amounts.update((self.exposure.current, self.exposure.max))
        times: Texts = {self.venue_time, self.received_time}
        return AMOUNT.fits(amounts) and TIME.fits(times) and are_short(amounts)


class Balance(msgspec.Struct, frozen=True, gc=False):
    """An exact sum of balances in one asset."""

    total: Amount
    available: Amount
    held: Amount


class UserBalances(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """All that a user holds, account by account: the value of `balances.latest.v1`.

    `totals` are over what is known; `unknown` are the assets of which any account holds more.
    """

    user: str
    accounts: list[BalanceSnapshot]
    totals: dict[str, Balance]
    version: Version
    unknown: Unknown = ()


class UserAsset(msgspec.Struct, frozen=True, gc=False):
    """What a user holds of one asset, over all venues; `by_venue` holds the totals."""

    total: Amount
    available: Amount
    held: Amount
    by_venue: dict[str, Amount]


class Limit(msgspec.Struct, frozen=True, gc=False):
    """One limit of one account; `asset` is null for the limit of the account's total."""

    venue: str
    account: str
    asset: str | None
    base_currency: str | None
    current: Amount | None
    max: Amount | None
    headroom: Amount | None
    utilisation: Quotient | None


class UserExposure(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A user's exposure by asset and against every limit: the value of `exposure.user.v1`.

    `unknown` are the assets of which the user holds more than is known.
    """

    user: str
    assets: dict[str, UserAsset]
    limits: list[Limit]
    version: Version
    unknown: Unknown = ()


class VenueHolding(msgspec.Struct, frozen=True, gc=False):
    """What all users hold of an asset at one venue; `users` counts totals that are not zero."""

    total: Amount
    available: Amount
    held: Amount
    users: int


class AssetExposure(msgspec.Struct, frozen=True, gc=False):
    """What all users hold of one asset: the value of `exposure.asset.v1`."""

    asset: str
    total: Amount
    available: Amount
    held: Amount
    users: int
    by_venue: dict[str, VenueHolding]
    version: Version


class BaseExposure(msgspec.Struct, frozen=True, gc=False):
    """All accounts' own totals in one base currency: the value of `exposure.base.v1`.

    A sum with an unknown part is unknown, so `current` or `max` is null as soon as one account's
    is.
    """

    base_currency: str
    current: Amount | None
    max: Amount | None
    headroom: Amount | None
    utilisation: Quotient | None
    accounts: int
    version: Version


Condition = Literal[
    "utilisation_above", "headroom_below", "balance_below", "held_above", "not_live_for"
]


class LimitAlert(msgspec.Struct, frozen=True, gc=False):
    """A limit was approached, crossed or left behind: the value of `alerts.v1`.

    `rule` is the one that says so. `value` is what it looked at, `threshold` what of its level was
    crossed; null where there is none any more. `source` is the raw record that it was told by.
    """

    user: str
    venue: str
    account: str
    asset: str | None
    base_currency: str | None
    level: Literal["warning", "breach", "cleared"]
    current: Amount | None
    max: Amount | None
    utilisation: Quotient | None
    time: Time
    rule: str = ""
    condition: Condition | None = None
    value: Amount | None = None
    threshold: Amount | None = None
    source: Source | None = None
