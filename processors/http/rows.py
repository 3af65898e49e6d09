"""Rows as the questions read them: one that nobody of us wrote is no answer, and no failure.

A restore lets none in (`ForeignRow`); but what a table held before that was looked at stays in its
folder.
"""

from collections.abc import Iterator

import msgspec

from processors.freshness import Freshness
from processors.http.problems import not_yet
from processors.ledger.users import UserState
from schemas.codec import NotADocument, decode


def state_of(row: bytes) -> UserState:
    """A user's row; raises 503 where it is none of ours."""
    try:
        return decode(row, UserState)
    except NotADocument:
        raise not_yet("this row of the table is none of ours: see the log") from None


def beside(document: bytes, freshness: Freshness) -> bytes:
    """A document with its freshness as one field more; both are JSON."""
    return b'%b,"freshness":%b}' % (document[:-1], msgspec.json.encode(freshness))


def readable(rows: Iterator[tuple[bytes, bytes]]) -> Iterator[UserState]:
    """The rows of these that are ours."""
    for _, row in rows:
        try:
            yield decode(row, UserState)
        except NotADocument:
            continue
