"""Figures for a person: shares in percent, amounts that stand under each other at their points."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Final

_TENTH: Final = Decimal("0.1")
_DIGITS: Final = frozenset("0123456789")


def percent(share: Decimal | str) -> str:
    """A share such as `0.953333` as `95.3 %`.

    What is left out is never rounded up: 100.0 % stands for a limit that is reached, and for
    nothing below it.
    """
    return f"{(Decimal(share) * 100).quantize(_TENTH, ROUND_FLOOR)} %"


def aligned(column: Sequence[str]) -> list[str]:
    """The cells of a column, all of one width, so that the points of amounts are one line.

    A cell that is no amount, such as `unknown`, ends where the column does.
    """
    whole = max((len(_whole(cell)) for cell in column if _is_amount(cell)), default=0)
    rest = max((len(cell) - len(_whole(cell)) for cell in column if _is_amount(cell)), default=0)
    width = max(whole + rest, *map(len, column), 0)
    return [
        f"{_whole(cell):>{width - rest}}{cell[len(_whole(cell)) :]:<{rest}}"
        if _is_amount(cell)
        else f"{cell:>{width}}"
        for cell in column
    ]


def _is_amount(cell: str) -> bool:
    return cell[-1:] in _DIGITS


def _whole(amount: str) -> str:
    return amount.partition(".")[0]
