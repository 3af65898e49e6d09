"""An asset's total, explained: the shares of all users, as the table has them beside the sum.

A sum and its shares are rows of one partition, written in one transaction: what is read to one
offset is of one moment, however fast frames come.
"""

from typing import Final

import msgspec

from headroom.base.clients import Clients
from headroom.base.errors import OperatorError
from headroom.base.partitioner import partition_of
from headroom.look.explain.hops import Hop, last_of
from headroom.operate.generations import Book
from headroom.operate.generations.kind import changelog
from processors.ledger.assets import published
from processors.ledger.contributions import AssetContribution, decode, sum_key
from processors.ledger.sums import AssetSum
from processors.names import ASSETS_TABLE
from schemas.codec import decode as document_of
from schemas.documents import AssetExposure
from schemas.topics import EXPOSURE_ASSET

_TRIES: Final = 3


class NeverHeld(OperatorError):
    """An asset that nobody ever held."""


class Share(msgspec.Struct, frozen=True):
    """What one user adds at one venue: `version` of the user's row said so.

    `time` is when the frame was received that led to it, `row` where the table has it.
    """

    user: str
    venue: str
    total: str
    available: str
    held: str
    version: int
    time: str
    row: Hop


class AssetExplanation(msgspec.Struct, frozen=True):
    """The sum as it was published, its row, and the shares, the first by user's name.

    `adds_up`: the shares are all there is, and add up to the sum, digit by digit. `published` is
    the newest record of `exposure.asset.v1`, of `published_version`; a later one than the sum's was
    written while this was read.
    """

    sum: AssetExposure
    row: Hop
    shares: list[Share]
    adds_up: bool
    published: Hop | None
    published_version: int | None


def look(clients: Clients, book: Book, asset: str, *, partitions: int) -> AssetExplanation:
    """Read the sum and its shares; raises `NeverHeld`, `Stalled`.

    Without transactions (`at_least_once`) a sum may lie there a moment behind its shares: that is
    looked at again.
    """
    found = _look(clients, book, asset, partitions)
    for _ in range(_TRIES - 1):
        if found.adds_up:
            break
        found = _look(clients, book, asset, partitions)
    return found


def _look(clients: Clients, book: Book, asset: str, partitions: int) -> AssetExplanation:
    key, topic = sum_key("asset", asset), changelog(book.live.name, ASSETS_TABLE)
    below = key[:-1] + b","
    number = partition_of(key, partitions)
    rows = last_of(
        clients, topic, number, partitions, lambda one: one == key or one.startswith(below)
    )
    if key not in rows:
        raise NeverHeld(f"nobody ever held this asset: {asset[:100]!r}")
    row, head = rows.pop(key)
    document = document_of(published(head), AssetExposure)
    total, shares = AssetSum(asset), []
    for hop, value in rows.values():
        share = decode(value)
        if isinstance(share, AssetContribution):
            total.exchange(None, share)
            shares += _shares(share, hop)
    name = asset.encode()
    told = last_of(
        clients, EXPOSURE_ASSET, partition_of(name, partitions), partitions, name.__eq__
    ).get(name)
    return AssetExplanation(
        sum=document,
        row=row,
        shares=sorted(shares, key=lambda one: (one.user, one.venue)),
        adds_up=total.document(document.version) == document,
        published=None if told is None else told[0],
        published_version=None if told is None else document_of(told[1], AssetExposure).version,
    )


def _shares(share: AssetContribution, row: Hop) -> list[Share]:
    return [
        Share(
            share.user, venue, held.total, held.available, held.held, share.version, share.time, row
        )
        for venue, held in share.venues.items()
    ]
