"""The commands for one machine: everything at once, or Kafka alone."""

import sys
from decimal import Decimal
from pathlib import Path

import click

from headroom.base.options import Rate, Seconds, load_settings
from headroom.base.running import run


@click.command()
@click.option("--for", "seconds", type=Seconds(), help="End after SECONDS.")
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON.")
@click.option(
    "--rate",
    type=Rate(),
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
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="[VENUE:]NAME",
    help="A fault of a venue, from a few seconds after the start and for 8 s; an unknown NAME "
    "lists all.",
)
@click.option("--open", "opens_page", is_flag=True, help="Show the page in this desktop's browser.")
def demo(
    seconds: float | None,
    as_json: bool,  # noqa: FBT001 - a flag
    rate: Decimal,
    users: int,
    faults: tuple[str, ...],
    opens_page: bool,  # noqa: FBT001 - a flag
) -> None:
    """Everything on this machine: Kafka, both venues, producers, a worker."""
    from headroom.local.demo import DemoOptions, Wanted, run_demo

    try:
        wanted = tuple(map(Wanted.read, faults))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--fault") from error
    options = DemoOptions(
        seconds=seconds,
        as_json=as_json,
        rate_per_second=rate,
        users=users,
        faults=wanted,
        opens_page=opens_page,
    )
    sys.exit(run(lambda stop: run_demo(options, stop)))


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="0: a free one.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where its data lasts [default: kafka in HEADROOM_DATA_DIR].",
)
def broker(port: int, data: Path | None) -> None:
    """One real Apache Kafka node without Docker."""
    from headroom.local.broker import run_broker

    settings = load_settings()
    run(lambda stop: run_broker(data or settings.data_dir / "kafka", port or None, stop))
