"""Several accounts of one user."""

import click

from headroom.base.options import load_settings
from headroom.base.running import run


@click.group(no_args_is_help=False)
def accounts() -> None:
    """Which user has which accounts."""


@accounts.command("list")
def list_them() -> None:
    """Every account that belongs to a user of another name: account and user."""
    from headroom.operate.accounts.move import run_list

    settings = load_settings()
    run(lambda _: run_list(settings))


@accounts.command("move")
@click.argument("account", metavar="VENUE:ACCOUNT")
@click.argument("user")
def move(account: str, user: str) -> None:
    """Give an account to another user, with all it holds; its own name gives it back to itself."""
    from headroom.operate.accounts import run_move

    settings = load_settings()
    run(lambda _: run_move(settings, account, user))
