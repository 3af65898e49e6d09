"""Bytes in, a snapshot or a rejection out: one pure function for each venue."""

from collections.abc import Callable

from processors import compiled
from processors.normalise import hercle, sfox
from processors.normalise.frame import RawFrame, RawRecord, raw_frame
from schemas.codec import Told, encode
from schemas.documents import BalanceSnapshot
from schemas.rejections import Rejected
from schemas.venues import HERCLE, SFOX

Normaliser = Callable[[RawFrame], BalanceSnapshot | Rejected]

NORMALISERS: dict[str, Normaliser] = {
    SFOX.name: sfox.normalise,
    HERCLE.name: hercle.normalise,
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
    told = compiled.plain(topic, partition, record) if venue == SFOX.name else None
    if told is not None:
        return told
    outcome = NORMALISERS[venue](raw_frame(topic, partition, record))
    if isinstance(outcome, Rejected):
        return outcome
    document = encode(outcome)
    remember(document, outcome)
    return Told(outcome.user, document, outcome.received_time)


__all__ = ["NORMALISERS", "Normaliser", "RawFrame", "RawRecord", "raw_frame", "tell"]
