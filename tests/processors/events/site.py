"""Events of rows that a test writes: all of a worker's events, without Kafka and its agents."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from processors.http.access import Access, guarded
from processors.http.events.alerts import AlertEvents
from processors.http.events.handler import Events
from processors.http.events.hub import Hub
from processors.http.events.relay import Relays
from processors.http.events.users import UserEvents
from processors.metrics import Metrics
from schemas.codec import encode
from tests.processors.connections import connections
from tests.processors.ledger.snapshots import last, snapshot


class Rows:
    """Committed rows of a table; who is told of them is told as the engine tells."""

    def __init__(self, partition: int = 0) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.partition = partition
        self.open_partitions = frozenset({partition})
        self._settled: Any = None
        self.unseen: Any = None

    def on_settled(self, call: Callable[..., None], *, unseen: Callable[[int], None]) -> None:
        self._settled, self.unseen = call, unseen

    def committed(self, _: int, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def committed_items(self, _: int, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return iter([(key, row) for key, row in sorted(self.rows.items()) if key >= start])

    def put(self, account: str, version: int, **fields: Any) -> None:
        seen = [snapshot(1, n, n, account=account, **fields) for n in range(1, version + 1)]
        state = last(seen).state
        assert state.version == version
        self.settle({state.user.encode(): encode(state)})

    def settle(self, rows: Mapping[bytes, bytes | None]) -> None:
        """Kafka has these rows."""
        for key, row in rows.items():
            self.rows.pop(key, None)
            if row is not None:
                self.rows[key] = row
        self._settled(self.partition, list(rows))


class Site:
    """One worker's events over HTTP; `owners` are the workers of all partitions, by their URLs."""

    def __init__(self, *, places_max: int = 100, partition: int = 0, partitions: int = 1) -> None:
        self.rows, self.alerts, self.metrics = Rows(partition), Rows(partition), Metrics()
        self.owners = {partition: "here"}
        self.app = SimpleNamespace(
            serving=True,
            owners=lambda _: dict(self.owners),
            workers=lambda: sorted(set(self.owners.values())),
            partition_of=lambda _: partition,
        )
        lives, known = itertools.count(), connections()
        source = UserEvents(self.rows, now=lambda: known)  # type: ignore[arg-type]
        self.hub = Hub(
            self.app,  # type: ignore[arg-type]
            "here",
            [source, AlertEvents(self.alerts)],  # type: ignore[arg-type]
            life=lambda: f"life{next(lives)}",
            monotonic=time.monotonic,
        )
        self.events = Events(
            self.hub, Relays(None), self.metrics, partitions=partitions, places_max=places_max
        )

    def cut(self) -> None:
        """Break the connections of all readers."""
        for reader in self.events._readers:
            reader.out._response._req.transport.abort()  # type: ignore[union-attr]

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def serving(site: Site, access: Access | None = None) -> AsyncIterator[str]:
    """Its address, while the block runs."""
    app = web.Application(middlewares=[guarded(access)])
    app.add_routes(site.events.routes())
    tasks = [asyncio.create_task(site.hub.run())]
    if access is not None:
        tasks.append(asyncio.create_task(site.events.mind(access)))
    try:
        async with TestServer(app) as server:
            yield str(server.make_url("")).rstrip("/")
            await site.events.close()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
