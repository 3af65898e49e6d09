"""A Confluent-compatible schema registry: our schemas go in, and come back as ids for headers.

Values stay plain JSON. Who wants the schema finds its id in the header that Confluent's own
serializers use. Source: Confluent's Schema Registry API (`POST /subjects/SUBJECT/versions`) and
its clients' `HeaderSchemaIdSerializer`.
"""

import base64
import struct
import uuid
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import msgspec
from yarl import URL

from headroom.base.errors import OperatorError
from headroom.base.printable import printable
from headroom.base.settings import RegistrySettings
from schemas.export import schemas

TIMEOUT_SECONDS: Final = 10.0
_SETTING: Final = "HEADROOM_SCHEMA_REGISTRY_URL"
_CONTENT_TYPE: Final = "application/vnd.schemaregistry.v1+json"
_SUFFIX: Final = ".schema.json"
_OK: Final = 200
_ID_MAX: Final = 2**32 - 1


class RegistryRefuses(OperatorError):
    """The registry does not take a schema, or does not answer."""


class _Registered(msgspec.Struct):
    id: int
    guid: str | None = None


async def registered(settings: RegistrySettings | None) -> dict[str, bytes]:
    """Register every public document's schema under `TOPIC-value`: the header's value by topic.

    Empty where no registry is set; raises `RegistryRefuses`. Registering again changes nothing.
    """
    if settings is None:
        return {}
    headers = {"Content-Type": _CONTENT_TYPE, **_authorization(settings)}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as connections:
        return {
            topic: _header(await _register(connections, settings.url, topic, schema))
            for topic, schema in _by_topic().items()
        }


def _authorization(settings: RegistrySettings) -> dict[str, str]:
    if settings.username is None:
        return {}
    secret = "" if settings.password is None else settings.password.reveal()
    both = f"{settings.username}:{secret}".encode()
    return {"Authorization": f"Basic {base64.b64encode(both).decode('ascii')}"}


def _by_topic() -> Mapping[str, Mapping[str, Any]]:
    return {name.removesuffix(_SUFFIX): schema for name, schema in schemas().items()}


async def _register(
    connections: aiohttp.ClientSession, address: str, topic: str, schema: Mapping[str, Any]
) -> _Registered:
    subject = f"{topic}-value"
    # The shortest text is one that no editor and no version of ours changes.
    body = {"schemaType": "JSON", "schema": msgspec.json.encode(schema).decode()}
    try:
        url = URL(address) / "subjects" / subject / "versions"
        async with connections.post(
            url, data=msgspec.json.encode(body), allow_redirects=False
        ) as response:
            status, answer = response.status, await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        message = f"no schema registry answers: is {_SETTING} right? ({type(error).__name__})"
        raise RegistryRefuses(message) from None
    if status != _OK:
        raise RegistryRefuses(f"the schema registry refuses {subject}: {_words(status, answer)}")
    try:
        return msgspec.json.decode(answer, type=_Registered)
    except msgspec.DecodeError as error:
        message = f"what answers at {_SETTING} is no schema registry: {error}"
        raise RegistryRefuses(message) from None


def _header(found: _Registered) -> bytes:
    """The id as Confluent's clients write it: a globally unique one where the registry has such."""
    if found.guid is not None:
        try:
            return b"\x01" + uuid.UUID(found.guid).bytes
        except ValueError:
            raise RegistryRefuses("the schema registry's guid is none") from None
    if not 0 <= found.id <= _ID_MAX:
        raise RegistryRefuses("the schema registry's id is none")
    return b"\x00" + struct.pack(">I", found.id)


def _words(status: int, answer: bytes) -> str:
    try:
        message = msgspec.json.decode(answer)["message"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"status {status}"
    return f"status {status}: {printable(str(message))[:300]}"
