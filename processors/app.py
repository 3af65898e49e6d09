"""One worker: the Faust app, its agents, its questions over HTTP; run until told to stop."""

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import msgspec
from prometheus_client import ProcessCollector

from processors.agents import Agents
from processors.alerts.rules import Rule
from processors.engine.app import EngineApp, EngineSettings
from processors.engine.errors import StopTimedOut
from processors.http.access import Access
from processors.http.crowd import BOUNDS, Bounds, descriptors
from processors.http.events.alerts import AlertEvents
from processors.http.events.handler import READERS_SHARE, Events
from processors.http.events.hub import Hub
from processors.http.events.relay import Relays
from processors.http.events.users import UserEvents
from processors.http.feeds import Feeds
from processors.http.overview import Overview
from processors.http.ownership import Ownership
from processors.http.questions import Questions
from processors.http.server import Server
from processors.ledger.views import NOWHERE, Venues
from processors.metrics import (
    AccountCollector,
    EngineCollector,
    KeysCollector,
    Metrics,
    SchemaIdCollector,
)
from processors.names import EVERYTHING, Accounts, Names
from processors.schema_ids import SchemaIds
from processors.watching import Watching
from schemas.following import Follow
from schemas.incarnations import Incarnation
from schemas.topics import FEEDS
from schemas.traces import Spans

STOP_SECONDS_MAX: Final = 30.0
NOT_SERVING_SECONDS: Final = 300.0
_NS_PER_S: Final = 1_000_000_000


class WorkerSettings(msgspec.Struct, frozen=True):
    """What a worker needs beside its engine.

    `names` is what its topics are called, `frames_of` whose frames it reads, `owners` who has
    accounts of another name (it may change), `in_assets` at which venues an asset's limit is an
    amount of it. Who has not served for `not_serving_seconds` is to be started again (`/livez`).
    `access` says who may ask; None: whoever reaches the listener. `bounds` are how many may be
    connected, and for how long each may take. `schema_ids` are what a registry tells of the schemas
    of public topics; None: there is none.
    `version` is that of the code, for whoever looks at a dead letter. `incarnations`, `rules` and
    `spans`: see `Agents`.
    """

    engine: EngineSettings
    names: Names = Names()
    frames_of: Mapping[str, Accounts] = EVERYTHING
    owners: Mapping[str, str] = {}
    in_assets: Venues = NOWHERE
    stale_after_seconds: float = 60.0
    not_serving_seconds: float = NOT_SERVING_SECONDS
    access: Access | None = None
    bounds: Bounds = BOUNDS
    schema_ids: SchemaIds | None = None
    version: str = ""
    incarnations: Mapping[str, Sequence[Incarnation]] = {}
    rules: tuple[Rule, ...] = ()
    spans: Spans | None = None


class Pipeline:
    """The agents and their tables, and nobody to ask them."""

    def __init__(
        self, settings: WorkerSettings, *, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.metrics = Metrics()
        self.app = EngineApp(settings.engine)
        self.agents = Agents(
            self.app,
            self.metrics,
            clock_ns=clock_ns,
            names=settings.names,
            frames_of=settings.frames_of,
            owners=settings.owners,
            in_assets=settings.in_assets,
            schema_ids=settings.schema_ids,
            version=settings.version,
            incarnations=settings.incarnations,
            rules=settings.rules,
            spans=settings.spans,
        )

    async def run(self, until: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Work until `until`, begun once the work has, is over.

        Raises whatever broke the work before that, or `until` itself.
        """
        async with self._working():
            # mode has no public way to wait for a crash.
            crashed = asyncio.create_task(self.app._crashed.wait())  # noqa: SLF001
            over = asyncio.create_task(until())
            try:
                await asyncio.wait((crashed, over), return_when=asyncio.FIRST_COMPLETED)
            finally:
                crashed.cancel()
                over.cancel()
                ended = await asyncio.gather(over, return_exceptions=True)
        if self.app.crash_reason is not None:
            raise self.app.crash_reason
        if isinstance(ended[0], Exception):
            raise ended[0]

    @contextlib.asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        try:
            await self.app.start()
            yield
        finally:
            try:
                await asyncio.wait_for(self.app.stop(), STOP_SECONDS_MAX)
            except TimeoutError:
                # Why it broke says more than that it did not stop.
                if self.app.crash_reason is None:
                    raise StopTimedOut(STOP_SECONDS_MAX) from None


class Worker:
    """A worker's parts; `run` starts them.

    `listener` is a bound socket: who starts a worker learns of a taken port before Kafka does.
    `follow` reads what producers say of their connections; its clock is `monotonic`.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        listener: socket.socket,
        *,
        follow: Follow,
        monotonic: Callable[[], float] = time.monotonic,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        engine = settings.engine
        self._pipeline = Pipeline(settings, clock_ns=clock_ns)
        self.app, self.agents = self._pipeline.app, self._pipeline.agents
        self.metrics = self._pipeline.metrics
        self.metrics.registry.register(EngineCollector(self.app))
        ProcessCollector(registry=self.metrics.registry)
        self._feeds = Feeds(
            follow,
            topic=settings.names.source(FEEDS),
            stale_after_seconds=settings.stale_after_seconds,
            clock_ns=clock_ns,
            monotonic=monotonic,
            foreign=self.metrics.foreign_records.labels(FEEDS).inc,
        )
        access = settings.access
        credential = None if access is None else access.worker
        if access is not None and access.issuer is not None:
            keys = access.issuer.keys
            self.metrics.registry.register(KeysCollector(lambda: keys.failures, keys.age_seconds))
        if settings.schema_ids is not None and settings.schema_ids.wanted:
            self.metrics.registry.register(SchemaIdCollector(settings.schema_ids))
        self._ownership = Ownership(self.app, engine.url, credential)
        self._overview = Overview(
            self.agents.users,
            clock_ns=clock_ns,
            now=self._feeds.now,
            in_assets=settings.in_assets,
        )
        self.metrics.registry.register(AccountCollector(self._overview.counted))
        user_events = UserEvents(
            self.agents.users, now=self._feeds.now, in_assets=settings.in_assets
        )
        self._hub = Hub(
            self.app,
            engine.url,
            [user_events, AlertEvents(self.agents.alerts)],
            life=lambda: secrets.token_hex(5),
            monotonic=time.monotonic,
        )
        self._watching = Watching(
            self.app,
            users=self.agents.users,
            alerts=self.agents.alerts,
            rules=settings.rules,
            topic=settings.names.adoptions,
            now=self._feeds.now,
            clock_ns=clock_ns,
            monotonic_ns=lambda: round(monotonic() * _NS_PER_S),
        )
        self._relays = Relays(credential)
        events = Events(
            self._hub,
            self._relays,
            self.metrics,
            partitions=engine.partitions,
            places_max=settings.bounds.within(descriptors()).connections_max // READERS_SHARE,
        )
        questions = Questions(self.agents, self._ownership, self._feeds, self._overview)
        self._server = Server(
            self.app,
            questions,
            events,
            self.metrics,
            listener,
            access,
            not_serving_seconds=settings.not_serving_seconds,
            bounds=settings.bounds,
        )

    async def run(
        self, stop: asyncio.Event, *, on_serving: Callable[[], None] | None = None
    ) -> None:
        """Work until `stop` is set; raises whatever broke the worker before that.

        `on_serving` is called once, when the tables are there for the first time.
        """
        try:
            async with self._server.serving(), self._feeds.followed():

                def serving() -> None:
                    self._overview.count()
                    if on_serving is not None:
                        on_serving()

                self.app.tables.when_serving(serving)
                telling = asyncio.create_task(self._hub.run())
                try:
                    await self._pipeline.run(lambda: self._watching.run(stop))
                finally:
                    telling.cancel()
                    await asyncio.gather(telling, return_exceptions=True)
        finally:
            await self._relays.close()
            await self._overview.close()
            await self._ownership.close()
