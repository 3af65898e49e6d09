"""`headroom explain`: from a number back to the venue's own bytes; Kafka is asked, not a worker.

What asks for one account's way back, and has its snapshot from elsewhere (an alert), begins at
`hops.find_told` and `hops.find_raw`.
"""

import asyncio
import sys
from collections.abc import Iterable

import msgspec

from headroom.base.clients import Clients
from headroom.base.settings import Settings
from headroom.look.explain import asset as of_asset
from headroom.look.explain import show
from headroom.look.explain import user as of_user
from headroom.operate.generations import Book
from headroom.operate.topics import require
from headroom.operate.topics.known import known_book
from schemas.secrets import redacted


async def explain_user(settings: Settings, user: str, asset: str, *, as_json: bool) -> None:
    """Print what a user's number of an asset is made of; raises `NotKnown`, `Stalled`."""
    book = await _book(settings)
    clients = Clients(settings.kafka)
    found = await asyncio.to_thread(
        of_user.look,
        clients,
        book,
        user,
        asset.upper(),
        partitions=settings.partitions,
        stale_after_seconds=float(settings.stale_after_seconds),
    )
    _print([_json(of_user.exported(found))] if as_json else show.user_lines(found))


async def explain_asset(settings: Settings, asset: str, *, as_json: bool) -> None:
    """Print which users an asset's total is made of; raises `NeverHeld`, `Stalled`."""
    book = await _book(settings)
    clients = Clients(settings.kafka)
    found = await asyncio.to_thread(
        of_asset.look, clients, book, asset.upper(), partitions=settings.partitions
    )
    _print([_json(found)] if as_json else show.asset_lines(found))


async def _book(settings: Settings) -> Book:
    await require(settings.kafka, partitions=settings.partitions)
    return await known_book(settings.kafka, partitions=settings.partitions)


def _json(told: object) -> str:
    return msgspec.json.encode(told).decode()


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(redacted(line) + "\n")
