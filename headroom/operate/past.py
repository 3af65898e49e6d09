"""What a user held at a past moment: folded from `balances.v1`, as far back as that is kept.

An account that was quiet for longer is in `balances.latest.v1` still: if its newest snapshot is
older than the moment, it held the same then.
"""

import asyncio
from typing import Any, Final

import msgspec

from headroom.base.clients import Clients
from headroom.base.errors import OperatorError
from headroom.base.partitioner import partition_of
from headroom.base.reading import foreign
from headroom.base.settings import Settings
from headroom.operate.topics import require
from processors.ledger.users import UserState
from processors.ledger.views import View
from schemas.codec import NotADocument, decode, decode_snapshot
from schemas.documents import BalanceSnapshot, UserBalances, UserExposure
from schemas.times import record_time_ns, rfc3339
from schemas.topics import BALANCES, BALANCES_LATEST

_NS_PER_MS: Final = 1_000_000


class NotKnown(OperatorError):
    """A moment or a user that the topic tells nothing of."""


class Past(msgspec.Struct, frozen=True):
    """What a user held, and how close the limits were, at a moment.

    The version that the user had then is not known.
    """

    at: str
    balances: UserBalances
    exposure: UserExposure

    def told(self) -> dict[str, Any]:
        """The same as JSON, without the versions."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        for document in (told["balances"], told["exposure"]):
            del document["version"]
        return told


async def look_back(settings: Settings, user: str, at_ms: int) -> Past:
    """A user as of a moment, by the time at which frames were received; raises `NotKnown`."""
    await require(settings.kafka, partitions=settings.partitions)
    return await asyncio.to_thread(_look_back, settings, user, at_ms)


def _look_back(settings: Settings, user: str, at_ms: int) -> Past:
    clients, partitions = Clients(settings.kafka), settings.partitions
    at = rfc3339(at_ms * _NS_PER_MS)
    held = clients.times_ms([BALANCES], partitions)
    if held is None or at_ms < held[0]:
        first = "" if held is None else rfc3339(record_time_ns(held[0]))
        since = f"nothing before {first}" if first else "nothing yet"
        raise NotKnown(f"{BALANCES} tells {since}")
    accounts: dict[tuple[str, str], BalanceSnapshot] = {}
    for snapshot in _snapshots(clients, user, partitions):
        if snapshot.received_time <= at:
            account = snapshot.venue, snapshot.account
            newest = accounts.get(account)
            if newest is None or _order(snapshot) >= _order(newest):
                accounts[account] = snapshot
    live = {f"{v}:{a}": one for (v, a), one in sorted(accounts.items()) if not one.deleted}
    if not live:
        raise NotKnown(f"nothing is known of {user} at {at}")
    view = View(UserState(user, 0, live, [], []), settings.in_assets)
    balances, exposure = view.balances(), view.exposure()
    assert balances is not None and exposure is not None  # noqa: S101, PT018 - an account is left
    return Past(at, balances, exposure)


def _snapshots(clients: Clients, user: str, partitions: int) -> list[BalanceSnapshot]:
    """All that is told of a user: the newest first known, then what came in the order it came."""
    key = user.encode()
    found: list[BalanceSnapshot] = []
    for topic in (BALANCES_LATEST, BALANCES):
        place = topic, partition_of(key, partitions)
        begins, ends = clients.begins([topic], partitions), clients.ends([topic], partitions)
        for message in clients.read({place: (begins[place], ends[place])}):
            value = message.value()
            if message.key() != key or value is None:
                continue
            try:
                if topic == BALANCES:
                    found.append(decode_snapshot(value))
                else:
                    found += decode(value, UserBalances).accounts
            except NotADocument as error:
                foreign(topic, message.partition(), message.offset(), str(error))
    return found


def _order(snapshot: BalanceSnapshot) -> tuple[int, int, int]:
    return snapshot.epoch, snapshot.sequence, snapshot.receipt
