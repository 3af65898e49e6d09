"""Bytes in, a snapshot or a rejection out: one pure function for each venue.

A venue's module is the one with its name in here. It has `normalise`, and may have `shortcut`: what
`normalise` and the codec would say of a raw record, at once, or None where they have to say it.
`OF_SEVERAL` is true there where one frame may tell of several accounts.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final

import msgspec

from processors.normalise.frame import RawFrame, RawRecord, raw_frame
from schemas.codec import Told, encode
from schemas.documents import BalanceSnapshot
from schemas.rejections import Rejected
from schemas.venues import VENUES

Outcome = BalanceSnapshot | Rejected
Normaliser = Callable[[RawFrame], Outcome | tuple[Outcome, ...]]

Shortcut = Callable[[str, int, RawRecord], Told | None]


class Part(msgspec.Struct, frozen=True, gc=False):
    """What becomes of the n-th account (from 0) of a raw record that tells of `of` accounts."""

    number: int
    of: int
    outcome: Told | Rejected


_USER: Final = b'{"user":'
_MODULES: Final = {venue: import_module(f"{__name__}.{venue}") for venue in VENUES}
OF_SEVERAL: Final = frozenset(
    venue for venue, module in _MODULES.items() if getattr(module, "OF_SEVERAL", False)
)
"""Venues of which a frame may tell of several accounts; its record has the first one's key."""
NORMALISERS: Final[dict[str, Normaliser]] = {
    venue: module.normalise for venue, module in _MODULES.items()
}
_SHORTCUTS: Final[dict[str, Shortcut]] = {
    venue: module.shortcut for venue, module in _MODULES.items() if hasattr(module, "shortcut")
}


def tell(
    venue: str,
    topic: str,
    partition: int,
    record: RawRecord,
    remember: Callable[[bytes, BalanceSnapshot], None],
    owners: Mapping[str, str] = {},
) -> Told | Rejected | list[Part]:
    """What the snapshot of a raw record is told in, or why there is none.

    Of a record that tells of several accounts it is one of both for each. `remember` gets document
    and snapshot where the latter had to be made. `owners` names the users of accounts that are not
    their own (`schemas.identity.user_for`).
    """
    shortcut = _SHORTCUTS.get(venue)
    told = None if shortcut is None else shortcut(topic, partition, record)
    if told is not None:
        owner = owners.get(told.user) if owners else None
        return told if owner is None else _owned(told, owner)
    outcome = NORMALISERS[venue](raw_frame(topic, partition, record))
    if isinstance(outcome, tuple):
        told_of = [_told(one, remember, owners) for one in outcome]
        return [Part(number, len(told_of), one) for number, one in enumerate(told_of)]
    return _told(outcome, remember, owners)


def of_accounts(
    told: Told | Rejected | list[Part], accounts: frozenset[bytes]
) -> Told | Rejected | list[Part]:
    """What of a raw record's outcomes is of some accounts."""
    if isinstance(told, list):
        return [part for part in told if _account(part.outcome) in accounts]
    return told if _account(told) in accounts else []


def _account(outcome: Told | Rejected) -> bytes | None:
    """Whose account it is, as bytes; a document names it, an owner's name does not tell it."""
    if isinstance(outcome, Told):
        return msgspec.json.decode(outcome.document, type=_OfAccount).account.encode()
    return None if outcome.account is None else outcome.account.encode()


class _OfAccount(msgspec.Struct):
    account: str


def _told(
    outcome: Outcome,
    remember: Callable[[bytes, BalanceSnapshot], None],
    owners: Mapping[str, str],
) -> Told | Rejected:
    if isinstance(outcome, Rejected):
        return outcome
    if owners and outcome.user in owners:
        outcome = msgspec.structs.replace(outcome, user=owners[outcome.user])
    document = encode(outcome)
    remember(document, outcome)
    return Told(outcome.user, document, outcome.received_time)


def _owned(told: Told, owner: str) -> Told:
    """The same as another user's; the user is what a document begins with."""
    begins = len(_USER) + len(msgspec.json.encode(told.user))
    document = _USER + msgspec.json.encode(owner) + told.document[begins:]
    return Told(owner, document, told.received_time)


__all__ = [
    "NORMALISERS",
    "Normaliser",
    "Part",
    "RawFrame",
    "RawRecord",
    "of_accounts",
    "raw_frame",
    "tell",
]
