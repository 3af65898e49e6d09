"""A venue says our key in whatever it sends; it is looked for in all that Headroom makes of it."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from headroom.operate.tokens import add
from schemas.topics import TOPICS
from tests.headroom.commands import started, until
from tests.headroom.house import house
from tests.processors.issuing import AUDIENCE, ISSUER, Signer
from tests.producers import frames, topics

KEY = "canary-venue-key-0123"
WORKER = "canary-worker-token-0123456789-0123"
BALANCES = frames.SFOX.decode()
SAID = [
    # What may be anybody's balances is said first: behind some it would end the connection.
    json.dumps({"notice": f"api key {KEY} expires"}),
    json.dumps({"notice": f"api key {KEY} expires"}).replace("-", "\\u002d"),
    f"{KEY} is no JSON",
    BALANCES,
    BALANCES.replace("test3", KEY),
    BALANCES.replace('"balance": "9.99850081"', f'"balance": "{KEY}"'),
    json.dumps({"type": "error", "payload": {"message": f"no {KEY}"}}),
]


async def talk(socket: ServerConnection) -> None:
    await socket.recv()
    await socket.send(frames.AUTHENTICATED.decode())
    await socket.recv()
    await socket.send(frames.SUBSCRIBED.decode())
    for text in SAID:
        await socket.send(text)
    await socket.close(1008, f"api key {KEY} has expired")


@pytest.fixture
def venue() -> Iterator[str]:
    """The URL of that venue; it lives in a thread, beside commands that are waited for."""
    known, over = Event(), Event()
    urls: list[str] = []

    async def live() -> None:
        async with serve(talk, "127.0.0.1", 0) as server:
            urls.append(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws")
            known.set()
            await asyncio.to_thread(over.wait)

    thread = Thread(target=lambda: asyncio.run(live()))
    thread.start()
    assert known.wait(20)
    yield urls[0]
    over.set()
    thread.join(20)


def answer(url: str, token: str) -> str:
    """Status, headers and body of a worker's answer."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request, timeout=20) as found:  # noqa: S310 - as above
            return f"{found.status} {found.headers} {found.read().decode()}"
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.code} {error.headers} {error.read().decode()}"


def records(bootstrap: str, topic: str) -> list[Any]:
    return asyncio.run(topics.records(bootstrap, topic))


def values(bootstrap: str, topic: str) -> set[bytes | None]:
    return {record.value for record in records(bootstrap, topic)}


def test_a_key_that_a_venue_says_is_in_no_log_no_topic_and_no_answer(
    venue: str, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.toml"
    token = add(tokens, "risk", []).reveal()
    signer, keys = Signer("EdDSA", "key-1"), tmp_path / "jwks.json"
    keys.write_text(json.dumps({"keys": [signer.jwk()]}))
    signed = signer.token(nbf=None, exp=time.time() + 600)
    forged = Signer("EdDSA", "key-1").token(nbf=None, exp=time.time() + 600)
    settings = {"API_TOKENS_FILE": tokens, "WORKER_TOKEN": WORKER, "LOG_LEVEL": "DEBUG"}
    settings |= {"JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE, "JWKS_FILE": keys}
    given = {"SFOX_API_KEY": KEY, "SFOX_URL": venue, "LOG_LEVEL": "DEBUG"}
    given["SPOOL_DIR"] = str(tmp_path / "spool")
    with house(tmp_path / "house", **settings) as its:
        words = ("produce", "sfox")
        given["KAFKA_BOOTSTRAP"] = its.bootstrap
        with started(tmp_path / "producer", *words, **given) as producer:
            until(lambda: "has expired" in producer.output, why=lambda: producer.output)
            assert producer.stop() == 0
        # The error ends the connection, so that it may all be said again.
        assert len(values(its.bootstrap, "raw.sfox.balances.v1")) == len(SAID) - 1
        dead = "deadletters.v1"
        until(lambda: len(values(its.bootstrap, dead)) == 4, why=lambda: its.worker.output)
        own = its.url + "/v1/users/sfox%3Atest3/balances"
        until(lambda: "9.99850081" in answer(own, token), why=lambda: its.worker.output)
        assert "9.99850081" in answer(own, signed)
        paths = ("users", "feeds", "overview", "assets", "nothing", "users/sfox%3ASecret/balances")
        told = [answer(f"{its.url}/v1/{path}", token) for path in paths]
        told += [answer(f"{its.url}/v1/users", wrong) for wrong in (token[:-1], forged, "a.b.c")]
        assert all(one.startswith("401 ") for one in told[-3:])
        told += [answer(own, signed), answer(f"{its.url}/metrics", token)]
        # A token file's own mistake: read by nobody, and told by nobody.
        told.append(answer(its.url + "/v1/users", token + "\x01"))
        assert told[-1].startswith("400 ")
        kept = repr([one for name in TOPICS for one in records(its.bootstrap, name)])
        logs = producer.output + its.worker.output
    assert "closed_by_venue (1008 api key Secret(hidden) has expired)" in logs
    assert "the venue says: no Secret(hidden)" in logs
    assert "Secret(hidden)" in kept
    for secret in (KEY, KEY.replace("-", "\\\\u002d"), token, WORKER, signed, forged):
        for where in (logs, kept, *told):
            assert secret not in where
