"""Rules of alerts, looked over and tried; and what was told by them."""

import os
import time
from pathlib import Path

import click

from headroom.base.environment import Environment
from headroom.base.mistakes import Mistakes
from headroom.base.options import load_settings, worker_url
from headroom.base.running import run

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(no_args_is_help=False)
def alerts() -> None:
    """Which limits are told of, and when."""


@alerts.command("check")
@click.argument("path", metavar="FILE", type=_FILE)
def check(path: Path) -> None:
    """Say all that is wrong with a rules file, a line each, or what its rules are."""
    from headroom.operate.alerts.file import RulesWrong, read_file, summary

    found = read_file(path)
    if isinstance(found, list):
        for line in found:
            click.echo(line)
        count = f"{len(found)} mistakes" if len(found) > 1 else "1 mistake"
        message = f"{path}: {count}"
        raise RulesWrong(message)
    for rule in found:
        click.echo(summary(rule))


@alerts.command("test")
@click.argument("path", metavar="FILE", type=_FILE)
@click.option("--url", help="Any worker [default: from HEADROOM_HTTP_HOST and HEADROOM_HTTP_PORT].")
@click.option(
    "--documents", type=_FILE, help="Judge these instead: lines of `query user U --json`."
)
@click.option("--json", "as_json", is_flag=True, help="Each alert as a JSON object.")
def test(path: Path, url: str | None, documents: Path | None, as_json: bool) -> None:  # noqa: FBT001 - a flag
    """Print what a rules file would tell of now; nothing is sent, and no time is waited for."""
    from headroom.base.printable import printable
    from headroom.operate.alerts.file import RulesWrong, read_file
    from headroom.operate.alerts.trial import ask_all, line_of, read_documents, would_tell
    from schemas.codec import encode

    found = read_file(path)
    if isinstance(found, list):
        message = f"{found[0]} (`headroom alerts check {path}` tells all)"
        raise RulesWrong(message)
    in_assets = load_settings().in_assets
    if documents is not None:
        answers = read_documents(documents)
    else:
        worker, token = worker_url(url), Environment(os.environ).bearer("API_TOKEN")
        answers = run(lambda _: ask_all(worker, token))
    for alert in would_tell(answers, found, now_ns=time.time_ns(), in_assets=in_assets):
        click.echo(encode(alert) if as_json else printable(line_of(alert)))


@alerts.command("list")
@click.option("--user", metavar="USER", help="Only this user's.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Each as a JSON object.")
def list_them(user: str | None, limit: int, as_json: bool) -> None:  # noqa: FBT001 - a flag
    """The newest alerts that were told, each with its identity."""
    from headroom.operate.alerts.told import run_list

    settings = load_settings()
    run(lambda _: run_list(settings, user, limit=limit, as_json=as_json))


@alerts.command("show")
@click.argument("event", metavar="ID")
def show(event: str) -> None:
    """All of an alert, by its identity (`ce_id`)."""
    from headroom.operate.alerts.told import run_show

    settings = load_settings()
    run(lambda _: run_show(settings, event))


@alerts.command("deliver")
@click.option(
    "--group",
    default="headroom-webhooks",
    show_default=True,
    help="The consumer group: one for each receiver.",
)
def deliver(group: str) -> None:
    """Post alerts to HEADROOM_WEBHOOK_URL, signed with HEADROOM_WEBHOOK_SECRET_FILE, as they come.

    The first time from now on, later from where it was.
    """
    from headroom.run.webhooks.run import run_delivery, webhook_of

    mistakes = Mistakes()
    settings = load_settings(mistakes, serves=True)
    read = mistakes.of(lambda: webhook_of(os.environ))
    mistakes.of(settings.kafka.arguments)
    webhook = mistakes.whole(read)
    run(lambda stop: run_delivery(settings, webhook, group, stop))
