"""Bytes in, a snapshot or a rejection out: one pure function for each venue."""

from collections.abc import Callable

from processors import compiled
from processors.normalise import hercle, sfox
from processors.normalise.frame import RawFrame
from schemas.codec import Told, encode
from schemas.documents import BalanceSnapshot
from schemas.rejections import Rejected
from schemas.venues import HERCLE, SFOX

Normaliser = Callable[[RawFrame], BalanceSnapshot | Rejected]

NORMALISERS: dict[str, Normaliser] = {
    SFOX.name: sfox.normalise,
    HERCLE.name: hercle.normalise,
}


def tell(venue: str, frame: RawFrame) -> Told | Rejected:
    """The snapshot of a frame together with its document, or why there is none."""
    plain = compiled.PLAIN.get(venue)
    told = None if plain is None else plain(frame)
    if told is not None:
        return told
    outcome = NORMALISERS[venue](frame)
    return outcome if isinstance(outcome, Rejected) else (outcome, encode(outcome))


__all__ = ["NORMALISERS", "Normaliser", "RawFrame", "tell"]
