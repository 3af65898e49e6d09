"""Questions to a worker."""

import os
from typing import Any

import click

from headroom.base.environment import Environment
from headroom.base.options import Moment, load_settings, worker_url
from headroom.base.running import run
from schemas.venues import VENUES

KINDS = ("balances", "exposure", "freshness", "alert")
"""What events there are (`Hub.kinds`, which this does not import for speed)."""


@click.group(no_args_is_help=False)
def query() -> None:
    """Ask a worker, and print the answer for a person."""


def _query_options(command: Any) -> Any:  # noqa: ANN401 - a decorator
    for option in (
        click.option("--json", "as_json", is_flag=True, help="The document as it came."),
        click.option(
            "--url", help="Any worker [default: from HEADROOM_HTTP_HOST and HEADROOM_HTTP_PORT]."
        ),
    ):
        command = option(command)
    return command


def _ask(subject: str, name: str | None, url: str | None, *, as_json: bool) -> None:
    from headroom.look.query import ask

    worker = worker_url(url)
    token = Environment(os.environ).bearer("API_TOKEN")
    run(lambda _: ask(worker, subject, name, as_json=as_json, token=token))


@click.command()
@click.option("--user", "users", multiple=True, metavar="USER", help="Of these users only.")
@click.option("--asset", "assets", multiple=True, metavar="ASSET", help="Of these assets only.")
@click.option("--venue", "venues", multiple=True, type=click.Choice([*VENUES]))
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Of these kinds only."
)
@click.option("--snapshot", is_flag=True, help="What is now first.")
@click.option("--after", metavar="ID", help="Go on behind this event, instead of from now on.")
@_query_options
def events(
    users: tuple[str, ...],
    assets: tuple[str, ...],
    venues: tuple[str, ...],
    kinds: tuple[str, ...],
    snapshot: bool,  # noqa: FBT001 - a flag
    after: str | None,
    url: str | None,
    as_json: bool,  # noqa: FBT001 - a flag
) -> None:
    """Tell what changes as it changes, line by line; Ctrl-C ends it.

    Where the connection breaks it goes on from where it was.
    """
    from headroom.look.events import Wanted, follow

    wanted = Wanted(worker_url(url), users, assets, venues, kinds, snapshot=snapshot, after=after)
    token = Environment(os.environ).bearer("API_TOKEN")
    run(lambda stop: follow(wanted, stop, as_json=as_json, token=token))


@query.command("user")
@click.argument("name", metavar="USER")
@click.option(
    "--at",
    "at_ms",
    type=Moment(),
    metavar="TIME",
    help="What it was then, from Kafka: 2026-11-25T10:00Z, 2026-11-25, 90m ago.",
)
@_query_options
def query_user(name: str, at_ms: int | None, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - a flag
    """What a user holds, where, how much is free, and how close the limits are."""
    if at_ms is None:
        _ask("user", name, url, as_json=as_json)
        return
    from headroom.look.query import ask_at

    if url is not None:
        message = "--at asks Kafka, so there is no --url"
        raise click.UsageError(message)
    settings = load_settings()
    run(lambda _: ask_at(settings, name, at_ms, as_json=as_json))


@query.command("asset")
@click.argument("name", metavar="ASSET")
@_query_options
def query_asset(name: str, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - a flag
    """What all users hold of an asset."""
    _ask("asset", name, url, as_json=as_json)


@query.command("base")
@click.argument("name", metavar="CURRENCY")
@_query_options
def query_base(name: str, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - a flag
    """All accounts' totals in a base currency."""
    _ask("base", name, url, as_json=as_json)


@query.command("users")
@_query_options
def query_users(url: str | None, as_json: bool) -> None:  # noqa: FBT001 - a flag
    """All users."""
    _ask("users", None, url, as_json=as_json)
