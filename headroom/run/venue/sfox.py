"""sFOX: its producer's settings, its sandbox, its part in the demo."""

import os
from decimal import Decimal
from typing import Any

import click
import msgspec

from headroom.base.environment import Environment
from headroom.base.mistakes import Mistakes
from headroom.local.sandbox.config import SFOX_DEFAULT_KEY, SfoxConfig
from headroom.local.sandbox.sfox import SfoxSandbox
from headroom.run.venue.keys import keys_again
from headroom.run.venue.module import Shown, required
from headroom.run.venue.simulated import fault_option, run_sandbox, sandbox_options
from producers import sfox
from producers.line import Lines
from producers.reach import check_reach
from schemas.secrets import Secret


def lines(environment: Environment) -> Lines:
    """The producer of sFOX; its key is HEADROOM_SFOX_API_KEY."""
    mistakes = Mistakes()
    noting = environment.noting(mistakes)
    key, ca_file = required(noting, "SFOX_API_KEY"), noting.text("CA_FILE")
    url = noting.text("SFOX_URL") or sfox.SFOX_URL
    read = mistakes.of(lambda: sfox.SfoxSettings(api_key=key, url=url, ca_file=ca_file))
    mistakes.of(lambda: check_reach(url, ca_file))
    settings = mistakes.whole(read)

    def make(key: Secret) -> list[Secret]:
        return [msgspec.structs.replace(settings, api_key=key).api_key]

    return sfox.lines(settings, keys_again(environment, "SFOX_API_KEY", make))


@click.command("sfox")
@sandbox_options
@fault_option
def sandbox(**options: Any) -> None:  # noqa: ANN401 - the options above
    """A simulated sFOX; its key is HEADROOM_SFOX_API_KEY, else sandbox-sfox-key."""
    key = Environment(os.environ).secret("SFOX_API_KEY")
    api_key = SFOX_DEFAULT_KEY if key is None else key.reveal()
    run_sandbox(lambda: SfoxSandbox(SfoxConfig(api_key=api_key, **options)))


def shown(rate_per_second: Decimal, users: int) -> Shown:
    """All users, and frames at the rate."""
    options = ("--rate", str(rate_per_second), "--users", str(users))
    return Shown(options, {"HEADROOM_SFOX_API_KEY": SFOX_DEFAULT_KEY})
