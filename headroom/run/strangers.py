"""Strangers' records in the topics that are followed beside a worker, counted in its metric."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import prometheus_client

from schemas.following import Follow, Followed, Take


class Strangers:
    """A `Follow` that counts by topic; `tell` has a worker's metric say so, of before as well.

    The book and the bindings are followed for longer than one worker lives: the next one goes on
    counting where the last one ended.
    """

    def __init__(self, follow: Follow) -> None:
        self._follow = follow
        self._counts: Counter[str] = Counter()
        self._metric: prometheus_client.Counter | None = None

    def __call__(
        self,
        topic: str,
        take: Take,
        *,
        forget: Callable[[], object],
        foreign: Callable[[], object] = lambda: None,
        read_committed: bool = True,
    ) -> AbstractAsyncContextManager[Followed]:
        """Follow a topic while the block runs."""

        def count() -> None:
            foreign()
            self._counts[topic] += 1
            if self._metric is not None:
                self._metric.labels(topic).inc()

        return self._follow(
            topic, take, forget=forget, foreign=count, read_committed=read_committed
        )

    def tell(self, metric: prometheus_client.Counter) -> None:
        """Count in this metric from now on."""
        self._metric = metric
        for topic, count in self._counts.items():
            metric.labels(topic).inc(count)
