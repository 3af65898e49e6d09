"""The command line: what each command is called and takes; the work is done elsewhere.

Modules are imported by the command that needs them, so that `--help` is quick and a command does
not fail for a library that another one needs.
"""

import sys

import click

from headroom.base.errors import OperatorError
from headroom.base.logs import hide_secrets_in_tracebacks
from headroom.base.running import one_clear_line
from headroom.cli.accounts import accounts
from headroom.cli.alerts import alerts
from headroom.cli.deadletters import deadletters
from headroom.cli.doctor import doctor
from headroom.cli.explain import explain
from headroom.cli.local import broker, demo
from headroom.cli.query import events, query
from headroom.cli.replay import replay, seek
from headroom.cli.resume import resume
from headroom.cli.schemas import schemas
from headroom.cli.topics import topics
from headroom.cli.venues import produce, sandbox
from headroom.cli.worker import token, watch, work


def main() -> None:
    """The command `headroom`."""
    hide_secrets_in_tracebacks()
    with one_clear_line():
        try:
            sys.exit(headroom.main(standalone_mode=False))
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()  # its help
            sys.exit(error.exit_code)
        except click.ClickException as error:
            raise OperatorError(_with_hint(error)) from None
        except click.Abort:
            raise KeyboardInterrupt from None


def _with_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = "" if context is None else f" (see `{context.command_path} --help`)"
    return error.format_message() + hint


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headroom")
def headroom() -> None:
    """Live balances, exposure and headroom under limits, per user, across venues.

    Settings are environment variables HEADROOM_* (see docs/contract.md).
    """


for command in (
    demo,
    broker,
    topics,
    doctor,
    sandbox,
    produce,
    work,
    watch,
    token,
    query,
    events,
    explain,
    replay,
    resume,
    seek,
    deadletters,
    accounts,
    alerts,
    schemas,
):
    headroom.add_command(command)
