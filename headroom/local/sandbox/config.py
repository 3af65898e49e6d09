"""What a simulated venue is told: values checked in one place, each mistake one clear line."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

import msgspec

from headroom.local.sandbox.door import Papers
from headroom.local.sandbox.faults import HERCLE, SFOX
from headroom.local.sandbox.orders import Order, check

SFOX_DEFAULT_KEY: Final = "sandbox-sfox-key"
HERCLE_DEFAULT_KEY: Final = "sandbox-hercle-key"
HERCLE_DEFAULT_PATH: Final = "/ExecutionLiveServer/v1"

_PORT_MAX: Final = 65_535
_USERS_MAX: Final = 100_000
_RATE_MAX: Final = Decimal(100_000)
_USER_ID_BYTES_MAX: Final = 1_024
_ODD_IDS: Final = ("treasury desk", "fund/alpha", "küche-🙂")
_ODD_IDS_FROM_USERS: Final = 20


class SfoxConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated sFOX; raises ValueError for what cannot be.

    `port` 0 is any free one. `rate_per_second` counts balance frames over all users, 0 is
    silence. `close_seconds` is how long `stop()` waits for a client to read to the close.
    `faults` are on from the start. With `papers` it speaks TLS.
    """

    port: int = 0
    users: int = 10
    rate_per_second: Decimal = Decimal(10)
    seed: int = 1
    journal: Path | None = None
    api_key: str = SFOX_DEFAULT_KEY
    close_seconds: Decimal = Decimal(10)
    faults: tuple[Order, ...] = ()
    papers: Papers | None = None

    def __post_init__(self) -> None:
        """Check every value."""
        _check_common(self.port, self.users, self.rate_per_second)
        _check_key(self.api_key)
        _check_positive("close_seconds", self.close_seconds)
        for order in self.faults:
            check(order, "sfox", SFOX, account_ids(self.users))

    def __repr__(self) -> str:
        """Everything but the key."""
        return (
            f"SfoxConfig(port={self.port}, users={self.users}, "
            f"rate_per_second={self.rate_per_second}, seed={self.seed}, journal={self.journal})"
        )


class HercleConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated Hercle; raises ValueError for what cannot be.

    `keys` gives the user id of each API key and so the users; where it is empty, there are
    `users` of them with the keys of `hercle_keys(base_key, users)`. `rate_per_second` counts
    changes of state over all users: balances are sent when asked for only. `data` says whether
    events carry their data as a JSON text in a string, as the venue does, or as an object, as one
    of its pages shows. `faults` are on from the start. With `papers` it speaks TLS.
    """

    port: int = 0
    users: int = 3
    rate_per_second: Decimal = Decimal(10)
    seed: int = 1
    journal: Path | None = None
    keys: Mapping[str, str] = {}
    base_key: str = HERCLE_DEFAULT_KEY
    path: str = HERCLE_DEFAULT_PATH
    ping_seconds: Decimal = Decimal(15)
    client_timeout_seconds: Decimal = Decimal(30)
    close_seconds: Decimal = Decimal(10)
    data: Literal["text", "object"] = "text"
    faults: tuple[Order, ...] = ()
    papers: Papers | None = None

    def __post_init__(self) -> None:
        """Check every value."""
        _check_common(self.port, self.users, self.rate_per_second)
        _check_key(self.base_key)
        for key in self.keys:
            _check_key(key)
        _check_user_ids(list(self.keys.values()))
        if not self.path.startswith("/") or self.path.endswith("/") or "{" in self.path:
            message = f"path must begin with a slash and not end with one, got {self.path!r}"
            raise ValueError(message)
        _check_positive("ping_seconds", self.ping_seconds)
        _check_positive("client_timeout_seconds", self.client_timeout_seconds)
        _check_positive("close_seconds", self.close_seconds)
        for order in self.faults:
            check(order, "hercle", HERCLE, list(self.users_by_key.values()))

    def __repr__(self) -> str:
        """Everything but the keys."""
        return (
            f"HercleConfig(port={self.port}, users={len(self.users_by_key)}, "
            f"rate_per_second={self.rate_per_second}, seed={self.seed}, journal={self.journal}, "
            f"path={self.path!r})"
        )

    @property
    def users_by_key(self) -> Mapping[str, str]:
        """The user id of each API key: the given keys, else the derived ones."""
        return self.keys or hercle_keys(self.base_key, self.users)


def account_ids(users: int) -> list[str]:
    """Names of `users` accounts, `user-0001` and on; from 20 on a few are odd but sound."""
    width = max(4, len(str(users)))
    names = [f"user-{number:0{width}}" for number in range(1, users + 1)]
    if users >= _ODD_IDS_FROM_USERS:
        names[6], names[12], names[18] = _ODD_IDS
    return names


def hercle_keys(base_key: str, users: int) -> dict[str, str]:
    """The API key of each of `users` Hercle users, `BASE-0001` and on, to its user id."""
    names = account_ids(users)
    width = max(4, len(str(users)))
    return {f"{base_key}-{number:0{width}}": name for number, name in enumerate(names, start=1)}


def read_keys(path: Path) -> dict[str, str]:
    """The keys of a file: on each line a key, white space, and the user id it belongs to.

    Empty lines and lines that begin with `#` are passed over. Raises ValueError with the number
    of the line (never its text: it may hold a key), OSError where the file cannot be read.
    """
    keys: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        key, _, user_id = line.strip().partition(" ")
        if not user_id.strip() or key in keys:
            message = f"{path}: line {number} is not a new key, a space and a user id"
            raise ValueError(message)
        keys[key] = user_id.strip()
    if not keys:
        message = f"{path}: holds no keys"
        raise ValueError(message)
    return keys


def _check_common(port: int, users: int, rate_per_second: Decimal) -> None:
    if not 0 <= port <= _PORT_MAX:
        message = f"port must be 0 to {_PORT_MAX}, got {port}"
        raise ValueError(message)
    if not 1 <= users <= _USERS_MAX:
        message = f"users must be 1 to {_USERS_MAX}, got {users}"
        raise ValueError(message)
    if not rate_per_second.is_finite() or not 0 <= rate_per_second <= _RATE_MAX:
        message = f"rate must be 0 to {_RATE_MAX} a second, got {rate_per_second}"
        raise ValueError(message)


def _check_key(key: str) -> None:
    # What an HTTP header can carry as it is; the key itself is never part of the message.
    if not key or not all("!" <= letter <= "~" for letter in key):
        message = "an API key must be printable ASCII without spaces, and not empty"
        raise ValueError(message)


def _check_user_ids(user_ids: list[str]) -> None:
    if len(set(user_ids)) != len(user_ids):
        message = "each key must have a user id of its own"
        raise ValueError(message)
    for user_id in user_ids:
        if not 1 <= len(user_id.encode()) <= _USER_ID_BYTES_MAX:
            message = f"a user id must have 1 to {_USER_ID_BYTES_MAX} bytes, got {user_id[:40]!r}"
            raise ValueError(message)


def _check_positive(name: str, seconds: Decimal) -> None:
    if not seconds.is_finite() or seconds <= 0:
        message = f"{name} must be greater than 0, got {seconds}"
        raise ValueError(message)
