"""Whether topics stay what they were while a worker runs."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, NoReturn

from headroom.base.errors import KafkaUnreachable
from headroom.base.known_topics import KnownTopic
from headroom.operate.topics.admin import Admin, Found, Refused
from headroom.operate.topics.differences import Difference, other_partitions, partitions_of, refuse
from headroom.operate.topics.known import GONE_SECONDS, compare, say_others

WATCH_SECONDS: Final = 5.0

log = logging.getLogger("headroom.topics")


class Watch:
    """Looks at topics from time to time: one question for all of them.

    `names` are all of which the number of partitions counts; those that are `known` must also keep
    their identities, but for those in `beside`, of which it is said once. `tables` are those of
    them that hold tables.
    """

    def __init__(
        self,
        admin: Admin,
        names: list[str],
        known: Mapping[str, KnownTopic],
        tables: list[str],
        *,
        partitions: int,
        beside: Collection[str] = (),
        every_seconds: float = WATCH_SECONDS,
        gone_seconds: float = GONE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._admin = admin
        self._names = names
        self._known = {name: one for name, one in known.items() if name not in beside}
        self._beside = {name: known[name] for name in beside if name in known}
        self._tables = tables
        self._partitions = partitions
        self._every_seconds = every_seconds
        self._gone_seconds = gone_seconds
        self._clock = clock
        self._sleep = sleep
        self._seen: dict[str, float] = {}

    async def broken(self) -> NoReturn:
        """Look for ever; raises `TopicReplaced` or `TopicsDiffer` once something differs.

        A Kafka that is away, or does not answer, is none of it.
        """
        self._seen = dict.fromkeys(self._names, self._clock())
        while True:
            await self._sleep(self._every_seconds)
            try:
                found = await self._admin.found(self._names)
            except (KafkaUnreachable, Refused) as error:
                log.info("cannot look at the topics: %s", error)
                # Nobody knows how long they have been gone.
                self._seen = dict.fromkeys(self._names, self._clock())
            else:
                self._look(found)

    def _look(self, found: Mapping[str, Found]) -> None:
        now = self._clock()
        self._seen |= dict.fromkeys(found, now)
        gone = [name for name in self._names if now - self._seen[name] >= self._gone_seconds]
        compare(self._known, found, [*found, *gone], self._tables)
        for name in say_others(self._beside, found, list(self._beside)):
            del self._beside[name]
        differing = [
            other_partitions(name, one, number)
            for name, one in found.items()
            if one.partitions != (number := partitions_of(name, self._partitions))
        ]
        refuse([*differing, *(Difference(name, None, "present", None) for name in gone)])
