"""The command line: what each command is called and takes; the work is done elsewhere.

Modules are imported by the command that needs them, so that `--help` is quick and a command does
not fail for a library that another one needs.
"""

import os
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from headroom.errors import OperatorError
from headroom.running import one_clear_line, run, set_up_logging
from headroom.settings import Environment, Settings, load

# Ten years.
_SECONDS_MAX = 10 * 366 * 24 * 60 * 60


class _Rate(click.ParamType):
    name = "rate"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:  # noqa: ANN401 - click's own signature
        try:
            rate = Decimal(value)
        except InvalidOperation:
            rate = Decimal(-1)
        if not rate.is_finite() or rate < 0:
            self.fail(f"{value!r} is not a number of at least 0", param, ctx)
        return rate


class _Seconds(click.ParamType):
    name = "seconds"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:  # noqa: ANN401 - click's own signature
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not 1 <= seconds <= _SECONDS_MAX:
            self.fail(f"{value!r} is not a number of at least 1", param, ctx)
        return seconds


def main() -> None:
    """The command `headroom`."""
    with one_clear_line():
        try:
            sys.exit(headroom.main(standalone_mode=False))
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            raise OperatorError(_with_hint(error)) from None
        except click.Abort:
            raise KeyboardInterrupt from None


def _with_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = "" if context is None else f" (see `{context.command_path} --help`)"
    return error.format_message() + hint


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headroom")
def headroom() -> None:
    """Live balances, exposure and headroom under limits, per user, across venues.

    Settings are environment variables HEADROOM_* (see docs/contract.md).
    """


@headroom.command()
@click.option("--for", "seconds", type=_Seconds(), help="End after SECONDS.")
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON.")
@click.option(
    "--rate",
    type=_Rate(),
    default=Decimal(100),
    show_default=True,
    help="Balance frames a second over both venues.",
)
@click.option(
    "--users",
    type=click.IntRange(2, 20_000),
    default=200,
    show_default=True,
    help="Users at sFOX; Hercle has a tenth.",
)
def demo(seconds: float | None, as_json: bool, rate: Decimal, users: int) -> None:  # noqa: FBT001 - a flag
    """Everything on this machine: Kafka, both venues, producers, a worker."""
    from headroom.demo import DemoOptions, run_demo

    options = DemoOptions(seconds=seconds, as_json=as_json, rate_per_second=rate, users=users)
    sys.exit(run(lambda stop: run_demo(options, stop)))


@headroom.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="0: a free one.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where its data lasts [default: kafka in HEADROOM_DATA_DIR].",
)
def broker(port: int, data: Path | None) -> None:
    """One real Apache Kafka node without Docker."""
    from headroom.broker import run_broker

    settings = _settings()
    run(lambda stop: run_broker(data or settings.data_dir / "kafka", port or None, stop))


@headroom.group(no_args_is_help=False)
def topics() -> None:
    """The contract's topics in Kafka."""


@topics.command("apply")
def topics_apply() -> None:
    """Create what is missing, set what differs."""
    from headroom.topics import apply

    settings = _settings()
    changed = run(
        lambda _: apply(
            settings.kafka.arguments(),
            partitions=settings.partitions,
            replication_factor=settings.replication_factor,
        )
    )
    for difference in changed:
        created = difference.setting is None
        click.echo(f"created: {difference.topic}" if created else f"mended: {difference}")
    click.echo("topics are as the contract says")


@topics.command("check")
def topics_check() -> None:
    """Name what differs; exit status 1 where anything does."""
    from headroom.topics import check

    settings = _settings()
    found = run(
        lambda _: check(
            settings.kafka.arguments(),
            partitions=settings.partitions,
            replication_factor=settings.replication_factor,
        )
    )
    for difference in found:
        click.echo(str(difference))
    sys.exit(1 if found else 0)


@headroom.group(no_args_is_help=False)
def sandbox() -> None:
    """A venue's own protocol on a local port."""


def _sandbox_options(command: Any) -> Any:  # noqa: ANN401 - a decorator
    for option in (
        click.option(
            "--journal",
            type=click.Path(path_type=Path, dir_okay=False),
            help="A file for each balance frame it sent, one JSON object a line.",
        ),
        click.option("--seed", type=int, default=1, show_default=True),
        click.option(
            "--rate",
            type=_Rate(),
            default=Decimal(10),
            show_default=True,
            help="Balance frames (Hercle: changes) a second over all users.",
        ),
        click.option("--users", type=int, default=10, show_default=True),
        click.option("--port", type=int, default=0, help="0: a free one."),
    ):
        command = option(command)
    return command


@sandbox.command("sfox")
@_sandbox_options
def sandbox_sfox(**options: Any) -> None:  # noqa: ANN401 - the options above
    """A simulated sFOX; its key is HEADROOM_SFOX_API_KEY, else sandbox-sfox-key."""
    from headroom.venues import run_sandbox_sfox

    environment = Environment(os.environ)
    run(lambda stop: run_sandbox_sfox(options, environment, stop))


@sandbox.command("hercle")
@click.option(
    "--keys",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of lines `KEY USERID`, instead of derived keys.",
)
@_sandbox_options
def sandbox_hercle(**options: Any) -> None:  # noqa: ANN401 - the options above
    """A simulated Hercle; the users' keys are sandbox-hercle-key-0001 and on."""
    from headroom.venues import run_sandbox_hercle

    run(lambda stop: run_sandbox_hercle(options, stop))


@headroom.group(no_args_is_help=False)
def produce() -> None:
    """A venue's producer: its frames go to its raw topic, untouched."""


@produce.command("sfox")
def produce_sfox() -> None:
    """The producer of sFOX."""
    from headroom.venues import run_produce_sfox

    settings = _settings()
    run(lambda stop: run_produce_sfox(settings, Environment(os.environ), stop))


@produce.command("hercle")
def produce_hercle() -> None:
    """Hercle's producer; HEADROOM_HERCLE_API_KEY holds one key, or several with commas."""
    from headroom.venues import run_produce_hercle

    settings = _settings()
    run(lambda stop: run_produce_hercle(settings, Environment(os.environ), stop))


@headroom.command()
@click.option("--port", type=click.IntRange(0, 65_535), help="Instead of HEADROOM_HTTP_PORT.")
def work(port: int | None) -> None:
    """One worker with the HTTP interface; start more for more."""
    from headroom.work import run_worker

    settings = _settings()
    run(lambda stop: run_worker(settings, settings.http_port if port is None else port, stop))


@headroom.command()
@click.option("--url", help="Any worker [default: from HEADROOM_HTTP_HOST and HEADROOM_HTTP_PORT].")
def watch(url: str | None) -> None:
    """Watch a running worker; Ctrl-C ends it."""
    from rich.console import Console

    from headroom.live import watch as watch_worker

    worker, secret = _worker(url), Environment(os.environ).secret("API_TOKEN")
    run(lambda stop: watch_worker(worker, stop, console=Console(), token=secret))


@headroom.command()
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
    from headroom.tokens import add

    click.echo(add(path, name, list(users)).reveal())


@headroom.group(no_args_is_help=False)
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
    from headroom.query import ask

    worker = _worker(url)
    token = Environment(os.environ).secret("API_TOKEN")
    run(lambda _: ask(worker, subject, name, as_json=as_json, token=token))


@query.command("user")
@click.argument("name", metavar="USER")
@_query_options
def query_user(name: str, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - a flag
    """What a user holds, where, how much is free, and how close the limits are."""
    _ask("user", name, url, as_json=as_json)


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


def _worker(url: str | None) -> str:
    settings = _settings()
    return (url or f"http://{settings.http_host}:{settings.http_port}").rstrip("/")


def _settings() -> Settings:
    settings = load(os.environ)
    set_up_logging(settings.log_level)
    return settings
