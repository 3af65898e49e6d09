"""The ids of schemas: asked of a registry over a real socket, and read by Confluent's own code."""

import asyncio
import base64
import io
import json
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest
from confluent_kafka.schema_registry.serde import SchemaId

from headroom.base.errors import SettingsError
from headroom.base.settings import RegistrySettings, load
from headroom.operate.registry import schema_ids
from headroom.operate.registry.client import Known, host_of
from headroom.operate.registry.subjects import subject_of, texts
from processors.schema_ids import SchemaIds
from schemas.export import schemas
from schemas.headers import VALUE_SCHEMA_ID
from tests.registry.standin import StandIn, answering

CANARY = "canary-0123456789"
GUID = "6da336d8-f1d3-40f9-84c4-7d03ee8a14a1"
SIGNED = {"SCHEMA_REGISTRY_USERNAME": "me", "SCHEMA_REGISTRY_PASSWORD": CANARY}
TOPICS = sorted(name.removesuffix(".schema.json") for name in schemas())


def settings(url: str, **variables: str) -> RegistrySettings | None:
    given = {"SCHEMA_REGISTRY_URL": url} | variables
    return load({f"HEADROOM_{name}": text for name, text in given.items()}).registry


class Rounds:
    """Rounds of questions, each when it is asked for; `pauses` are those before them."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self._next = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self._next.acquire()

    async def one(self) -> None:
        """Let one more round be asked, and wait for its end."""
        done = len(self.pauses)
        self._next.release()
        await until(lambda: len(self.pauses) > done)

    async def last(self, ids: SchemaIds) -> None:
        """Let one more round be asked, which brings all ids."""
        self._next.release()
        await until(lambda: ids.missing == [])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def asked(
    url: str, rounds: Rounds | None = None, round_seconds: float = 10.0, **variables: str
) -> AsyncIterator[SchemaIds]:
    sleep = (rounds or Rounds()).sleep
    given = settings(url, **variables)
    async with schema_ids(given, round_seconds=round_seconds, sleep=sleep, rng=Random(1)) as ids:
        yield ids


def holding(**more: str) -> StandIn:
    """A registry to which a release's pipeline has brought all schemas."""
    made = StandIn(**more)
    for topic, text in texts().items():
        made.put(subject_of(topic), text)
    return made


async def test_every_public_document_is_registered_as_json_and_its_id_comes_back() -> None:
    registry = StandIn()
    async with answering(registry) as url, asked(url, **SIGNED) as ids:
        assert ids.missing == []
    assert list(registry.schemas) == [f"{topic}-value" for topic in TOPICS]
    for number, topic in enumerate(TOPICS, 1):
        (text,) = registry.schemas[f"{topic}-value"]
        assert json.loads(text) == schemas()[f"{topic}.schema.json"]
        assert ids.headers[topic] == [(VALUE_SCHEMA_ID, b"\x00" + number.to_bytes(4, "big"))]
    (credentials,) = registry.authorizations
    kind, both = str(credentials).split()
    assert (kind, base64.b64decode(both).decode()) == ("Basic", f"me:{CANARY}")


def test_confluents_own_code_reads_both_kinds_of_ids() -> None:
    read = SchemaId("JSON")
    read.from_bytes(io.BytesIO(Known(258).header))
    assert read.id == 258
    read = SchemaId("JSON")
    read.from_bytes(io.BytesIO(Known(258, GUID).header))
    assert read.guid == uuid.UUID(GUID)


@pytest.mark.parametrize("mode", ["register", "lookup"])
@pytest.mark.parametrize("fault", ["", "read-only", "405"])
async def test_what_is_there_is_found_without_writing(mode: str, fault: str) -> None:
    registry = holding(fault=fault)
    async with answering(registry) as url, asked(url, SCHEMA_REGISTRY_MODE=mode) as ids:
        assert ids.missing == []
    assert registry.writes == 0
    assert not [path for path in registry.asked if path.endswith("/versions")]


async def test_a_look_up_writes_nothing_even_where_nothing_is_there(caplog) -> None:
    registry = StandIn()
    rounds = Rounds()
    async with (
        answering(registry) as url,
        asked(url, rounds, SCHEMA_REGISTRY_MODE="lookup") as ids,
    ):
        assert ids.missing == TOPICS
        assert "it has no such schema, which `headroom schemas register` brings" in caplog.text
        for topic, text in texts().items():
            registry.put(subject_of(topic), text)
        await rounds.last(ids)
    assert registry.writes == 0


async def test_a_path_that_leads_nowhere_is_no_missing_schema(caplog) -> None:
    async with (
        answering(StandIn("elsewhere")) as url,
        asked(f"{url}/{CANARY}", SCHEMA_REGISTRY_MODE="lookup") as ids,
    ):
        assert ids.missing == TOPICS
        assert f"status 404: no resource at {url}/subjects/balances.v1-value" in caplog.text
    assert "has no such schema" not in caplog.text
    assert CANARY not in caplog.text


async def test_without_a_registry_or_with_one_that_is_off_nobody_is_asked() -> None:
    async with schema_ids(load({}).registry) as ids:
        assert (ids.wanted, ids.missing) == (frozenset(), [])
    assert settings("http://127.0.0.1:1", SCHEMA_REGISTRY_MODE="off") is None
    with pytest.raises(SettingsError, match="SCHEMA_REGISTRY_MODE is one of register, lookup, off"):
        settings("http://127.0.0.1:1", SCHEMA_REGISTRY_MODE="on")


FAULTS = {
    "read-only": "status 422: Subject is in read-only mode",
    "405": "status 405",
    "401": "status 401: a word",
    "302": "status 302: a word",
    "500": "status 500: a word",
    "elsewhere": "status 404: no resource at ",
    "html": "what answers there is no schema registry",
    "no id": "what it gives is no id",
    "no guid": "what it gives is no id",
    "reset": "it cannot be reached (ServerDisconnectedError)",
    "endless": "its answer is longer than a mebibyte",
}


@pytest.mark.parametrize(("fault", "words"), FAULTS.items(), ids=FAULTS)
async def test_a_registry_that_does_not_tell_is_one_warning_until_it_does(
    fault: str, words: str, caplog
) -> None:
    registry, rounds = StandIn(fault), Rounds()
    async with answering(registry) as url, asked(url, rounds, **SIGNED) as ids:
        await until(lambda: len(rounds.pauses) == 1)
        assert ids.missing == TOPICS
        await rounds.one()
        assert ids.failures == 2
        (warning,) = [one for one in caplog.records if one.levelno == logging.WARNING]
        said = warning.getMessage()
        assert said.startswith(f"schema registry at {host_of(url)}: {words}")
        assert "records of 8 of 8 topics have no __value_schema_id" in said
        assert CANARY not in caplog.text
        registry.fault = ""
        await rounds.last(ids)
    assert all(ids.headers[topic] for topic in TOPICS)
    assert ids.failures == 2


@pytest.mark.parametrize("fault", ["hang", "slow"])
async def test_all_questions_together_have_a_time(fault: str, caplog) -> None:
    registry, rounds = StandIn(fault), Rounds()
    async with answering(registry) as url, asked(url, rounds, 0.5) as ids:
        assert len(ids.missing) > 0
        assert "within 0.5 s" in caplog.text or "takes too long" in caplog.text
        registry.fault = ""
        await rounds.last(ids)
    # What a slow one had told by then is not asked again.
    assert len(registry.asked) < 4 * len(TOPICS)


async def test_a_registry_that_is_not_there_is_a_warning_and_asked_more_and_more_seldom(
    caplog,
) -> None:
    rounds = Rounds()
    async with asked("http://127.0.0.1:1", rounds) as ids:
        await until(lambda: len(rounds.pauses) == 1)
        for _ in range(12):
            await rounds.one()
        assert ids.missing == TOPICS
    assert "it cannot be reached (ClientConnectorError)" in caplog.text
    assert all(1 <= pause <= 300 for pause in rounds.pauses)
    assert max(rounds.pauses[:3]) < 10 < max(rounds.pauses)


async def test_who_is_refused_keeps_no_other_from_its_id(caplog) -> None:
    registry = StandIn()
    registry.refused = {"balances.v1-value"}
    async with answering(registry) as url, asked(url) as ids:
        assert ids.missing == ["balances.v1"]
    assert "status 409: Schema being registered is incompatible" in caplog.text
    assert "(balances.v1): records of 1 of 8 topics" in caplog.text


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
        settings(url, **SIGNED)
    assert CANARY not in str(caught.value)
    assert settings("http://registry.example/") is not None
    assert CANARY not in repr(settings("http://[::1]/", SCHEMA_REGISTRY_USERNAME="me"))


def test_of_a_url_only_the_host_is_said() -> None:
    assert host_of(f"https://registry.example:8081/{CANARY}?token={CANARY}") == (
        "registry.example:8081"
    )
    assert CANARY not in host_of(f"https://[{CANARY}")
