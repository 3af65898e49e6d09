"""Going on where a log is not what it was."""

from typing import TYPE_CHECKING, cast

import click

from headroom.base.options import load_settings
from headroom.base.running import run

if TYPE_CHECKING:
    from headroom.operate.resume.plan import Choice


@click.command()
@click.option(
    "--from",
    "choice",
    type=click.Choice(["beginning", "end", "told"]),
    help="Where to go on: where the topics begin now, where they end, or behind what was told.",
)
@click.option(
    "--topic", "topics", multiple=True, metavar="TOPIC", help="Only with this one [default: all]."
)
@click.option(
    "--generation",
    metavar="NAME",
    help="The book of generations was lost: this one was live. Writes it anew.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def resume(
    choice: str | None,
    topics: tuple[str, ...],
    generation: str | None,
    as_json: bool,  # noqa: FBT001 - a flag
) -> None:
    """Go on after records, offsets or topics were lost that the workers had not done with.

    Without --from it only says what is wrong, and what each choice would do. With it the workers
    have to be stopped. Accounts whose frames were lost are in doubt until their next frame; nothing
    is told twice under one identity. Killed and called again, it ends the same.
    """
    from headroom.operate.resume.run import run_report, run_resume

    if topics and choice is None:
        message = "--topic says what --from is for: say both"
        raise click.UsageError(message)
    if generation is not None and (choice or topics or as_json):
        message = "--generation goes alone; what else is wrong is said and mended afterwards"
        raise click.UsageError(message)
    settings = load_settings()
    if generation is not None:
        from headroom.operate.resume.book import run_restore

        run(lambda stop: run_restore(settings, generation, stop))
        return
    if choice is None:
        run(lambda _: run_report(settings, as_json=as_json))
        return
    chosen = cast("Choice", choice)
    run(lambda stop: run_resume(settings, chosen, topics, stop, as_json=as_json))
