"""A venue's sandbox as a command: the options that all have, and its life until a signal."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from headroom.base.errors import OperatorError
from headroom.base.options import Rate
from headroom.base.running import run
from headroom.local.sandbox.orders import Order
from headroom.local.sandbox.runner import Sandbox, announced


def sandbox_options(command: Any) -> Any:  # noqa: ANN401 - a decorator
    """The options of every sandbox: port, users, rate_per_second, seed, journal."""
    for option in (
        click.option(
            "--journal",
            type=click.Path(path_type=Path, dir_okay=False),
            help="A file for each balance frame it sent, one JSON object a line.",
        ),
        click.option("--seed", type=int, default=1, show_default=True),
        click.option(
            "--rate",
            "rate_per_second",
            type=Rate(),
            default="10",
            show_default=True,
            help="Balance frames a second over all users (where a venue is asked: changes).",
        ),
        click.option("--users", type=int, default=10, show_default=True),
        click.option("--port", type=int, default=0, help="0: a free one."),
    ):
        command = option(command)
    return command


def fault_option(command: Any) -> Any:  # noqa: ANN401 - a decorator
    """The option of a sandbox that can be ordered to have faults: `faults`, a tuple of `Order`."""
    return click.option(
        "--fault",
        "faults",
        type=_OrderType(),
        multiple=True,
        metavar="NAME[:USER]",
        help="A fault that it has from the start; several times for several. "
        "`NAME?seconds=5&times=2&user=USER` says more. An unknown NAME lists all.",
    )(command)


class _OrderType(click.ParamType):
    """An order of a fault."""

    name = "fault"

    def convert(self, value: Any, param: Any, ctx: Any) -> Order:  # noqa: ANN401 - click's own signature
        """The order; click's own error for what is none."""
        try:
            return Order.read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def run_sandbox(make: Callable[[], Sandbox]) -> None:
    """Run a simulated venue until a signal; its URL is the first line on standard output.

    `make` may raise ValueError for options that cannot be: one clear line for the person.
    """
    try:
        report = run(lambda stop: announced(make(), stop=stop, announce=click.echo))
    except (ValueError, OSError) as error:
        raise OperatorError(str(error)) from error
    click.echo(f"{report.venue}: {report.frames_sent} balance frames sent", err=True)
