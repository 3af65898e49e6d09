"""Rows of the private tables that cannot be read: what they were is not to be guessed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from schemas.codec import NotADocument


class RowNotRead(NotADocument):
    """The row of a key is none that we wrote."""

    def __init__(self, key: bytes, why: str) -> None:
        super().__init__(why)
        self.key = key


@contextmanager
def reading(key: bytes) -> Iterator[None]:
    """Say whose row it is that could not be read."""
    try:
        yield
    except NotADocument as error:
        raise RowNotRead(key, str(error)) from error


def why_not(check: Callable[[bytes, bytes], None], key: bytes, row: bytes) -> str | None:
    """Why a row is none of a table's, by its check, which raises `RowNotRead`; None: it is one."""
    try:
        check(key, row)
    except RowNotRead as error:
        return str(error)
    return None
