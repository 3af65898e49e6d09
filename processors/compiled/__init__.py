"""The hottest pure functions once more, compiled: the same words, several times as fast.

They say what the Python beside them says, byte for byte, or None; then that Python has to say it.
So nothing depends on this room: where no C compiler was at hand nothing is ever said here. What
cannot fail (`cloud_event`) is then the Python itself.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from processors.compiled.account import Account, read
    from processors.compiled.guards import Guard
    from processors.compiled.headers import cloud_event, receipt
    from processors.compiled.hercle import plain as plain_hercle
    from processors.compiled.ledger import Folded, fold
    from processors.compiled.rows import Row, read_row
    from processors.compiled.sfox import plain as plain_sfox
    from processors.compiled.shares import Moved, PlainShare, read_bundle
    from processors.compiled.telling import documents
else:
    try:
        from processors.compiled.account import Account, read
        from processors.compiled.guards import Guard
        from processors.compiled.headers import cloud_event, receipt
        from processors.compiled.hercle import plain as plain_hercle
        from processors.compiled.ledger import Folded, fold
        from processors.compiled.rows import Row, read_row
        from processors.compiled.sfox import plain as plain_sfox
        from processors.compiled.shares import Moved, PlainShare, read_bundle
        from processors.compiled.telling import documents
    except ImportError:
        from processors.compiled.nothing import (
            Account,
            Folded,
            Guard,
            Moved,
            PlainShare,
            Row,
            documents,
            fold,
            plain_hercle,
            plain_sfox,
            read,
            read_bundle,
            read_row,
            receipt,
        )
        from schemas.headers import cloud_event

IS_COMPILED: Final = fold.__module__ == "processors.compiled.ledger"

__all__ = [
    "IS_COMPILED",
    "Account",
    "Folded",
    "Guard",
    "Moved",
    "PlainShare",
    "Row",
    "cloud_event",
    "documents",
    "fold",
    "plain_hercle",
    "plain_sfox",
    "read",
    "read_bundle",
    "read_row",
    "receipt",
]
