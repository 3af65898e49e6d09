"""`headroom events`: followed over breaks, refused, piped; and its lines for a person."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from headroom.base.asking import NotAnswered
from headroom.cli.query import KINDS
from headroom.look.event_lines import line_of
from headroom.look.events import Wanted, follow
from processors.http.access import Access, Grant, hashed
from schemas.export.examples import ALERT
from schemas.secrets import Secret
from tests.headroom.commands import environment
from tests.processors.events.reading import reading
from tests.processors.events.site import Site, serving

TOKEN = "canary-0123456789-0123456789-0123456789"


class Followed:
    """A follower in this process; `lines` is what it has printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.lines: list[Any] = []
        self.said = ""
        self.pauses: list[float] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    @contextlib.asynccontextmanager
    async def running(
        self, wanted: Wanted, token: str | None = None
    ) -> AsyncIterator[asyncio.Task[None]]:
        stop = asyncio.Event()
        task = asyncio.create_task(
            follow(
                wanted,
                stop,
                as_json=True,
                token=None if token is None else Secret(token),
                rng=Random(1),
                sleep=self._sleep,
            )
        )
        try:
            yield task
        finally:
            stop.set()
            await asyncio.wait([task])

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self.may_go_on.wait()

    async def until(self, wanted: Callable[[Any], object]) -> None:
        """Wait for a line."""
        async with asyncio.timeout(30):
            while True:
                found = self._capsys.readouterr()
                self.said += found.err
                self.lines += [json.loads(line) for line in found.out.splitlines()]
                if any(wanted(line) for line in self.lines):
                    return
                await asyncio.sleep(0.01)


def tells(user: str, version: int) -> Callable[[Any], object]:
    return lambda line: (line["data"].get("user"), line["data"].get("version")) == (user, version)


async def change(site: Site, url: str, version: int) -> None:
    """Of this change nobody is told who begins to read afterwards, from then on."""
    async with reading(url, "?kind=balances") as other:
        await other.until(lambda event: event.kind == "current")
        site.rows.put("b", version)
        await other.until(lambda event: event.data.get("version") == version)


async def test_it_goes_on_where_it_was_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    site, seen = Site(), Followed(capsys)
    site.rows.put("a&b=+", 1)
    async with serving(site) as url:
        users = ("sfox:a&b=+", "sfox:b")
        wanted = Wanted(url, users=users, kinds=("balances",), snapshot=True)
        async with seen.running(wanted):
            await seen.until(lambda line: line["event"] == "current")
            assert [line["event"] for line in seen.lines] == ["reset", "balances", "current"]
            site.rows.put("other", 1)
            site.rows.put("b", 1)
            await seen.until(tells("sfox:b", 1))
            seen.may_go_on.clear()
            site.cut()
            await change(site, url, 2)
            seen.may_go_on.set()
            await seen.until(tells("sfox:b", 2))
        told = [line["data"]["user"] for line in seen.lines if line["event"] == "balances"]
        assert set(told) == set(users)
        assert [line["event"] for line in seen.lines].count("reset") == 1
        assert seen.pauses
        assert "going on from where it was" in seen.said
        last_id = [line["id"] for line in seen.lines if line["id"]][-1]
        await change(site, url, 3)
        later = Followed(capsys)
        async with later.running(msgspec.structs.replace(wanted, after=last_id)):
            await later.until(tells("sfox:b", 3))
        assert "reset" not in {line["event"] for line in later.lines}


async def test_who_is_refused_ends_and_who_is_too_early_waits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    site, seen = Site(), Followed(capsys)
    access = Access([Grant("x", hashed(TOKEN), None)], Secret("w" * 32))
    async with serving(site, access) as url:
        with pytest.raises(NotAnswered, match="HEADROOM_API_TOKEN"):
            await follow(Wanted(url), asyncio.Event(), as_json=True, token=Secret("wrong" * 9))
        async with seen.running(Wanted(url, snapshot=True), TOKEN) as task:
            await seen.until(lambda line: line["event"] == "current")
            # A token that is taken away while it reads.
            access.replace([])
            async with asyncio.timeout(30):
                with pytest.raises(NotAnswered, match="HEADROOM_API_TOKEN"):
                    await task
    with pytest.raises(NotAnswered, match="no worker answers"):
        await follow(Wanted(url), asyncio.Event(), as_json=True, token=None)


async def test_a_worker_that_cannot_tell_yet_is_asked_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers = [503, 503, 200]

    async def events(_: web.Request) -> web.Response:
        status = answers.pop(0)
        if status == 200:
            return web.Response(body=b"", content_type="text/plain")
        return web.json_response({"detail": "tables are restored"}, status=status)

    app = web.Application()
    app.add_routes([web.get("/v1/events", events)])
    seen = Followed(capsys)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        async with seen.running(Wanted(url)) as task, asyncio.timeout(30):
            with pytest.raises(NotAnswered, match="tells no events"):
                await task
    assert (answers, len(seen.pauses)) == ([], 2)


async def test_a_pipe_that_is_closed_ends_it_silently() -> None:
    """The command itself, with its token, as `headroom events | head -1` runs it."""
    site = Site()
    access = Access([Grant("x", hashed(TOKEN), None)], Secret("w" * 32))
    site.rows.put("a", 1)
    async with serving(site, access) as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "headroom", "events", "--url", url),
            *("--kind", "balances", "--snapshot"),
            env=environment(API_TOKEN=TOKEN),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        reset, told, current = [await process.stdout.readline() for _ in range(3)]
        assert reset == b"reset      partitions 0: as it is now\n"
        assert told.startswith(b"balances   sfox:a  version 1  ")
        assert current.startswith(b"current")
        process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        async with asyncio.timeout(30):
            version = 1
            while process.returncode is None:
                version += 1
                site.rows.put("a", version)
                await asyncio.sleep(0.05)
        assert (process.returncode, await process.stderr.read()) == (0, b"")


def test_the_kinds_are_those_of_a_worker() -> None:
    assert Site().hub.kinds == KINDS


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        (
            "alert",
            msgspec.to_builtins(ALERT),
            (
                "alert      warning  near-the-limit  hercle:user-123  hercle:user-123 account  "
                "utilisation_above 0.80: 0.953333 EUR  2024-03-13T22:00:25.310000000Z"
            ),
        ),
        (
            "alert",
            {**msgspec.to_builtins(ALERT), "level": "cleared", "threshold": None, "value": None},
            (
                "alert      cleared  near-the-limit  hercle:user-123  hercle:user-123 account  "
                "utilisation_above: unknown EUR  2024-03-13T22:00:25.310000000Z"
            ),
        ),
        ("balances", {"user": "a\x1b[2J", "version": 2, "deleted": True}, "a\ufffd[2J  version 2"),
        (
            "balances",
            {
                "user": "a",
                "version": 2,
                "freshness": {"state": "stale", "reason": "silent"},
                "totals": {f"A{n}": {"total": "1.50"} for n in range(10)},
            },
            "a  version 2  stale  A0 1.50, A1 1.50,",
        ),
        (
            "exposure",
            {
                "user": "a",
                "version": 2,
                "freshness": {"state": "live", "reason": None},
                "limits": [
                    {
                        "venue": "hercle",
                        "asset": None,
                        "utilisation": "0.953333",
                        "max": "1500",
                        "base_currency": "EUR",
                    }
                ],
            },
            "exposure   a  version 2  live  hercle account 95.3 % of 1500 EUR",
        ),
        (
            "freshness",
            {"user": "a", "version": 2, "freshness": {"state": "stale", "reason": "silent"}},
            "freshness  a  version 2  stale: silent",
        ),
        ("moved", {"partitions": [1, 2], "to": None}, "moved      partitions 1, 2"),
        ("strange", {"x": 1}, "strange    {'x': 1}"),
    ],
)
def test_a_line_for_a_person(kind: str, data: dict[str, Any], line: str) -> None:
    assert line in line_of(kind, data)
