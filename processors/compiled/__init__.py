"""The two hottest pure functions once more, compiled: the same words, several times as fast.

Both say what the Python beside them says, byte for byte, or None; then that Python has to say it.
So nothing depends on this room. Where no C compiler was at hand it is empty, and Headroom slower.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from schemas.venues import SFOX

if TYPE_CHECKING:
    from processors.ledger.users import UserState
    from processors.normalise.frame import RawFrame
    from schemas.codec import Told

Plain = Callable[["RawFrame"], "Told | None"]
OfOneAccount = Callable[["UserState", bytes, bytes], tuple[bytes, bytes, bytes] | None]

PLAIN: Final[Mapping[str, Plain]]
"""By venue, the way through a frame that is plain."""
of_one_account: Final[OfOneAccount | None]
"""Row, balances and exposure of a user with one account."""

try:
    from processors.compiled import documents, sfox
except ImportError:
    PLAIN, of_one_account = {}, None
else:
    PLAIN, of_one_account = {SFOX.name: sfox.plain}, documents.of_one_account

IS_COMPILED: Final = of_one_account is not None
