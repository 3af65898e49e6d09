"""A process with few descriptors among slow strangers: it is asked, and its probes answer."""

import asyncio
import contextlib
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

DESCRIPTORS = 128
SLOW = 200


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of one that answers, and its log."""
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.processors.few_descriptors", str(DESCRIPTORS)],
            stdout=subprocess.PIPE,
            stderr=out,
        )
        try:
            assert process.stdout is not None
            yield process.stdout.readline().decode().strip(), log
            assert process.poll() is None
        finally:
            process.kill()
            process.communicate()


async def test_half_sent_requests_keep_nobody_out(served: tuple[str, Path]) -> None:
    url, log = served
    host, port = url.removeprefix("http://").split(":")
    with contextlib.ExitStack() as slow:
        for _ in range(SLOW):
            one = slow.enter_context(socket.create_connection((host, int(port)), timeout=5))
            with contextlib.suppress(ConnectionError):
                one.sendall(b"GET /v1/users HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        async with aiohttp.ClientSession() as session:
            for path in ("/livez", "/v1/quick", "/metrics"):
                async with session.get(url + path) as answer:
                    assert answer.status == 200
            async with session.get(url + "/metrics") as answer:
                text = await answer.text()
    found = re.search(r'dropped_total\{why="crowded"\} (\d+)', text)
    assert found is not None
    assert int(found[1]) >= SLOW - DESCRIPTORS
    assert len(log.read_text().splitlines()) <= 3


async def test_who_is_answered_keeps_out_all_but_probes(served: tuple[str, Path]) -> None:
    url, _ = served
    timeout = aiohttp.ClientTimeout(total=60)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as many:
        async with many.get(url + "/v1/room") as answer:
            room = int(await answer.text())
        held = [asyncio.create_task(many.get(url + "/v1/held")) for _ in range(room)]
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                while True:
                    async with session.get(url + "/v1/quick") as answer:
                        if answer.status == 503:
                            assert answer.headers["Retry-After"] == "1"
                            assert answer.content_type == "application/problem+json"
                            break
                async with session.get(url + "/readyz") as answer:
                    assert answer.status == 200
                async with session.post(url + "/livez") as answer:
                    assert answer.status == 200
            for one in await asyncio.gather(*held):
                assert one.status == 200
                one.release()
        finally:
            for task in held:
                task.cancel()
