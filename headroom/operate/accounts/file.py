"""The accounts file: who has which accounts. YAML, of which JSON is a part.

accounts:
- {venue: sfox, account: "4711", user: ann}
- {venue: hercle, account: user-9, user: ann}
"""

import re
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from headroom.base.errors import SettingsError
from schemas.identity import ACCOUNT_BYTES_MAX, is_account, user_for
from schemas.venues import VENUES

_SETTING: Final = "HEADROOM_ACCOUNTS_FILE"
_LIKE_AN_ACCOUNT: Final = re.compile(r"[a-z][a-z0-9_-]*:.*", re.DOTALL)


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    venue: str
    account: str
    user: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    accounts: list[_Entry]


def read_accounts(path: Path | None) -> dict[str, str]:
    """The users of accounts, by the accounts' own names; nothing without a file.

    Raises `SettingsError` for a file that is not wholly right.
    """
    if path is None:
        return {}
    found: dict[str, str] = {}
    for number, entry in enumerate(_read(path).accounts, 1):
        problem = _problem(entry)
        own = user_for(entry.venue, entry.account)
        if problem is None and own in found:
            problem = f"{own} stands there twice"
        if problem is not None:
            raise SettingsError(_SETTING, f"entry {number}: {problem}")
        found[own] = entry.user
    return found


def user_problem(user: str) -> str | None:
    """Why a text cannot be the name of a user who has several accounts; None: it can."""
    if not user or len(user.encode("utf-8", "surrogatepass")) > ACCOUNT_BYTES_MAX:
        return f"a user's name has 1 to {ACCOUNT_BYTES_MAX} bytes"
    if _LIKE_AN_ACCOUNT.fullmatch(user):
        return f"a user's name must not look like venue:account, as {user!r} does"
    return None


def _problem(entry: _Entry) -> str | None:
    if entry.venue not in VENUES:
        return f"{entry.venue!r} is no venue: {', '.join(VENUES)}"
    if not is_account(entry.account):
        return f"an account's id has 1 to {ACCOUNT_BYTES_MAX} bytes"
    return user_problem(entry.user)


def _read(path: Path) -> _File:
    try:
        said: Any = yaml.safe_load(path.read_bytes())
        # Strict: an id that is written as a number is not guessed to be a text.
        return msgspec.convert(said, _File)
    except OSError as error:
        raise SettingsError(_SETTING, f"cannot be read: {error.strerror}: {path}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(_SETTING, f"is not YAML: {' '.join(str(error).split())}") from None
    except msgspec.ValidationError as error:
        raise SettingsError(_SETTING, f"{error} (a number is a text between quotes)") from None
