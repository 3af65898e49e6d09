"""`headroom query`: what a person sees of a worker's answers."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console

from headroom.base.asking import NotAnswered
from headroom.look.query import ask

BALANCES: dict[str, Any] = {
    "user": "hercle:user 1",
    "accounts": [
        {
            "venue": "hercle",
            "account": "user 1",
            "assets": {
                "BTC": {"total": "0.50000000", "available": "0.3", "held": "0.2"},
                "EUR": {"total": "1430", "available": "1430", "held": "0"},
            },
            "unknown": ["SOL"],
        }
    ],
    "totals": {"BTC": {"total": "0.50000000", "available": "0.3", "held": "0.2"}},
    "version": 7,
    "freshness": {"age_seconds": 1.25, "stale": True},
}
EXPOSURE: dict[str, Any] = {
    "user": "hercle:user 1",
    "limits": [
        {
            "venue": "hercle",
            "account": "user 1",
            "asset": None,
            "base_currency": "EUR",
            "current": "1430",
            "max": "1500",
            "headroom": "70",
            "utilisation": "0.953333",
        },
        {
            "venue": "hercle",
            "account": "user 1",
            "asset": "BTC",
            "base_currency": "EUR",
            "current": None,
            "max": "1500",
            "headroom": None,
            "utilisation": None,
        },
    ],
}
ASSET = {
    "asset": "BTC",
    "total": "10.5",
    "available": "10.3",
    "held": "0.2",
    "users": 2,
    "by_venue": {"sfox": {"total": "10", "available": "10", "held": "0", "users": 1}},
    "version": 3,
}
BASE = {
    "base_currency": "EUR",
    "current": None,
    "max": "1500",
    "headroom": None,
    "utilisation": None,
    "accounts": 2,
    "version": 1,
}


@pytest.fixture
async def worker() -> AsyncIterator[str]:
    """A stand-in that answers with canned documents, by the very paths of the contract."""

    async def answer(request: web.Request) -> web.Response:
        match request.raw_path.split("?")[0]:
            case "/v1/users/hercle%3Auser%201/balances":
                return web.json_response(BALANCES)
            case "/v1/users/hercle%3Auser%201/exposure":
                return web.json_response(EXPOSURE)
            case "/v1/assets/BTC/exposure":
                return web.json_response(ASSET)
            case "/v1/bases/EUR/exposure":
                return web.json_response(BASE)
            case "/v1/users":
                more = request.query["after"] == ""
                users = ["a", "b"] if more else ["c"]
                return web.json_response({"users": users, "next": "b" if more else None})
            case _:
                return web.json_response({"detail": "no such user: 'x'"}, status=404)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}"


async def test_a_user_is_shown_with_digits_as_they_are(
    worker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every amount with its own digits, the age, and what is not known as unknown."""
    await ask(worker, "user", "hercle:user 1", as_json=False)
    shown = capsys.readouterr().out
    assert "0.50000000" in shown
    assert "STALE" in shown
    assert "95.3 %" in shown
    assert "0.953333" not in shown
    # The points stand under each other.
    btc, eur = (re.search(rf"│ {name} .*", shown) for name in ("BTC", "EUR"))
    assert btc is not None
    assert eur is not None
    assert eur[0].index("1430") + len("1430") == btc[0].index(".50000000")
    assert "unknown" in shown
    assert "(account)" in shown
    assert re.search(r"SOL +hercle +\(more, unknown\)", shown.replace("│", " "))


async def test_each_account_is_shown_with_how_fresh_it_is_and_why(
    worker: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = [
        {
            "venue": "hercle",
            "account": "user 1",
            "state": "unconfirmed",
            "cause": "reconnected",
            "reason": "connected again at 22:00:25",
            "since": "2024-03-13T22:00:25.120000000Z",
            "age_seconds": 12.34,
        },
        {
            "venue": "sfox",
            "account": "[red]\x1b[2J",
            "state": "live",
            "cause": None,
            "reason": None,
            "since": None,
            "age_seconds": 0.5,
        },
    ]
    fresh = {"age_seconds": 12.34, "stale": True, "state": "unconfirmed", "accounts": accounts}
    monkeypatch.setitem(BALANCES, "freshness", fresh)
    await ask(worker, "user", "hercle:user 1", as_json=False, console=Console(width=200))
    shown = capsys.readouterr().out
    for word in (
        *("12.3 s old, UNCONFIRMED", "connected again at 22:00:25", "unconfirmed", "live"),
        *("2024-03-13T22:00:25Z", "12.3 s", "0.5 s", "[red]\N{REPLACEMENT CHARACTER}[2J"),
    ):
        assert word in shown, word
    assert "\x1b" not in shown
    monkeypatch.setitem(BALANCES, "freshness", fresh | {"stale": False, "state": "live"})
    await ask(worker, "user", "hercle:user 1", as_json=False, console=Console(width=200))
    assert "12.3 s old, " not in capsys.readouterr().out


async def test_json_is_the_document_as_it_came(
    worker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a machine reads is one JSON text on standard output."""
    await ask(worker, "user", "hercle:user 1", as_json=True)
    assert json.loads(capsys.readouterr().out) == BALANCES
    await ask(worker, "asset", "BTC", as_json=True)
    assert json.loads(capsys.readouterr().out) == ASSET


async def test_sums_are_shown_by_venue_and_over_all(
    worker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An asset with its venues, a base currency with its unknown sum."""
    await ask(worker, "asset", "BTC", as_json=False)
    shown = capsys.readouterr().out
    assert "10.5" in shown
    assert "sfox" in shown
    await ask(worker, "base", "EUR", as_json=False)
    assert "unknown" in capsys.readouterr().out


async def test_all_users_come_page_after_page(
    worker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line a user, over as many pages as there are."""
    await ask(worker, "users", None, as_json=False)
    assert capsys.readouterr().out.split() == ["a", "b", "c"]


async def test_what_a_worker_refuses_is_one_clear_line(worker: str) -> None:
    """The worker's own words, or that there is none."""
    with pytest.raises(NotAnswered, match="no such user"):
        await ask(worker, "user", "x", as_json=False)
    with pytest.raises(NotAnswered, match=r"no worker answers at http://127\.0\.0\.1:1:"):
        await ask("http://127.0.0.1:1", "users", None, as_json=False)


async def test_names_are_text_and_nothing_else(
    worker: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is the venue's: it may look like markup, or tell a terminal to do something."""
    odd = "hercle:[red]\x1b[2J\n"
    monkeypatch.setitem(BALANCES, "user", odd)
    monkeypatch.setitem(EXPOSURE["limits"][1], "asset", odd)
    await ask(worker, "user", "hercle:user 1", as_json=False)
    shown = capsys.readouterr().out
    assert shown.count("hercle:[red]\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}") == 2
    assert "\x1b" not in shown
