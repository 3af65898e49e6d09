"""Rebuilding from the raw topics, and what is done with that."""

import re
from typing import Any, Final

import click

from headroom.base.options import Moment, load_settings
from headroom.base.running import run
from schemas.venues import VENUES

_PLACE: Final = re.compile(r"([^/]+)/([0-9]{1,9})/([0-9]{1,18})")


class Bound(click.ParamType):
    """A moment in milliseconds since 1970, or a place in a raw topic."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ANN401 - click's own signature
        """The moment, or the `Offset`."""
        from headroom.operate.replay.asked import Offset

        found = _PLACE.fullmatch(value)
        if found is not None:
            return Offset(found[1], int(found[2]), int(found[3]))
        return Moment().convert(value, param, ctx)


def _bound(name: str, values: tuple[Any, ...]) -> Any:  # noqa: ANN401 - as above
    moments = [value for value in values if isinstance(value, int)]
    if not values:
        return None
    if not moments:
        return values
    if len(values) > 1:
        message = f"{name} is one time, or places TOPIC/PARTITION/OFFSET"
        raise click.UsageError(message)
    return moments[0]


@click.group(invoke_without_command=True, no_args_is_help=False)
@click.option("--generation", "name", metavar="NAME", help="What to call it, or to go on with.")
@click.option(
    "--from",
    "starts",
    type=Bound(),
    multiple=True,
    help="Frames since then: 2026-11-25T10:00Z, 2026-11-25, 90m, or TOPIC/PARTITION/OFFSET.",
)
@click.option("--to", "ends", type=Bound(), multiple=True, help="Frames before then.")
@click.option("--venue", type=click.Choice(list(VENUES)))
@click.option("--user", metavar="USER", help="Only this user's frames.")
@click.option("--dry-run", is_flag=True, help="Only say what would be read.")
@click.option("--json", "as_json", is_flag=True, help="The comparison as one JSON object.")
@click.pass_context
def replay(
    context: click.Context,
    name: str | None,
    starts: tuple[Any, ...],
    ends: tuple[Any, ...],
    venue: str | None,
    user: str | None,
    dry_run: bool,  # noqa: FBT001 - a flag
    as_json: bool,  # noqa: FBT001 - a flag
) -> None:
    """Rebuild tables and topics from the raw topics, beside the live ones; then compare.

    Whoever is not read is carried over from the live tables. Killed or stopped, it goes on where it
    was when it is called again with the same name. `headroom replay help` lets others share it.
    """
    if context.invoked_subcommand is not None:
        return
    from headroom.operate.replay.asked import Asked
    from headroom.operate.replay.run import run_dry, run_replay

    if name is None:
        message = "--generation is missing: what to call it"
        raise click.UsageError(message)
    asked = Asked(_bound("--from", starts), _bound("--to", ends), venue, user)
    settings = load_settings()
    if dry_run:
        run(lambda _: run_dry(settings, name, asked))
    else:
        run(lambda stop: run_replay(settings, name, asked, stop, as_json=as_json))


@replay.command("help")
@click.argument("name")
def help_(name: str) -> None:
    """Share the work of a replay that was begun, from here or elsewhere.

    One process is one helper; more processes than partitions have nothing to do. It ends by itself
    once the generation is complete; where it is stopped or killed, the others go on.
    """
    from headroom.operate.replay.help import run_help

    settings = load_settings()
    run(lambda stop: run_help(settings, name, stop))


@replay.command("promote")
@click.argument("name")
@click.option("--allow-missing", is_flag=True, help="Users may vanish whom the live one has.")
def promote(name: str, allow_missing: bool) -> None:  # noqa: FBT001 - a flag
    """Make a generation the live one; promoting the other undoes it."""
    from headroom.operate.replay.promote import run_promote

    settings = load_settings()
    run(lambda stop: run_promote(settings, name, stop, allow_missing=allow_missing))


@replay.command("drop")
@click.argument("name")
def drop(name: str) -> None:
    """Delete a generation with everything that it made, and nothing else."""
    from headroom.operate.replay.drop import run_drop

    settings = load_settings()
    run(lambda _: run_drop(settings, name))


@click.command()
@click.argument("group")
@click.option("--to", "to_ms", type=Moment(), required=True, metavar="TIME", help="When.")
@click.option("--topic", "topics", multiple=True, help="Only this one [default: all it has read].")
@click.option("--dry-run", is_flag=True, help="Only say where it would stand.")
def seek(group: str, to_ms: int, topics: tuple[str, ...], dry_run: bool) -> None:  # noqa: FBT001 - a flag
    """Let a stopped consumer group stand at another time."""
    from headroom.operate.seek import run_seek

    settings = load_settings()
    run(lambda _: run_seek(settings, group, topics, to_ms, dry_run=dry_run))
