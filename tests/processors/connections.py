"""Statuses of connections, made short: times are seconds after a moment that is 1,000."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from processors.freshness import Connections, Now, Told
from schemas.feeds import Cause, ConfirmedFrom, Doubt, FeedStatus
from schemas.times import rfc3339, time_ns_of

NOW_SECONDS = 1_000.0
STALE_AFTER_SECONDS = 60.0
LISTENED_SECONDS = 300.0


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
    lease: int = 0,
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
        lease=lease,
    )


def connections(
    *statuses: FeedStatus,
    known: bool = True,
    ahead_seconds: float = 0.0,
    worker_ahead_seconds: float = 0.0,
    is_news: bool = True,
) -> Connections:
    """These, and no others, at the moment.

    By how much the producers' clock is ahead of the true one, and the worker's, changes the times
    that are told and compared; when something happened is another thing.
    """
    return Connections(
        [
            Told(one, time_ns_of(one.time) / 10**9 - ahead_seconds, is_news=is_news)
            for one in statuses
        ],
        Now(
            at=NOW_SECONDS,
            time_ns=round((NOW_SECONDS + worker_ahead_seconds) * 10**9),
            listened_seconds=LISTENED_SECONDS,
            stale_after_seconds=STALE_AFTER_SECONDS,
        ),
        known=known,
    )


def set_ahead(status: FeedStatus, seconds: float) -> FeedStatus:
    """The same, told by a producer whose clock is so much ahead."""
    names = ("time", "since", "last_heard", "last_frame", "last_confirmed")
    told = {name: getattr(status, name) for name in names}
    ahead = {
        name: one and rfc3339(time_ns_of(one) + round(seconds * 10**9))
        for name, one in told.items()
    }
    return msgspec.structs.replace(status, **ahead)


SECONDS = st.sampled_from([880.0, 930.0, 985.0, 995.0, 1_000.0])
DOUBTS = st.none() | st.sampled_from([doubt("gap"), doubt("unanswered")])
STATUSES = st.builds(
    status,
    st.sampled_from([None, 0, 1, 2, 3]),
    venue=st.sampled_from(["sfox", "sfox", "hercle"]),
    connection=st.sampled_from(["", "2"]),
    state=st.sampled_from(["connected", "connected", "disconnected", "refused"]),
    told=SECONDS,
    confirmed=st.none() | SECONDS,
    since=SECONDS,
    vouches_from=st.none() | st.integers(0, 8),
    by=DOUBTS,
    doubt=DOUBTS,
    accounts=st.none() | st.sampled_from([[], ["a"], ["b"], ["a", "b"]]),
    instance=st.sampled_from(["one", "two"]),
)
MANY_STATUSES = st.lists(
    STATUSES,
    max_size=5,
    # As the topic has them: of a producer's connection the last word, of a run of it one epoch.
    unique_by=(
        lambda one: (one.venue, one.connection, one.instance),
        lambda one: (one.venue, one.epoch) if one.epoch is not None else object(),
    ),
)
