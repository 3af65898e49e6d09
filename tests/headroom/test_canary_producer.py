"""A whole producer on TLS whose key is changed while it runs: the keys are looked for everywhere.

The venue says them, the proxy's password is beside them in the environment; logs are at DEBUG and
JSON, Kafka is away for a while so that frames lie in the spool.
"""

import asyncio
import json
import signal
from pathlib import Path
from threading import Event, Thread
from typing import Self

import pytest
from websockets.asyncio.server import ServerConnection, serve

from headroom.local.kafka import KafkaNode
from schemas.topics import TOPICS
from tests.headroom.commands import headroom, started, until
from tests.headroom.run.test_probes import asked, url, value
from tests.headroom.test_canary import records
from tests.producers import frames
from tests.producers.certificates import Authority

OLD, NEW, THIRD = (f"canary-venue-key-{name}-0123" for name in ("old", "new", "third"))
PASSWORD = "canary-of-the-proxy-0123"


class Venue:
    """An sFOX on TLS, in a thread; it says the keys that it is shown."""

    def __init__(self, authority: Authority) -> None:
        self.accepted = {NEW}
        self.came: list[str] = []
        self.url = ""
        self._tls = authority.serving()
        self._known, self._over = Event(), Event()
        self._thread = Thread(target=lambda: asyncio.run(self._live()))

    async def talk(self, socket: ServerConnection) -> None:
        key = json.loads(await socket.recv())["apiKey"]
        self.came.append(key)
        if key not in self.accepted:
            refusal = json.loads(frames.WRONG_KEY)
            refusal["payload"] = {"message": f"no such key: {key}"}
            await socket.send(json.dumps(refusal))
            await socket.close(1008, f"no {key}")
            return
        await socket.send(frames.AUTHENTICATED.decode())
        await socket.recv()
        await socket.send(frames.SUBSCRIBED.decode())
        number = 0
        while not self._over.is_set():
            number += 1
            text = frames.sfox(user=f"u{number % 3}", sequence=number).decode()
            await socket.send(text.replace("{", f'{{"notice": "key {key}", ', 1))
            await asyncio.sleep(0.05)

    async def _live(self) -> None:
        async with serve(self.talk, "127.0.0.1", 0, ssl=self._tls) as server:
            self.url = f"wss://localhost:{server.sockets[0].getsockname()[1]}/ws"
            self._known.set()
            await asyncio.to_thread(self._over.wait)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._known.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(20)


def everything_under(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.timeout(300)
def test_no_key_is_anywhere_whatever_happens_to_it(
    node: KafkaNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}@127.0.0.1:9")  # not for this machine
    assert headroom("topics", "apply", KAFKA_BOOTSTRAP=node.bootstrap).status == 0
    authority, wrong = Authority(tmp_path), Authority(tmp_path, "wrong")
    trusted, key = tmp_path / "trusted.pem", tmp_path / "key"
    trusted.write_bytes(wrong.file.read_bytes())
    key.write_text(OLD + "\n")
    given = {
        "KAFKA_BOOTSTRAP": node.bootstrap,
        "DATA_DIR": tmp_path / "data",
        "SFOX_API_KEY_FILE": key,
        "CA_FILE": trusted,
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": "json",
    }
    told: list[str] = []
    with Venue(authority) as venue:
        given["SFOX_URL"] = venue.url
        with started(tmp_path / "producer", "produce", "sfox", **given) as producer:

            def look() -> None:
                told.extend(asked(base + path)[1] for path in ("/metrics", "/readyz", "/livez"))

            base = url(producer)
            until(lambda: "certificate_refused" in asked(base + "/metrics")[1])
            look()
            trusted.write_bytes(authority.file.read_bytes())
            # The old key is refused, for two minutes; the new one is used as soon as it is there.
            until(lambda: value(base, "refusals_total", venue="sfox", what="key") == 1)
            look()
            key.write_text(NEW)

            def ready() -> bool:
                return asked(base + "/readyz")[0] == 200

            until(ready, why=lambda: producer.output)
            assert venue.came == [OLD, NEW]
            asyncio.run(node.stop())
            until(lambda: (value(base, "spool_age_seconds", venue="sfox") or 0) > 1)
            spooled = everything_under(tmp_path / "data/spool")
            look()
            asyncio.run(node.start())
            venue.accepted.add(THIRD)
            key.write_text(THIRD)
            producer.process.send_signal(signal.SIGHUP)
            until(lambda: venue.came[-1] == THIRD, why=lambda: producer.output)
            until(ready, seconds=120, why=lambda: producer.output)
            look()
            command_line = producer.command_line()
            assert producer.stop() == 0
            logs = producer.output
    kept = repr([one for name in TOPICS for one in records(node.bootstrap, name)])
    assert "Secret(hidden)" in kept
    assert b"Secret(hidden)" in spooled
    assert "no such key: Secret(hidden)" in logs
    assert "another key was read for connection 1" in logs
    for line in logs.splitlines():
        assert isinstance(json.loads(line), dict), line
    at_rest = spooled + everything_under(tmp_path / "data")
    for secret in (OLD, NEW, THIRD, PASSWORD):
        for where in (logs, kept, *told):
            assert secret not in where
        assert secret.encode() not in command_line + at_rest
