"""What stands in where nothing was compiled: it says nothing, so the Python beside it does."""

from schemas.headers import cloud_event


class Account:
    """There is none."""


class Folded:
    """There is none."""


class Row:
    """There is none."""


def _nothing(*_: object) -> None:
    return None


plain = read = read_row = receipt = fold = _nothing

__all__ = [
    "Account",
    "Folded",
    "Row",
    "cloud_event",
    "fold",
    "plain",
    "read",
    "read_row",
    "receipt",
]
