"""Frames that could not be read."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headroom.base.errors import OperatorError
from headroom.base.options import Moment, load_settings
from headroom.base.running import run
from schemas.rejections import Reason
from schemas.venues import VENUES

if TYPE_CHECKING:
    from headroom.operate.deadletters import Wanted


def _wanted_options(command: Any) -> Any:  # noqa: ANN401 - a decorator
    for option in (
        click.option("--until", type=Moment(), help="Buried before this moment."),
        click.option(
            "--since",
            type=Moment(),
            help="Buried since then: 2026-11-25T10:00Z, 2026-11-25, 90m.",
        ),
        click.option("--venue", type=click.Choice(list(VENUES))),
        click.option("--reason", type=click.Choice([str(reason) for reason in Reason])),
    ):
        command = option(command)
    return command


@click.group(no_args_is_help=False)
def deadletters() -> None:
    """Frames that could not be read."""


@deadletters.command("list")
@_wanted_options
@click.option("--limit", type=click.IntRange(0, 10_000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def list_them(limit: int, as_json: bool, **meant: Any) -> None:  # noqa: ANN401, FBT001 - options
    """How many there are, by venue and reason; then the newest."""
    from headroom.operate.deadletters import run_list

    settings, wanted = load_settings(), _wanted(**meant)
    run(lambda _: run_list(settings, wanted, limit=limit, as_json=as_json))


@deadletters.command("show")
@click.argument("place", metavar="TOPIC/PARTITION/OFFSET[/PART]")
def show(place: str) -> None:
    """One of them: why, where exactly, and its bytes.

    The place is that of its raw record, with the number of the account behind it where the record
    tells of several.
    """
    from headroom.operate.deadletters import place_of, run_show

    settings, found = load_settings(), place_of(place)
    run(lambda _: run_show(settings, found))


@deadletters.command("export")
@_wanted_options
@click.option(
    "--to",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="A new file, one JSON object a line.",
)
def export(path: Path, **meant: Any) -> None:  # noqa: ANN401 - options
    """All of them, for other tools."""
    from headroom.operate.deadletters import run_export

    settings, wanted = load_settings(), _wanted(**meant)
    run(lambda _: run_export(settings, wanted, path))


@deadletters.command("retry")
@_wanted_options
@click.argument("places", nargs=-1, metavar="[TOPIC/PARTITION/OFFSET[/PART]]...")
@click.option("--all", "all_of_them", is_flag=True, help="Where nothing else says which.")
@click.option("--again", is_flag=True, help="Also those that were sent again before.")
@click.option("--dry-run", is_flag=True, help="Only say how many.")
def retry(
    places: tuple[str, ...],
    all_of_them: bool,  # noqa: FBT001 - a flag
    again: bool,  # noqa: FBT001 - a flag
    dry_run: bool,  # noqa: FBT001 - a flag
    **meant: Any,  # noqa: ANN401 - options
) -> None:
    """Send them to their raw topic again, each frame once: after a new version can read them."""
    from headroom.operate.deadletters import run_retry

    settings, wanted = load_settings(), _wanted(places, **meant)
    if wanted.is_everything and not all_of_them:
        raise OperatorError("say which: a place, --reason, --venue, --since, --until, or --all")
    run(lambda _: run_retry(settings, wanted, again=again, dry_run=dry_run))


def _wanted(
    places: tuple[str, ...] = (),
    *,
    reason: str | None,
    venue: str | None,
    since: int | None,
    until: int | None,
) -> "Wanted":
    from headroom.base.reading import Span
    from headroom.operate.deadletters import Wanted, place_of

    if since is not None and until is not None and since >= until:
        raise OperatorError("--since must be before --until")
    named = frozenset(map(place_of, places))
    return Wanted(reason=reason, venue=venue, span=Span(since, until), places=named)
