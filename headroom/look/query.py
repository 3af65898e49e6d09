"""`headroom query`: ask a worker, and print the answer for a person."""

from typing import Any, Final
from urllib.parse import quote

import aiohttp
import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from headroom.base.asking import get, session
from headroom.base.printable import plain, printable
from headroom.base.settings import Settings
from headroom.look.figures import aligned, percent
from headroom.operate.past import look_back
from schemas.secrets import Secret

_PATHS: Final = {
    "user": "/v1/users/{}/exposure",
    "asset": "/v1/assets/{}/exposure",
    "base": "/v1/bases/{}/exposure",
}
_USERS_PER_PAGE: Final = 1_000


async def ask(
    url: str,
    subject: str,
    name: str | None,
    *,
    as_json: bool,
    token: Secret | None = None,
    console: Console | None = None,
) -> None:
    """Ask the worker at `url` and print; raises `NotAnswered`."""
    async with session(token) as connections:
        if name is None:
            await _print_users(connections, url, as_json=as_json)
            return
        quoted = quote(name, safe="")
        answer = await _answer(connections, url, _PATHS[subject].format(quoted))
        if subject == "user":
            balances = await _answer(connections, url, f"/v1/users/{quoted}/balances")
            answer = {"balances": balances, "exposure": answer}
    if as_json:
        click.echo(orjson.dumps(answer["balances"] if subject == "user" else answer))
        return
    console = console or Console(soft_wrap=True)
    for table in _TABLES[subject](answer):
        console.print(table)


async def ask_at(settings: Settings, user: str, at_ms: int, *, as_json: bool) -> None:
    """Print what a user held at a past moment; raises `NotKnown`."""
    past = await look_back(settings, user, at_ms)
    told = past.told()
    if as_json:
        click.echo(orjson.dumps(told))
        return
    console = Console(soft_wrap=True)
    for table in _holdings(f"{user}  at {past.at}", told["balances"], told["exposure"]):
        console.print(table)


async def _print_users(connections: aiohttp.ClientSession, url: str, *, as_json: bool) -> None:
    """Page after page, so that any number of users fits into memory."""
    after = ""
    while True:
        path = f"/v1/users?limit={_USERS_PER_PAGE}&after={quote(after, safe='')}"
        page = await _answer(connections, url, path)
        for user in page["users"]:
            click.echo(orjson.dumps(user) if as_json else printable(user))
        if page["next"] is None:
            return
        after = page["next"]


async def _answer(connections: aiohttp.ClientSession, url: str, path: str) -> Any:  # noqa: ANN401 - any JSON
    return orjson.loads(await get(connections, url, path))


def _user_tables(answer: dict[str, Any]) -> list[Table]:
    balances, exposure = answer["balances"], answer["exposure"]
    freshness = balances["freshness"]
    # A worker of an earlier version knows no more than stale or not.
    state = freshness.get("state", "stale" if freshness["stale"] else "live")
    age = f"{freshness['age_seconds']:.1f} s old" + (f", {state.upper()}" * (state != "live"))
    title = f"{balances['user']}  version {balances['version']}, {age}"
    return [*_holdings(title, balances, exposure), *_freshness(freshness)]


def _freshness(freshness: dict[str, Any]) -> list[Table]:
    """How fresh each account is, and why it is no more than that."""
    accounts = freshness.get("accounts", [])
    if not accounts:
        return []
    table = _table("freshness", ("venue", "account", "state", "age", "since", "why"))
    for one in accounts:
        table.add_row(
            plain(one["venue"]),
            plain(one["account"]),
            plain(one["state"]),
            f"{one['age_seconds']:.1f} s",
            plain(_to_the_second(one["since"])),
            plain(one["reason"] or ""),
        )
    return [table]


def _holdings(title: str, balances: dict[str, Any], exposure: dict[str, Any]) -> list[Table]:
    held = _Rows(title, ("asset", "venue", "total", "available", "held"))
    for account in balances["accounts"]:
        for asset, balance in account["assets"].items():
            held.add(asset, account["venue"], *map(balance.get, ("total", "available", "held")))
        for asset in account.get("unknown", ()):
            held.add(asset, account["venue"], "(more, unknown)", "", "")
    if not exposure["limits"]:
        return [held.table()]
    columns = ("venue", "asset", "current", "max", "headroom", "utilisation", "in")
    limits = _Rows("limits", columns)
    for limit in exposure["limits"]:
        name, unit = limit["asset"] or "(account)", limit["base_currency"] or ""
        limits.add(limit["venue"], name, *_used(limit), unit)
    return [held.table(), limits.table()]


def _asset_tables(answer: dict[str, Any]) -> list[Table]:
    rows = _Rows(
        f"{answer['asset']}  version {answer['version']}",
        ("venue", "total", "available", "held", "users"),
    )
    for venue, held in answer["by_venue"].items():
        rows.add(venue, held["total"], held["available"], held["held"], str(held["users"]))
    rows.end_section()
    total = (answer[name] for name in ("total", "available", "held"))
    rows.add("all", *total, str(answer["users"]))
    return [rows.table()]


def _base_tables(answer: dict[str, Any]) -> list[Table]:
    rows = _Rows(
        f"{answer['base_currency']}  version {answer['version']}",
        ("accounts", "current", "max", "headroom", "utilisation"),
    )
    rows.add(str(answer["accounts"]), *_used(answer))
    return [rows.table()]


def _used(limit: dict[str, Any]) -> tuple[str, str, str, str]:
    used = limit["utilisation"]
    current, maximum, left = (_or_unknown(limit[name]) for name in ("current", "max", "headroom"))
    return current, maximum, left, _or_unknown(None if used is None else percent(used))


_TABLES: Final = {"user": _user_tables, "asset": _asset_tables, "base": _base_tables}
_TEXT_COLUMNS: Final = frozenset({"asset", "venue", "in", "account", "state", "since", "why"})


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=plain(title), title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, justify="left" if column in _TEXT_COLUMNS else "right")
    return table


class _Rows:
    """The rows of a table, whose amounts can be aligned once all of them are there."""

    def __init__(self, title: str, columns: tuple[str, ...]) -> None:
        self._title = title
        self._columns = columns
        self._rows: list[tuple[str, ...]] = []
        self._sections: set[int] = set()

    def add(self, *cells: str) -> None:
        """Add a row of names and amounts, as they came."""
        self._rows.append(cells)

    def end_section(self) -> None:
        """Draw a line below the last row."""
        self._sections.add(len(self._rows) - 1)

    def table(self) -> Table:
        """The table; amounts stand under each other at their points."""
        table = Table(title=plain(self._title), title_justify="left", title_style="bold")
        cells = []
        for name, *column in zip(self._columns, *self._rows, strict=True):
            is_text = name in _TEXT_COLUMNS
            # rich takes the spaces off the end of what it justifies to the right.
            table.add_column(plain(name) if is_text else Text(name, justify="right"))
            cells.append(column if is_text else [f"{one:>{len(name)}}" for one in aligned(column)])
        for number, row in enumerate(zip(*cells, strict=True)):
            table.add_row(*map(plain, row), end_section=number in self._sections)
        return table


def _to_the_second(time: str | None) -> str:
    return "" if time is None else f"{time[:19]}Z"


def _or_unknown(amount: str | None) -> str:
    return "unknown" if amount is None else amount
