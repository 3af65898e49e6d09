"""A worker, a look at it, and tokens to ask it with."""

import os
from pathlib import Path

import click

from headroom.base.environment import Environment
from headroom.base.mistakes import Mistakes
from headroom.base.options import load_settings, worker_url
from headroom.base.running import run


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), help="Instead of HEADROOM_HTTP_PORT.")
def work(port: int | None) -> None:
    """One worker with the HTTP interface; start more for more."""
    from headroom.operate.needs import look_at
    from headroom.run.work import run_worker

    mistakes = Mistakes()
    settings = load_settings(mistakes, serves=True)
    look_at(settings, mistakes)
    mistakes.refuse()
    run(lambda stop: run_worker(settings, settings.http_port if port is None else port, stop))


@click.command()
@click.option("--url", help="Any worker [default: from HEADROOM_HTTP_HOST and HEADROOM_HTTP_PORT].")
def watch(url: str | None) -> None:
    """Watch a running worker; Ctrl-C ends it."""
    from rich.console import Console

    from headroom.look.live import watch as watch_worker

    worker, secret = worker_url(url), Environment(os.environ).bearer("API_TOKEN")
    run(lambda stop: watch_worker(worker, stop, console=Console(), token=secret))


@click.command()
@click.argument("name")
@click.option(
    "--user", "users", multiple=True, metavar="USER", help="A user it is for [default: all users]."
)
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="HEADROOM_API_TOKENS_FILE",
    required=True,
    help="The tokens file [default: HEADROOM_API_TOKENS_FILE].",
)
def token(name: str, users: tuple[str, ...], path: Path) -> None:
    """Make a token to ask workers with; its hash goes into the tokens file, itself nowhere."""
    from headroom.operate.tokens import add

    click.echo(add(path, name, list(users)).reveal())
