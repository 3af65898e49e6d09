"""A user's share of the sums over all users, on its way from the users' table to the assets'.

A contribution is absolute (what this user holds of this asset now), never a difference: sent
twice it counts once. It carries the user's version, so that an older one never replaces a newer.
These documents are private to Headroom.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

import msgspec

from processors.compiled import PlainShare, read_bundle
from schemas.amounts import AMOUNT, are_short
from schemas.codec import NotADocument, decode_by
from schemas.documents import Balance


class AssetContribution(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="asset"):
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


class BaseContribution(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="base"):
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


Contribution = AssetContribution | BaseContribution

Share = tuple[bytes, bytes]
"""The key of a sum, and one contribution to it as bytes."""

BUNDLE_BYTES: Final = 256 * 1024

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final[msgspec.json.Decoder[Contribution]] = msgspec.json.Decoder(Contribution)
_BUNDLE_DECODER: Final[msgspec.json.Decoder[list[Contribution]]] = msgspec.json.Decoder(
    list[Contribution]
)
_KEYS_REMEMBERED: Final = 4_096
_LETTERS_REMEMBERED: Final = 64
# A sum of one user's accounts: as exact as sums are (`schemas.amounts`).
_LETTERS_MAX: Final = 130


def encode(contribution: Contribution) -> bytes:
    """The bytes in the table."""
    return _ENCODER.encode(contribution)


def decode(data: bytes) -> Contribution:
    """The contribution of these bytes; raises `NotADocument` where they are none."""
    return decode_by(data, _DECODER)


def keyed(contributions: Iterable[Contribution]) -> list[Share]:
    """Each contribution's bytes behind the key of its sum."""
    return [(key_of(one), _ENCODER.encode(one)) for one in contributions]


def bundles(shares: Iterable[Share]) -> list[tuple[bytes, bytes]]:
    """Contributions as records of the private topic, key and value, each of one sum.

    The order within a sum is kept. A record holds more than `BUNDLE_BYTES` only where one
    contribution alone does.
    """
    by_key: dict[bytes, list[bytes]] = {}
    for key, contribution in shares:
        by_key.setdefault(key, []).append(contribution)
    return [(key, bundle) for key, parts in by_key.items() for bundle in _joined(parts)]


def unbundle(bundle: bytes) -> list[Contribution]:
    """The contributions of one record; raises `NotADocument` where it holds something else."""
    found = decode_by(bundle, _BUNDLE_DECODER)
    if not are_well_formed(found):
        raise NotADocument("an amount without its form")
    return found


def shares_of(bundles: Iterable[bytes]) -> list[Contribution | PlainShare] | None:
    """The contributions of many records, looked at at once; None where one is something else."""
    found: list[Contribution | PlainShare] = []
    decoded: list[Contribution] = []
    for bundle in bundles:
        plain = read_bundle(bundle)
        if plain is not None:
            found += plain
            continue
        try:
            some = decode_by(bundle, _BUNDLE_DECODER)
        except NotADocument:
            return None
        found += some
        decoded += some
    return found if are_well_formed(decoded) else None


def are_well_formed(contributions: Iterable[Contribution]) -> bool:
    """Whether all amounts have their form: nothing else can be added up."""
    amounts = set[str | None]()
    for one in contributions:
        if isinstance(one, AssetContribution):
            for balance in one.venues.values():
                amounts.update((balance.total, balance.available, balance.held))
        else:
            amounts.update(one.current, one.max)
    return AMOUNT.fits(amounts) and are_short(amounts, _LETTERS_MAX)


def _joined(parts: list[bytes]) -> Iterator[bytes]:
    start = size = 0
    for end, part in enumerate(parts):
        if end > start and size + len(part) > BUNDLE_BYTES:
            yield b"[%b]" % b",".join(parts[start:end])
            start, size = end, 0
        size += len(part) + 1
    yield b"[%b]" % b",".join(parts[start:])


def sum_key(kind: str, name: str) -> bytes:
    """The key of a sum: an asset and a base currency of the same name (EUR) stay apart."""
    # A venue may name an asset by half a million letters; those are not remembered.
    return _short_key(kind, name) if len(name) <= _LETTERS_REMEMBERED else _key(kind, name)


def _key(kind: str, name: str) -> bytes:
    return _ENCODER.encode((kind, name))


_short_key = lru_cache(_KEYS_REMEMBERED)(_key)


def key_of(contribution: Contribution) -> bytes:
    """The key of the sum that a contribution belongs to; it decides the partition."""
    kind = "asset" if isinstance(contribution, AssetContribution) else "base"
    return sum_key(kind, contribution.name)


def row_key(key: bytes, user: str) -> bytes:
    """The key of one user's row below a sum: the sum's, with the user as a third part."""
    return b"%b,%b]" % (key[:-1], _ENCODER.encode(user))
