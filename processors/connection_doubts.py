"""Why a connection vouches for no account, or not for one of them: what its status says; pure.

A doubt of a connection is its producer's; these are for where that says none.
"""

from typing import Final

import msgspec

from schemas.feeds import Cause, Doubt, FeedStatus

_SECONDS_OF_TIME: Final = slice(11, 19)
NOT_HEARD_YET: Final = "this worker has heard nothing of its connection since it started"
NOT_READ_YET: Final = "this worker has yet to read how the connections are"


def not_connected(status: FeedStatus) -> Doubt:
    """Of one that is not there, or whose key the venue refuses."""
    since, is_refused = status.since or status.time, status.state == "refused"
    cause: Cause = "key_refused" if is_refused else "connection_lost"
    lost = "the venue refuses the key" if is_refused else "not connected"
    return status.doubt or Doubt(cause, f"{lost} since {_clock(since)}", since)


def not_told(since: str) -> Doubt:
    """Of one that nobody tells of any more: a producer that is gone, or a Kafka that is away."""
    reason = f"nothing is told of the connection since {_clock(since)}"
    return Doubt("not_heard", reason, since)


def not_confirmed(last: str) -> Doubt:
    """Of one that is there, and whose venue has vouched for nothing since."""
    return Doubt("not_heard", f"the venue has confirmed nothing since {_clock(last)}", last)


def since_begun(status: FeedStatus) -> Doubt:
    """What holds of accounts that were told of before the connection began to vouch."""
    since = status.since or status.time
    doubt = Doubt("reconnected", f"connected at {_clock(since)}", since)
    if status.confirmed_from is not None:
        doubt = status.confirmed_from.doubt
    reason = f"{doubt.reason}; no frame of this account since"
    return msgspec.structs.replace(doubt, reason=reason)


def untold(status: FeedStatus) -> Doubt:
    """Of an account that a connection told of, and does not speak for any more."""
    reason = "its connection does not tell of this account any more"
    return Doubt("untold", reason, status.since or status.time)


def superseded(status: FeedStatus) -> Doubt:
    """Of an account that a later connection told of, which is not there any more."""
    reason = "a later connection, which is gone, told of this account"
    return Doubt("superseded", reason, status.since or status.time)


def _clock(time: str) -> str:
    return time[_SECONDS_OF_TIME]
