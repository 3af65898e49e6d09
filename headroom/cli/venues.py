"""The venues' commands: each venue's own module has what `sandbox` and `produce` run."""

from collections.abc import Callable
from typing import Any

import click

from schemas.venues import VENUES


class _ByVenue(click.Group):
    """A group with a command for each venue, which is looked for when it is asked for."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - click's own
        make: Callable[[str], click.Command | None],
        **kwargs: Any,  # noqa: ANN401 - the same
    ) -> None:
        super().__init__(*args, **kwargs)
        self._make = make

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The venues that have such a command."""
        return [name for name in VENUES if self.get_command(ctx, name) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a venue, None where there is no such."""
        del ctx
        return self._make(cmd_name) if cmd_name in VENUES else None


def _sandbox(venue: str) -> click.Command | None:
    from headroom.run.venue import module_of

    return module_of(venue).sandbox


def _producer(venue: str) -> click.Command:
    from headroom.run.venue import module_of, producer

    return producer(module_of(venue))


@click.group(cls=_ByVenue, make=_sandbox, no_args_is_help=False)
def sandbox() -> None:
    """A venue's own protocol on a local port."""


@click.group(cls=_ByVenue, make=_producer, no_args_is_help=False)
def produce() -> None:
    """A venue's producer: its frames go to its raw topic, untouched."""
