"""What a start would stumble over: the settings, and the world that they name."""

import json
import os
import sys

import click

from headroom.base.mistakes import Mistakes
from headroom.base.options import Seconds, load_settings
from headroom.base.running import EXIT_MISTAKE, run


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="This check; may be given again.")
@click.option("--skip", multiple=True, metavar="NAME", help="Not this one; may be given again.")
@click.option("--seconds", type=Seconds(), help="How long each check may take [default: 3].")
@click.option("--json", "as_json", is_flag=True, help="All that was found as one JSON object.")
def doctor(
    only: tuple[str, ...],
    skip: tuple[str, ...],
    seconds: float | None,
    as_json: bool,  # noqa: FBT001 - a flag
) -> None:
    """Look at the settings here, and at all that they name; exit status 2 where anything fails.

    It writes nothing, joins no group, and of a venue it asks for nothing but a connection.
    """
    from headroom.operate.doctor.findings import document, is_well, lines
    from headroom.run.doctor import NAMES, SECONDS, examined

    for name in (*only, *skip):
        if name not in NAMES:
            message = f"{name!r} is no check: {', '.join(NAMES)}"
            raise click.UsageError(message)
    load_settings(Mistakes())  # how to log; what is wrong is told with all the rest
    names = [name for name in only or NAMES if name not in skip]
    found = run(lambda _: examined(os.environ, names, seconds=seconds or SECONDS))
    if as_json:
        click.echo(json.dumps(document(found), ensure_ascii=False))
    else:
        for line in lines(found):
            click.echo(line)
    sys.exit(0 if is_well(found) else EXIT_MISTAKE)
