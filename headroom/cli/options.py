"""What several commands take: kinds of values, and the settings behind them."""

import os
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import click

from headroom.running import set_up_logging
from headroom.settings import Settings, load

# Ten years.
_SECONDS_MAX: Final = 10 * 366 * 24 * 60 * 60


class Rate(click.ParamType):
    """A number a second, exact."""

    name = "rate"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:  # noqa: ANN401 - click's own signature
        """The number; click's own error for what is none."""
        try:
            rate = Decimal(value)
        except InvalidOperation:
            rate = Decimal(-1)
        if not rate.is_finite() or rate < 0:
            self.fail(f"{value!r} is not a number of at least 0", param, ctx)
        return rate


class Seconds(click.ParamType):
    """A time, of a second at least."""

    name = "seconds"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:  # noqa: ANN401 - click's own signature
        """The seconds; click's own error for what is no time."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not 1 <= seconds <= _SECONDS_MAX:
            self.fail(f"{value!r} is not a number of at least 1", param, ctx)
        return seconds


def load_settings() -> Settings:
    """The settings in the environment; logging is set up with them."""
    found = load(os.environ)
    set_up_logging(found.log_level)
    return found


def worker_url(url: str | None) -> str:
    """The worker that is meant: `url`, else the one that the settings tell of."""
    settings = load_settings()
    return (url or f"http://{settings.http_host}:{settings.http_port}").rstrip("/")
