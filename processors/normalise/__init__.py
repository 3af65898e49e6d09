"""Bytes in, a snapshot or a rejection out: one pure function for each venue."""

from collections.abc import Callable

from processors.normalise import hercle, sfox
from processors.normalise.frame import RawFrame
from schemas.documents import BalanceSnapshot
from schemas.rejections import Rejected
from schemas.venues import HERCLE, SFOX

Normaliser = Callable[[RawFrame], BalanceSnapshot | Rejected]

NORMALISERS: dict[str, Normaliser] = {
    SFOX.name: sfox.normalise,
    HERCLE.name: hercle.normalise,
}

__all__ = ["NORMALISERS", "Normaliser", "RawFrame"]
