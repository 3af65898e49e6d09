"""Statuses of connections, made short: times are seconds after a moment that is 1,000."""

from typing import Any

from processors.freshness import Connections
from schemas.feeds import Cause, ConfirmedFrom, Doubt, FeedStatus
from schemas.times import rfc3339

NOW_SECONDS = 1_000.0
STALE_AFTER_SECONDS = 60.0


def at(seconds: float) -> str:
    return rfc3339(round(seconds * 10**9))


def doubt(cause: Cause = "gap", seconds: float = 990.0) -> Doubt:
    return Doubt(cause, f"a {cause}", at(seconds))


def status(
    epoch: int | None = 1,
    *,
    venue: str = "sfox",
    connection: str = "",
    state: Any = "connected",
    told: float = NOW_SECONDS,
    confirmed: float | None = 999.0,
    since: float = 900.0,
    vouches_from: int | None = None,
    by: Doubt | None = None,
    doubt: Doubt | None = None,
    accounts: list[str] | None = None,
    instance: str = "one",
) -> FeedStatus:
    """A status; `vouches_from` is a receipt, `by` what the accounts before it are in doubt by."""
    before = None
    if vouches_from is not None:
        before = ConfirmedFrom(vouches_from, by or Doubt("reconnected", "connected", at(since)))
    return FeedStatus(
        venue=venue,
        connection=connection,
        state=state,
        epoch=epoch,
        last_heard=None if confirmed is None else at(confirmed),
        last_frame=None,
        frames=0,
        gaps=0,
        reconnects=0,
        time=at(told),
        since=at(since),
        doubt=doubt,
        confirmed_from=before,
        accounts=accounts,
        last_confirmed=None if confirmed is None else at(confirmed),
        instance=instance,
    )


def connections(*statuses: FeedStatus, known: bool = True) -> Connections:
    """These, and no others, at the moment."""
    return Connections(
        statuses,
        now_ns=round(NOW_SECONDS * 10**9),
        stale_after_seconds=STALE_AFTER_SECONDS,
        known=known,
    )
