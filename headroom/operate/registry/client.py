"""What a schema registry is asked, and how its answers are read: Confluent's API.

What it says of one schema is a value; only that nobody answers, or somebody who is no registry,
is an error. Source: Confluent's Schema Registry API, and its clients' `HeaderSchemaIdSerializer`.
"""

import base64
import contextlib
import struct
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from yarl import URL

from headroom.base.errors import OperatorError
from headroom.base.printable import printable
from headroom.base.settings import RegistrySettings

ANSWER_BYTES_MAX: Final = 1024**2
_CONTENT_TYPE: Final = "application/vnd.schemaregistry.v1+json"
_WORDS_MAX: Final = 300
_OK: Final = 200
_NOT_FOUND: Final = 404
T = TypeVar("T")


class RegistryAway(OperatorError):
    """No registry answers at `host`, in time or at all, or who answers is none."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"no schema registry answers at {host}: {why}")
        self.why = why


class Known(msgspec.Struct, frozen=True):
    """A schema that the registry has; `header` is the value of the header that names it.

    `guid` and `version` are None where the registry does not tell them.
    """

    id: int
    guid: str | None = None
    version: int | None = None

    @property
    def header(self) -> bytes:
        """The id as Confluent's clients write it: a globally unique one where there is such."""
        if self.guid is not None:
            return b"\x01" + uuid.UUID(self.guid).bytes
        return b"\x00" + struct.pack(">I", self.id)


class Missing(msgspec.Struct, frozen=True):
    """The registry has no such schema, or nothing to compare it with."""


class Refused(msgspec.Struct, frozen=True):
    """The registry does not do what it was asked for; `why` is its status and its words."""

    why: str


class Verdict(msgspec.Struct, frozen=True):
    """Whether a subject's rule takes a schema; `why` not, as the registry puts it."""

    is_compatible: bool
    why: tuple[str, ...] = ()


class _Error(msgspec.Struct):
    error_code: int

    @property
    def is_missing(self) -> bool:
        """40401 to 40403: a path that nobody answers at has another code, at Apicurio's 0."""
        return self.error_code // 100 == _NOT_FOUND


class _Judged(msgspec.Struct):
    is_compatible: bool
    messages: list[str] | None = None


class Registry:
    """A registry that is there for as long as its connections are; see `reached`."""

    def __init__(self, connections: aiohttp.ClientSession, url: str) -> None:
        self._connections = connections
        self._url = url
        self.host = host_of(url)

    async def look_up(self, subject: str, schema: str) -> Known | Missing | Refused:
        """The very schema under a subject; nothing is written. Raises `RegistryAway`."""
        status, answer = await self._ask(("subjects", subject), schema)
        return self._missing(status, answer) or self._known(status, answer)

    async def register(self, subject: str, schema: str) -> Known | Refused:
        """The schema, which is written where it is new. Raises `RegistryAway`."""
        return self._known(*await self._ask(("subjects", subject, "versions"), schema))

    async def judge(self, subject: str, schema: str) -> Verdict | Missing | Refused:
        """Whether the subject's rule takes a schema after the latest; raises `RegistryAway`."""
        path = ("compatibility", "subjects", subject, "versions", "latest")
        status, answer = await self._ask(path, schema, verbose="true")
        if missing := self._missing(status, answer):
            return missing
        if status != _OK:
            return self._refused(status, answer)
        found = self._read(answer, _Judged)
        # Confluent's puts the old schema and its rule among them, whole.
        told = [one for one in found.messages or () if not one.startswith(("{oldSchema", "{comp"))]
        return Verdict(found.is_compatible, tuple(printable(one)[:_WORDS_MAX] for one in told))

    async def _ask(self, path: tuple[str, ...], schema: str, **query: str) -> tuple[int, bytes]:
        body = msgspec.json.encode({"schemaType": "JSON", "schema": schema})
        try:
            url = URL(self._url).joinpath(*path).with_query(query)
            async with self._connections.post(url, data=body, allow_redirects=False) as response:
                answer = b""
                async for some in response.content.iter_any():
                    answer += some
                    if len(answer) > ANSWER_BYTES_MAX:
                        raise RegistryAway(self.host, "its answer is longer than a mebibyte")
                return response.status, answer
        except TimeoutError:
            raise RegistryAway(self.host, "it takes too long") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = f"it cannot be reached ({type(error).__name__})"
            raise RegistryAway(self.host, why) from None

    def _missing(self, status: int, answer: bytes) -> Missing | None:
        if status == _NOT_FOUND and self._read(answer, _Error).is_missing:
            return Missing()
        return None

    def _known(self, status: int, answer: bytes) -> Known | Refused:
        if status != _OK:
            return self._refused(status, answer)
        found = self._read(answer, Known)
        try:
            _ = found.header
        except (ValueError, struct.error):
            raise RegistryAway(self.host, "what it gives is no id") from None
        return found

    def _refused(self, status: int, answer: bytes) -> Refused:
        """Its words, without the way to it: some say the whole URL, which may hold a key."""
        try:
            document: Any = msgspec.json.decode(answer)
            message = str(document["message"])
        except (msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError):
            return Refused(f"status {status}")
        if path := urlsplit(self._url).path.rstrip("/"):
            message = message.replace(path, "")
        return Refused(f"status {status}: {printable(message)[:_WORDS_MAX]}")

    def _read(self, answer: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RegistryAway(self.host, "what answers there is no schema registry") from None


@contextlib.asynccontextmanager
async def reached(settings: RegistrySettings, *, seconds: float) -> AsyncIterator[Registry]:
    """A registry, which has `seconds` for each answer; nothing is asked yet."""
    headers = {"Content-Type": _CONTENT_TYPE, **_authorization(settings)}
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as connections:
        yield Registry(connections, settings.url)


def host_of(url: str) -> str:
    """Where a URL leads, and nothing else of it: what a person put into it stays unsaid."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "HEADROOM_SCHEMA_REGISTRY_URL"
    host = parts.hostname or "nobody"
    return host if port is None else f"{host}:{port}"


def _authorization(settings: RegistrySettings) -> Mapping[str, str]:
    if settings.username is None:
        return {}
    secret = "" if settings.password is None else settings.password.reveal()
    both = f"{settings.username}:{secret}".encode()
    return {"Authorization": f"Basic {base64.b64encode(both).decode('ascii')}"}
