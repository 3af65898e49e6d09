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


@topics.command("acls")
@click.argument("program", required=False)
@click.option("--user", help="Kafka's name of who runs it; else headroom-PROGRAM.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["commands", "strimzi", "json"]),
    default="commands",
    show_default=True,
    help="Lines of kafka-acls.sh, a KafkaUser of Strimzi's, or an object on a line.",
)
@click.option("--generation", default="first", show_default=True, help="The one that is live.")
@click.option(
    "--group", default="headroom-webhooks", show_default=True, help="That of `alerts deliver`."
)
def topics_acls(
    program: str | None, user: str | None, form: str, generation: str, group: str
) -> None:
    """Print the least rights in Kafka of a PROGRAM, or of each; Kafka is not asked.

    PROGRAM is apply, produce-VENUE, work or deliver. What HEADROOM_PRODUCER_LEASE and
    HEADROOM_GUARANTEE say counts.
    """
    from headroom.base.running import one_clear_line
    from headroom.operate.generations.kind import check_name
    from headroom.operate.topics import acls

    with one_clear_line():
        settings = load_settings()
        each = acls.programs(
            check_name(generation),
            lease=settings.producer_lease,
            transactions=settings.guarantee == "exactly_once",
            group=group,
        )
    if program is not None and program not in each:
        raise click.BadParameter(f"{program} is none of {', '.join(each)}", param_hint="PROGRAM")
    if user is not None and program is None:
        raise click.UsageError("--user is of one PROGRAM")
    say = {"commands": acls.as_commands, "strimzi": acls.as_strimzi, "json": acls.as_json}[form]
    for name, rights in each.items():
        if program in (None, name):
            click.echo(say(user or f"headroom-{name}", rights), nl=False)
