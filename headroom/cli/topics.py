"""The contract's topics: made, mended, compared."""

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from headroom.base.options import load_settings
from headroom.base.running import run

if TYPE_CHECKING:
    from headroom.operate.topics import Difference


@click.group(no_args_is_help=False)
def topics() -> None:
    """The contract's topics in Kafka."""


@topics.command("apply")
def topics_apply() -> None:
    """Create what is missing, set what differs; exit status 2 where something is left."""
    from headroom.operate.topics import Difference
    from headroom.operate.topics.survey import apply

    def told(difference: Difference) -> None:
        created = difference.setting is None
        click.echo(f"created: {difference.topic}" if created else f"mended: {difference}")

    settings = load_settings()
    run(
        lambda _: apply(
            settings.kafka,
            partitions=settings.partitions,
            replication_factor=settings.replication_factor,
            mended=told,
        )
    )
    click.echo("topics are as the contract says")


@topics.command("check")
def topics_check() -> None:
    """Name what differs; exit status 1 where any topic does.

    What of the brokers themselves may break a promise is named too, and changes no status.
    """
    from headroom.operate.topics.survey import brokers, check

    settings = load_settings()

    async def look(_: asyncio.Event) -> "tuple[list[Difference], list[str]]":
        factor = settings.replication_factor
        found = await check(
            settings.kafka, partitions=settings.partitions, replication_factor=factor
        )
        return found, await brokers(settings.kafka, replication_factor=factor)

    found, notes = run(look)
    for line in (*found, *notes):
        click.echo(str(line))
    sys.exit(1 if found else 0)
