"""The contract's topics: made, mended, compared."""

import sys

import click

from headroom.cli.options import load_settings
from headroom.running import run


@click.group(no_args_is_help=False)
def topics() -> None:
    """The contract's topics in Kafka."""


@topics.command("apply")
def topics_apply() -> None:
    """Create what is missing, set what differs."""
    from headroom.topics import apply

    settings = load_settings()
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

    settings = load_settings()
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
