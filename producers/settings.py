"""What all venues' settings have in common: deadlines, sound URLs, keys that can be sent.

A venue's own settings are in its package: frozen, checked when made, and silent about secrets.
"""

import hashlib
import ipaddress
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from producers.errors import ConfigurationError, ConfigurationErrors
from schemas.secrets import Secret

_KEY_LETTERS_MAX: Final = 8_192
_PORTS: Final = {"ws": 80, "http": 80, "wss": 443, "https": 443}
_PLAIN: Final = frozenset({"ws", "http"})


class Deadlines(msgspec.Struct, frozen=True):
    """How long a connection may take over each step, in seconds.

    A dead line is noticed within `ping_seconds + pong_seconds + close_seconds`, which is below
    30 s; `silence_seconds` is for venues that promise to say something themselves (Hercle).
    """

    open_seconds: float = 10.0
    answer_seconds: float = 10.0
    ping_seconds: float = 10.0
    pong_seconds: float = 10.0
    close_seconds: float = 5.0
    silence_seconds: float = 30.0


def check_all(*checks: Callable[[], object]) -> None:
    """Make every check, whatever the others find; raises all that they raise as one."""
    found: list[ConfigurationError] = []
    for check in checks:
        try:
            check()
        except ConfigurationError as error:
            found += error.each
    if len(found) == 1:
        raise found[0]
    if found:
        raise ConfigurationErrors(found)


def check_url(url: str, *, setting: str, schemes: tuple[str, str]) -> SplitResult:
    """The parts of a URL with one of `schemes` (the encrypted one first).

    Without encryption only this machine may be spoken to: a key would travel in the clear.
    The error names the host alone, since the rest of a URL may hold what logs must not.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        raise ConfigurationError(setting, "is not a URL") from None
    if parts.scheme not in schemes or not host or port is None:
        raise ConfigurationError(setting, f"must be a URL that begins with {schemes[0]}://")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(setting, "must not hold a user or a password")
    if parts.scheme in _PLAIN and not is_loopback(host):
        problem = f"{parts.scheme}:// is for this machine only; use {schemes[0]}:// for {host}"
        raise ConfigurationError(setting, problem)
    return parts


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine itself, without asking a name server."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_header_text(text: str) -> bool:
    """Whether a token fits into a header, where a line break would begin another header."""
    return len(text) <= _KEY_LETTERS_MAX and all("!" <= letter <= "~" for letter in text)


def fingerprint(keys: Iterable[Secret]) -> str:
    """What tells whether keys are the same as before, and nothing of the keys themselves."""
    found = hashlib.blake2b(digest_size=8, person=b"headroom-spool")
    for text in sorted(key.reveal() for key in keys):
        found.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return found.hexdigest()


def check_key(key: Secret, *, setting: str) -> None:
    """That a key can be one; raises ConfigurationError, which does not tell the key."""
    text = key.reveal()
    if not text:
        raise ConfigurationError(setting, "is not set")
    if not is_header_text(text):
        raise ConfigurationError(setting, "holds a space, a line break or a letter beyond ASCII")
