"""A user's share of the sums over all users, on its way from the users' table to the assets'.

A contribution is absolute (what this user holds of this asset now), never a difference: sent
twice it counts once. It carries the user's version, so that an older one never replaces a newer.
These documents are private to Headroom.
"""

from typing import Final

import msgspec

from schemas.documents import Balance


class AssetContribution(msgspec.Struct, frozen=True, tag_field="kind", tag="asset"):
    """What one user holds of one asset, by venue; no venue when nothing is held any more."""

    asset: str
    user: str
    version: int
    time: str
    venues: dict[str, Balance]

    @property
    def name(self) -> str:
        """The asset."""
        return self.asset

    def says_the_same_as(self, other: "Contribution") -> bool:
        """Whether the sums are the same with either."""
        return isinstance(other, AssetContribution) and self.venues == other.venues


class BaseContribution(msgspec.Struct, frozen=True, tag_field="kind", tag="base"):
    """The totals of one user's accounts in one base currency, an entry for each account."""

    base_currency: str
    user: str
    version: int
    time: str
    current: list[str | None]
    max: list[str | None]

    @property
    def name(self) -> str:
        """The base currency."""
        return self.base_currency

    def says_the_same_as(self, other: "Contribution") -> bool:
        """Whether the sums are the same with either."""
        return (
            isinstance(other, BaseContribution)
            and self.current == other.current
            and self.max == other.max
        )


Contribution = AssetContribution | BaseContribution

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Contribution)


def encode(contribution: Contribution) -> bytes:
    """The bytes on the private topic and in the table."""
    return _ENCODER.encode(contribution)


def decode(data: bytes) -> Contribution:
    """The contribution of these bytes."""
    contribution: Contribution = _DECODER.decode(data)
    return contribution


def sum_key(kind: str, name: str) -> bytes:
    """The key of a sum: an asset and a base currency of the same name (EUR) stay apart."""
    return msgspec.json.encode((kind, name))


def key_of(contribution: Contribution) -> bytes:
    """The key of the sum that a contribution belongs to; it decides the partition."""
    kind = "asset" if isinstance(contribution, AssetContribution) else "base"
    return sum_key(kind, contribution.name)


def row_key(key: bytes, user: str) -> bytes:
    """The key of one user's row below a sum."""
    kind, name = msgspec.json.decode(key, type=tuple[str, str])
    return msgspec.json.encode((kind, name, user))
