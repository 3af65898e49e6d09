"""Every user's shares of the sums, told again from the rows as the users' agent tells them.

They are absolute and carry the user's version: the sums are exact once they have come, whatever
was told before.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from headroom.base.partitioner import partition_of
from headroom.operate.replay.carry import Out
from processors.ledger.contributions import Share, bundles, keyed
from processors.ledger.users import UserState
from processors.ledger.views import Venues, View

_SHARES_AT_ONCE: Final = 100_000


def shares(
    states: Iterable[UserState],
    topic: str,
    wanted: frozenset[int],
    *,
    partitions: int,
    in_assets: Venues,
    time: str,
) -> Iterator[Out]:
    """The records that tell the sums of some partitions everything; `topic` is what they lie in.

    What a user does not hold any more is told with nothing in it. `time` is that of users of whom
    no frame is known.
    """
    waiting: list[Share] = []
    for state in states:
        told = max((one.received_time for one in state.accounts.values()), default=time)
        waiting += [
            share
            for share in keyed(View(state, in_assets).shares(told))
            if partition_of(share[0], partitions) in wanted
        ]
        if len(waiting) >= _SHARES_AT_ONCE:
            yield from _records(waiting, topic)
            waiting = []
    yield from _records(waiting, topic)


def _records(waiting: list[Share], topic: str) -> Iterator[Out]:
    for key, bundle in bundles(waiting):
        yield topic, None, key, bundle, []
