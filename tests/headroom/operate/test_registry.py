"""The ids of schemas: asked of a registry over a real socket, and read by Confluent's own code."""

import base64
import contextlib
import io
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from confluent_kafka.schema_registry.serde import SchemaId

from headroom.base.errors import SettingsError
from headroom.base.settings import RegistrySettings, load
from headroom.operate.registry import RegistryRefuses, registered
from schemas.export import schemas

CANARY = "canary-0123456789"
GUID = "6da336d8-f1d3-40f9-84c4-7d03ee8a14a1"

Answer = Callable[[web.Request], Awaitable[web.Response]]


@contextlib.asynccontextmanager
async def registry(answer: Answer) -> AsyncIterator[str]:
    """Something that answers at the one path that is asked for."""
    app = web.Application()
    app.router.add_post("/subjects/{subject}/versions", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def settings(url: str, **variables: str) -> RegistrySettings | None:
    given = {"SCHEMA_REGISTRY_URL": url} | variables
    return load({f"HEADROOM_{name}": text for name, text in given.items()}).registry


def says(status: int = 200, **document: Any) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(document, status=status)

    return answer


async def test_every_public_document_is_registered_as_json_and_its_id_comes_back() -> None:
    asked: dict[str, Any] = {}

    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Content-Type"] == "application/vnd.schemaregistry.v1+json"
        kind, both = request.headers["Authorization"].split()
        assert (kind, base64.b64decode(both).decode()) == ("Basic", f"me:{CANARY}")
        asked[request.match_info["subject"]] = await request.json()
        return web.json_response({"id": len(asked)})

    async with registry(answer) as url:
        credentials = {"SCHEMA_REGISTRY_USERNAME": "me", "SCHEMA_REGISTRY_PASSWORD": CANARY}
        found = await registered(settings(url, **credentials))
    topics = [name.removesuffix(".schema.json") for name in schemas()]
    assert list(asked) == [f"{topic}-value" for topic in topics]
    for topic, number in zip(topics, range(1, 99), strict=False):
        assert asked[f"{topic}-value"]["schemaType"] == "JSON"
        schema = json.loads(asked[f"{topic}-value"]["schema"])
        assert schema == schemas()[f"{topic}.schema.json"]
        assert found[topic] == b"\x00" + number.to_bytes(4, "big")


async def test_confluents_own_code_reads_both_kinds_of_ids() -> None:
    async with registry(says(id=258)) as url:
        by_number = await registered(settings(url))
    async with registry(says(id=258, guid=GUID)) as url:
        by_guid = await registered(settings(url))
    read = SchemaId("JSON")
    read.from_bytes(io.BytesIO(by_number["balances.v1"]))
    assert read.id == 258
    read = SchemaId("JSON")
    read.from_bytes(io.BytesIO(by_guid["balances.v1"]))
    assert read.guid == uuid.UUID(GUID)


async def test_without_a_registry_nobody_is_asked() -> None:
    assert await registered(load({}).registry) == {}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (says(409, error_code=409, message="incompatible"), "refuses .*: status 409: incompatible"),
        (says(401), "status 401"),
        (says(302), "status 302"),
        (says(200), "is no schema registry"),
        (says(id=-1), "id is none"),
        (says(id=1, guid="x"), "guid is none"),
    ],
)
async def test_a_registry_that_does_not_take_them_is_one_clear_line(
    answer: Answer, words: str
) -> None:
    async with registry(answer) as url:
        given = {"SCHEMA_REGISTRY_USERNAME": "me", "SCHEMA_REGISTRY_PASSWORD": CANARY}
        with pytest.raises(RegistryRefuses, match=words) as caught:
            await registered(settings(url, **given))
    assert CANARY not in str(caught.value)


async def test_a_registry_that_is_not_there_is_one_clear_line() -> None:
    with pytest.raises(RegistryRefuses, match="HEADROOM_SCHEMA_REGISTRY_URL"):
        await registered(settings("http://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://registry.example/", "https:// for registry.example"),
        ("ftp://registry.example/", "begins with http:// or https://"),
        (f"https://me:{CANARY}@registry.example/", "must not hold a user or a password"),
    ],
)
def test_a_url_that_would_tell_a_password_is_refused(url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        settings(url, SCHEMA_REGISTRY_USERNAME="me", SCHEMA_REGISTRY_PASSWORD=CANARY)
    assert CANARY not in str(caught.value)
    assert settings("http://registry.example/") is not None
    assert CANARY not in repr(settings("http://[::1]/", SCHEMA_REGISTRY_USERNAME="me"))
