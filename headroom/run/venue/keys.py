"""A venue's keys out of a file that may change while the producer runs."""

import hashlib
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from headroom.base.environment import PREFIX, Environment
from headroom.base.errors import SettingsError
from producers.errors import ConfigurationError
from producers.keys import ReadAgain
from schemas.secrets import Secret


def keys_again(
    environment: Environment, name: str, make: Callable[[Secret], Sequence[Secret]]
) -> ReadAgain | None:
    """What reads the file of a secret again; None where the secret does not come from a file.

    `make` makes the keys of what stands there, and raises ConfigurationError where they cannot be.
    """
    path = environment.text(f"{name}_FILE")
    if path is None:
        return None
    known = b""

    def read_again() -> Sequence[Secret] | None:
        nonlocal known
        try:
            # A pipe has been read: it would be waited for.
            if not stat.S_ISREG(Path(path).stat().st_mode):
                return None
            found = hashlib.sha256(Path(path).read_bytes()).digest()
        except OSError as error:
            problem = f"cannot be read: {type(error).__name__}"
            raise ConfigurationError(f"{PREFIX}{name}_FILE", problem) from None
        if found == known:
            return None
        try:
            secret = environment.secret(name)
        except SettingsError as error:
            raise ConfigurationError(error.name, str(error)) from None
        keys = make(Secret("") if secret is None else secret)
        known = found
        return keys

    return read_again
