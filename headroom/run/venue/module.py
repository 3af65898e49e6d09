"""What a venue's module offers, and how it is found."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from importlib import import_module
from typing import Protocol, cast

import click
import msgspec

from headroom.base.environment import Environment
from producers.line import Lines
from schemas.secrets import Secret


class Shown(msgspec.Struct, frozen=True):
    """How the demo shows a venue.

    `sandbox` are options of the venue's sandbox beside its journal, `producer` settings of its
    producer beside the address, by their whole names.
    """

    sandbox: tuple[str, ...]
    producer: Mapping[str, str]


class Module(Protocol):
    """A module `headroom.run.venue.NAME`.

    `sandbox` is a command with `sandbox_options`, whose first line on standard output is its URL;
    None where there is no sandbox. `shown` is None where the demo is to leave the venue out; else
    it gets the rate in frames a second and the number of users that are the venue's share.
    """

    __name__: str

    @property
    def lines(self) -> Callable[[Environment], Lines]: ...  # noqa: D102 - see above
    @property
    def sandbox(self) -> click.Command | None: ...  # noqa: D102
    @property
    def shown(self) -> Callable[[Decimal, int], Shown] | None: ...  # noqa: D102


def module_of(venue: str) -> Module:
    """The module of a venue in `VENUES`."""
    return cast("Module", import_module(f"headroom.run.venue.{venue}"))


def required(environment: Environment, name: str) -> Secret:
    """A secret that must be set; raises `SettingsError`, or notes that and is empty."""
    found = environment.secret(name)
    if found is None:
        environment.wrong(name, f"is not set (nor HEADROOM_{name}_FILE)")
        return Secret("")
    return found
