"""The contract's topics: made, mended, compared."""

import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

import click

from headroom.cli.options import load_settings
from headroom.running import run

if TYPE_CHECKING:
    from headroom.topics import Difference


@click.group(no_args_is_help=False)
def topics() -> None:
    """The contract's topics in Kafka."""


@topics.command("apply")
def topics_apply() -> None:
    """Create what is missing, set what differs."""
    from headroom.topics import apply

    for difference in _against_kafka(apply):
        created = difference.setting is None
        click.echo(f"created: {difference.topic}" if created else f"mended: {difference}")
    click.echo("topics are as the contract says")


@topics.command("check")
def topics_check() -> None:
    """Name what differs; exit status 1 where anything does."""
    from headroom.topics import check

    found = _against_kafka(check)
    for difference in found:
        click.echo(str(difference))
    sys.exit(1 if found else 0)


def _against_kafka(
    compare: Callable[..., Coroutine[None, None, "list[Difference]"]],
) -> "list[Difference]":
    settings = load_settings()
    return run(
        lambda _: compare(
            settings.kafka.arguments(),
            partitions=settings.partitions,
            replication_factor=settings.replication_factor,
        )
    )
