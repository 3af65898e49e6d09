"""Bytes in, a snapshot or a rejection out: one pure function for each venue.

A venue's module is the one with its name in here. It has `normalise`, and may have `shortcut`: what
`normalise` and the codec would say of a raw record, at once, or None where they have to say it.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Final

from processors.normalise.frame import RawFrame, RawRecord, raw_frame
from schemas.codec import Told, encode
from schemas.documents import BalanceSnapshot
from schemas.rejections import Rejected
from schemas.venues import VENUES

Normaliser = Callable[[RawFrame], BalanceSnapshot | Rejected]

Shortcut = Callable[[str, int, RawRecord], Told | None]

_MODULES: Final = {venue: import_module(f"{__name__}.{venue}") for venue in VENUES}
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
) -> Told | Rejected:
    """What the snapshot of a raw record is told in, or why there is none.

    `remember` gets document and snapshot where the latter had to be made.
    """
    shortcut = _SHORTCUTS.get(venue)
    told = None if shortcut is None else shortcut(topic, partition, record)
    if told is not None:
        return told
    outcome = NORMALISERS[venue](raw_frame(topic, partition, record))
    if isinstance(outcome, Rejected):
        return outcome
    document = encode(outcome)
    remember(document, outcome)
    return Told(outcome.user, document, outcome.received_time)


__all__ = ["NORMALISERS", "Normaliser", "RawFrame", "RawRecord", "raw_frame", "tell"]
