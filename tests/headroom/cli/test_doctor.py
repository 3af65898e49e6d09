"""`headroom doctor` as an operator runs it: all well, and much that is wrong, named at once."""

import asyncio
import base64
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiokafka.admin import AIOKafkaAdminClient

from headroom.base.settings import KafkaSettings
from headroom.operate.topics.survey import apply
from headroom.run.doctor import NAMES
from schemas.topics import BALANCES
from tests.headroom import commands
from tests.headroom.commands import Ended, headroom
from tests.producers.certificates import Authority

pytestmark = pytest.mark.slow

CANARY = "canary-0123456789-0123456789-0123456789"
RULES = '[[rule]]\nname = "limit"\ncondition = "utilisation_above"\nwarning = "0.8"\n'
# A busy machine is no fault: only what hangs takes so long.
PATIENT = ("--seconds", "30")


@pytest.fixture
def applied(own: str) -> str:
    asyncio.run(apply(KafkaSettings(own), partitions=8, replication_factor=1))
    return own


@contextlib.asynccontextmanager
async def venue(context: ssl.SSLContext) -> AsyncIterator[str]:
    """Something that does the handshake of TLS, and must be asked for nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            asked.extend(await reader.read())
        writer.close()

    asked: list[int] = []
    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    try:
        yield f"wss://localhost:{server.sockets[0].getsockname()[1]}/ws"
    finally:
        server.close()
    assert not asked


@contextlib.asynccontextmanager
async def registry() -> AsyncIterator[str]:
    async def subjects(request: web.Request) -> web.Response:
        assert request.headers["Authorization"].startswith("Basic ")
        return web.json_response(["balances.v1-value"])

    app = web.Application()
    app.router.add_get("/subjects", subjects)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
def silent() -> Iterator[int]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def files(place: Path) -> dict[str, object]:
    """Files and secrets that are all right."""
    secret = f"whsec_{base64.b64encode(CANARY.encode()).decode()}"
    texts = {
        "API_TOKENS_FILE": f'[[token]]\nname = "desk"\nsha256 = "{"0" * 64}"\nusers = "all"\n',
        "ACCOUNTS_FILE": "accounts:\n- {venue: sfox, account: a, user: ann}\n",
        "ALERTS_FILE": RULES,
        "WEBHOOK_SECRET_FILE": secret,
        "WORKER_TOKEN_FILE": CANARY,
        "SFOX_API_KEY_FILE": CANARY,
        "SCHEMA_REGISTRY_PASSWORD_FILE": CANARY,
    }
    for name, text in texts.items():
        (place / name).write_text(text)
        (place / name).chmod(0o600)
    return {
        **{name: place / name for name in texts},
        "SCHEMA_REGISTRY_USERNAME": "me",
        "WEBHOOK_URL": f"http://127.0.0.1:1/{CANARY}",
        "DATA_DIR": place / "data",
        "SPOOL_BYTES_MAX": 1024**2,
    }


def inside(place: Path) -> list[str]:
    return sorted(one.name for one in place.iterdir())


async def run(*words: str, **variables: object) -> Ended:
    return await asyncio.to_thread(lambda: headroom("doctor", *words, **variables))  # type: ignore[arg-type]


async def state_of(bootstrap: str) -> tuple[Any, ...]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return sorted(await admin.list_topics()), await admin.list_consumer_groups()
    finally:
        await admin.close()


async def test_where_all_is_well_it_says_so_and_changes_nothing(
    applied: str, tmp_path: Path
) -> None:
    authority, before = Authority(tmp_path), await state_of(applied)
    given = {**files(tmp_path), "KAFKA_BOOTSTRAP": applied, "CA_FILE": authority.file}
    async with venue(authority.serving()) as url, registry() as registry_url:
        there = inside(tmp_path)
        given |= {"SFOX_URL": url, "SCHEMA_REGISTRY_URL": registry_url}
        ended = await run("--json", *PATIENT, **given)
    assert ended.err == ""
    found = json.loads(ended.out)
    by_check: dict[str, list[str]] = {}
    for one in found["findings"]:
        # Its folder may be one in memory, or on a disk that is nearly full.
        if one["check"] != "disk":
            by_check.setdefault(one["check"], []).append(f"{one['status']} {one['reason']}")
    told = [line for each in by_check.values() for line in each]
    assert [line for line in told if not line.startswith("ok ")] == []
    assert list(by_check) == [name for name in NAMES if name != "disk"]
    assert (ended.status, found["ok"], found["counts"]["fail"]) == (0, True, 0)
    assert "of Kafka 4.2" in by_check["version"][0]
    assert "by DescribeQuorum" in by_check["clocks"][0]
    assert "Date" in by_check["clocks"][1]
    assert "in 29 days" in by_check["sfox"][0]
    assert CANARY not in ended.out
    assert (inside(tmp_path), await state_of(applied)) == (there, before)


async def test_much_that_is_wrong_is_named_at_once(
    applied: str, tmp_path: Path, silent: int
) -> None:
    await commands.without(applied, BALANCES)
    authority = Authority(tmp_path)
    given = files(tmp_path)
    (tmp_path / "API_TOKENS_FILE").chmod(0o644)
    given |= {
        "KAFKA_BOOTSTRAP": f"127.0.0.1:1,{applied}",
        "PARTITIONS": "many",
        "HTTP_PROT": 1,
        "DATA_DIR": tmp_path / "ALERTS_FILE" / "data",
        "CA_FILE": authority.file,
        "HERCLE_URL": f"https://localhost:{silent}/",
        "HERCLE_API_KEY": CANARY,
        "SCHEMA_REGISTRY_URL": f"http://127.0.0.1:{silent}",
        "ACCOUNTS_FILE": tmp_path / "nowhere",
    }
    async with venue(authority.serving(expired=True)) as url:
        ended = await run("--seconds", "8", "--skip", "issuer", **{**given, "SFOX_URL": url})
    assert (ended.status, ended.err) == (2, "")
    for line in (
        "FAIL  settings  HEADROOM_PARTITIONS is a number from 1 to 10000, not 'many'",
        "warn  settings  HEADROOM_HTTP_PROT is no setting: is HEADROOM_HTTP_PORT meant?",
        "warn  kafka     127.0.0.1:1: nobody listens there: start it, or correct HEADROOM_KAFKA_",
        f"ok    kafka     {applied} answers",
        f"FAIL  topics    1 topic is missing: {BALANCES}: `headroom topics apply`",
        f"FAIL  disk      HEADROOM_DATA_DIR {given['DATA_DIR']} cannot be written to: ",
        "FAIL  disk      HEADROOM_SPOOL_DIR",
        "FAIL  registry  nobody answers: no word for 6.4 s: correct HEADROOM_SCHEMA_REGISTRY_URL",
        "FAIL  sfox      localhost: its certificate is not accepted: certificate has expired",
        "FAIL  hercle    localhost says nothing for 6.4 s: correct HEADROOM_HERCLE_URL",
        "FAIL  tokens    HEADROOM_API_TOKENS_FILE is open to all",
        "FAIL  accounts  HEADROOM_ACCOUNTS_FILE cannot be read",
    ):
        assert line in ended.out, ended.out
    assert "issuer" not in ended.out
    assert CANARY not in ended.out


def test_a_check_that_there_is_not_is_one_line_that_names_all() -> None:
    headroom("doctor", "--only", "weather").is_one_line("'weather' is no check", *NAMES)
