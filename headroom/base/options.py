"""What several commands take: kinds of values, and the settings behind them."""

import os
import re
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import click

from headroom.base.environment import PREFIX
from headroom.base.logs import AUTO, JSON, form_of, set_up_logging
from headroom.base.mistakes import Mistakes
from headroom.base.settings import Settings, load

# Ten years.
_SECONDS_MAX: Final = 10 * 366 * 24 * 60 * 60
_NS_PER_MS: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AGO: Final = re.compile(r"([0-9]{1,9})([smhd])(?: ago)?")
_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


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


class Moment(click.ParamType):
    """A moment in the past, in milliseconds since 1970: a date, a time, or how long ago."""

    name = "moment"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:  # noqa: ANN401 - click's own signature
        """The moment; click's own error for what is none, or has not come yet."""
        now_ms = time.time_ns() // _NS_PER_MS
        if ago := _AGO.fullmatch(value):
            return now_ms - int(ago[1]) * _UNIT_MS[ago[2]]
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time: 2026-11-25T10:00Z, 2026-11-25, 90m ago", param, ctx)
        utc = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        moment_ms = (utc - _EPOCH) // timedelta(milliseconds=1)
        if not 0 <= moment_ms <= now_ms:
            self.fail(f"{value!r} has not come yet, or is before 1970", param, ctx)
        return moment_ms


def load_settings(mistakes: Mistakes | None = None, *, serves: bool = False) -> Settings:
    """The settings in the environment; logging is set up with them.

    Raises `SettingsError` for all that is wrong; with `mistakes` that is noted there. Who `serves`,
    runs until it is stopped, logs as JSON where nobody is seen to read along.
    """
    if form_of(os.environ.get(f"{PREFIX}LOG_FORMAT") or AUTO, serves=serves) == JSON:
        # So that a setting that cannot be right is told in that form, too.
        set_up_logging("INFO", JSON)
    found = load(os.environ, mistakes)
    set_up_logging(found.log_level, form_of(found.log_format, serves=serves))
    return found


def worker_url(url: str | None) -> str:
    """The worker that is meant: `url`, else the one that the settings tell of."""
    settings = load_settings()
    return (url or f"http://{settings.http_host}:{settings.http_port}").rstrip("/")
