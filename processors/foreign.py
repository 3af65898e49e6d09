"""Records in our topics that nobody of us wrote: counted, told with their places, passed by.

Anybody with the rights may write anything into a topic. Whatever is no record of ours there is
nobody's money; where it lies instead of what is (a changelog), the worker stops (`ForeignRow`).
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from prometheus_client import Counter

from schemas.words import Words

log = logging.getLogger("headroom.foreign")


class Foreign:
    """Counts by topic; of each topic a line a minute, which says how many more there were."""

    def __init__(
        self,
        counter: Counter,
        topics: Iterable[str] = (),
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counter = counter
        for topic in topics:
            counter.labels(topic)  # at nought from the start
        self._monotonic = monotonic
        # Of each topic by itself: what is numbered in a name tells kinds not apart.
        self._words: defaultdict[str, Words] = defaultdict(Words)

    def passed_by(self, topic: str, partition: int, offset: int, why: str = "") -> None:
        """A record is none of ours; `why` names places in it, not contents."""
        self._counter.labels(topic).inc()
        words = f"{topic}: passed by a record that nobody of us wrote"
        told = f"{words} (partition {partition}, offset {offset}){why and ': '}{why}"
        line = self._words[topic].say(told, int(self._monotonic()))
        if line is not None:
            place = {"topic": topic, "partition": partition, "offset": offset}
            log.warning("%s", line, extra=place)
