"""The tokens file: who may ask a worker, each token by its hash, for all users or for some.

    [[token]]
    name = "risk desk"
    sha256 = "…"              # of the token; the token itself is nowhere
    users = "all"             # or a list: ["sfox:user-0001", "hercle:user-0001"]

A file that is not wholly right is refused: half of it would let in whom nobody meant to.
"""

import os
import secrets
import stat
import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from headroom.errors import OperatorError, SettingsError
from headroom.settings import Settings
from processors.http.access import Access, Grant, hashed
from schemas.secrets import Secret

_SETTING: Final = "HEADROOM_API_TOKENS_FILE"
_WORKER: Final = "HEADROOM_WORKER_TOKEN"
_WORKER_LENGTH_MIN: Final = 32
# So that whoever finds one in the wrong place, man or machine, knows what it is.
_PREFIX: Final = "headroom_"
_RANDOM_BYTES: Final = 32

_NAME_LENGTH_MAX: Final = 100

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=_NAME_LENGTH_MAX)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
User = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    sha256: Digest
    users: Literal["all"] | Annotated[list[User], msgspec.Meta(min_length=1)]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: Annotated[list[_Entry], msgspec.Meta(min_length=1)]


def access_of(settings: Settings) -> Access | None:
    """Who may ask the worker of these settings, None: anybody here; raises `SettingsError`."""
    settings.check_listening()
    if settings.api_tokens_file is None:
        return None
    grants = read(settings.api_tokens_file)
    worker = settings.worker_token
    if worker is None:
        problem = "is not set: with tokens, workers know each other by it (the same for all)"
        raise SettingsError(_WORKER, problem)
    if len(worker.reveal()) < _WORKER_LENGTH_MIN:
        problem = f"is shorter than {_WORKER_LENGTH_MIN} characters, so it could be guessed"
        raise SettingsError(_WORKER, problem)
    if any(grant.digest == hashed(worker.reveal()) for grant in grants):
        raise SettingsError(_WORKER, f"is one of the tokens of {_SETTING}: it is the workers' own")
    return Access(grants, worker)


def read(path: Path) -> list[Grant]:
    """The grants of a tokens file; raises `SettingsError` where anything about it is not right."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & stat.S_IRWXO:
                raise SettingsError(_SETTING, f"is open to all users of this machine: {path}")
            text = file.read().decode("utf-8")
    except OSError as error:
        raise SettingsError(_SETTING, f"cannot be read ({error.strerror}): {path}") from None
    except UnicodeDecodeError:
        raise SettingsError(_SETTING, f"is not UTF-8: {path}") from None
    try:
        found = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(_SETTING, f"is no tokens file: {error}: {path}") from None
    for what in ("name", "sha256"):
        twice = [
            text
            for text, count in Counter(getattr(entry, what) for entry in found.token).items()
            if count > 1
        ]
        if twice:
            raise SettingsError(_SETTING, f"has the {what} {twice[0]!r} twice: {path}")
    return [
        Grant(
            entry.name,
            bytes.fromhex(entry.sha256),
            None if isinstance(entry.users, str) else frozenset(entry.users),
        )
        for entry in found.token
    ]


def add(path: Path, name: str, users: list[str]) -> Secret:
    """Make a token and write its hash into a file, which is made if it is not there.

    The token is returned and kept nowhere. No `users` means all. Raises `OperatorError` where the
    file cannot be written or has the name already.
    """
    if not (0 < len(name) <= _NAME_LENGTH_MAX and name.isprintable()):
        message = "a token's name has 1 to 100 characters, all of them printable"
        raise OperatorError(message)
    if path.exists() and any(grant.name == name for grant in read(path)):
        message = f"{path} has a token {name!r} already"
        raise OperatorError(message)
    token = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    try:
        named = "[" + ", ".join(map(_quoted, users)) + "]" if users else '"all"'
    except UnicodeEncodeError:
        message = "a user's name is not UTF-8"
        raise OperatorError(message) from None
    # The line before may lack its end: a person may have written it.
    entry = (
        f'\n[[token]]\nname = {_quoted(name)}\nsha256 = "{hashed(token).hex()}"\nusers = {named}\n'
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(entry)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise OperatorError(message) from None
    return Secret(token)


def _quoted(text: str) -> str:
    # A JSON string is a TOML string, but for one letter.
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")
