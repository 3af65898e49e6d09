"""The tokens file: who may ask a worker, each token by its hash, for all users or for some.

    [[token]]
    name = "risk desk"
    sha256 = "…"              # of the token; the token itself is nowhere
    users = "all"             # or a list: ["sfox:user-0001", "hercle:user-0001"]
    questions_per_minute = 600  # may be left out: no bound

A file that is not wholly right is refused: half of it would let in whom nobody meant to. It is read
again once it has changed; what is not right then is said, and what was there before stays.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
import stat
import tempfile
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from headroom.base.errors import OperatorError, SettingsError
from headroom.base.settings import Settings
from headroom.operate.jwks import issuer_of
from processors.http.access import Access
from processors.http.grants import Grant, hashed
from schemas.identity import is_user
from schemas.secrets import Secret

log = logging.getLogger("headroom.tokens")

_SETTING: Final = "HEADROOM_API_TOKENS_FILE"
_LOOK_SECONDS: Final = 5.0
_WORKER: Final = "HEADROOM_WORKER_TOKEN"
_WORKER_LENGTH_MIN: Final = 32
# So that whoever finds one in the wrong place, man or machine, knows what it is.
_PREFIX: Final = "headroom_"
_RANDOM_BYTES: Final = 32

_NAME_LENGTH_MAX: Final = 100
_NO_USER: Final = (
    "a user has 1 to 1,024 bytes of UTF-8, or is venue:account with as many for the account"
)

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=_NAME_LENGTH_MAX)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    sha256: Digest
    users: Literal["all"] | Annotated[list[str], msgspec.Meta(min_length=1)]
    questions_per_minute: Annotated[int, msgspec.Meta(ge=1)] | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: Annotated[list[_Entry], msgspec.Meta(min_length=1)]


def access_of(settings: Settings) -> Access | None:
    """Who may ask the worker of these settings, None: anybody here; raises `SettingsError`."""
    settings.check_listening()
    if settings.api_tokens_file is None and settings.jwt is None:
        return None
    grants = [] if settings.api_tokens_file is None else read(settings.api_tokens_file)
    worker = worker_token_of(settings)
    _check_apart(grants, worker)
    return Access(grants, worker, issuer=issuer_of(settings.jwt))


def worker_token_of(settings: Settings) -> Secret:
    """What workers know each other by, where there are tokens; raises `SettingsError`."""
    worker = settings.worker_token
    if worker is None:
        problem = "is not set: with tokens, workers know each other by it (the same for all)"
        raise SettingsError(_WORKER, problem)
    if len(worker.reveal()) < _WORKER_LENGTH_MIN:
        problem = f"is shorter than {_WORKER_LENGTH_MIN} characters, so it could be guessed"
        raise SettingsError(_WORKER, problem)
    return worker


def _check_apart(grants: list[Grant], worker: Secret) -> None:
    if any(grant.digest == hashed(worker.reveal()) for grant in grants):
        raise SettingsError(_WORKER, f"is one of the tokens of {_SETTING}: it is the workers' own")


@contextlib.asynccontextmanager
async def kept(access: Access, path: Path | None) -> AsyncIterator[None]:
    """Read tokens, and the keys of an issuer's, again as they change, while the block runs."""
    reading = [] if path is None else [asyncio.create_task(keep_reading(path, access))]
    if access.issuer is not None:
        reading.append(asyncio.create_task(access.issuer.keys.keep_reading()))
    try:
        yield
    finally:
        for one in reading:
            one.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        if access.issuer is not None:
            await access.issuer.keys.close()


async def keep_reading(
    path: Path,
    access: Access,
    *,
    look_seconds: float = _LOOK_SECONDS,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Read a tokens file again each time it has changed, until cancelled."""
    seen = _state_of(path)
    while True:
        await sleep(look_seconds)
        if (now := _state_of(path)) == seen:
            continue
        seen = now
        try:
            grants = read(path)
            _check_apart(grants, access.worker)
        except SettingsError as error:
            log.error("the tokens of before stay: %s", error)  # noqa: TRY400 - one line
            continue
        access.replace(grants)
        log.info("tokens read again: %d of them", len(grants))


def _state_of(path: Path) -> tuple[int, ...]:
    """What changes when a file does; also where it is a link that leads elsewhere now."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode


def read(path: Path) -> list[Grant]:
    """The grants of a tokens file; raises `SettingsError` where anything about it is not right."""
    return _grants(_text(path), path)


def add(path: Path, name: str, users: list[str]) -> Secret:
    """Make a token and write its hash into a file, which is made if it is not there.

    The token is returned and kept nowhere. No `users` means all. Raises `OperatorError` where the
    file cannot be written, has the name already, or could not be read any more with this in it:
    then it stays as it is.
    """
    if not (0 < len(name) <= _NAME_LENGTH_MAX and name.isprintable()):
        message = "a token's name has 1 to 100 characters, all of them printable"
        raise OperatorError(message)
    for user in users:
        if not is_user(user):
            raise OperatorError(_NO_USER)
    token = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    named = "[" + ", ".join(map(_quoted, users)) + "]" if users else '"all"'
    # The line before may lack its end: a person may have written it.
    entry = (
        f'\n[[token]]\nname = {_quoted(name)}\nsha256 = "{hashed(token).hex()}"\nusers = {named}\n'
    )
    try:
        # The file itself, where the path is a link to it.
        with _alone(file := path.resolve()):
            if path.exists() and not path.is_file():
                raise OperatorError(f"{path} is no file")
            text = _text(path) if path.exists() else ""
            if text and any(grant.name == name for grant in _grants(text, path)):
                message = f"{path} has a token {name!r} already"
                raise OperatorError(message)
            _grants(text + entry, path)
            _put(file, text + entry)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise OperatorError(message) from None
    return Secret(token, ours=True)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & stat.S_IRWXO:
                raise SettingsError(_SETTING, f"is open to all users of this machine: {path}")
            return file.read().decode("utf-8")
    except OSError as error:
        raise SettingsError(_SETTING, f"cannot be read ({error.strerror}): {path}") from None
    except UnicodeDecodeError:
        raise SettingsError(_SETTING, f"is not UTF-8: {path}") from None


def _grants(text: str, path: Path) -> list[Grant]:
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
    for entry in found.token:
        if not (isinstance(entry.users, str) or all(map(is_user, entry.users))):
            problem = f"is no tokens file: one of the users of {entry.name!r}: {_NO_USER}: {path}"
            raise SettingsError(_SETTING, problem)
    return [
        Grant(
            entry.name,
            bytes.fromhex(entry.sha256),
            None if isinstance(entry.users, str) else frozenset(entry.users),
            entry.questions_per_minute,
        )
        for entry in found.token
    ]


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """While the block runs, nobody else does the same to a file of this folder; raises OSError."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _put(path: Path, text: str) -> None:
    """Put a text in a file's place, all of it or nothing; its owner and its mode stay."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if path.exists():
                before, mine = path.stat(), os.fstat(descriptor)
                if (mine.st_uid, mine.st_gid) != (before.st_uid, before.st_gid):
                    os.fchown(descriptor, before.st_uid, before.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _quoted(text: str) -> str:
    # A JSON string is a TOML string, but for one letter.
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")
