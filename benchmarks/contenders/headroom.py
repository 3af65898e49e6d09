"""Headroom: the product's own `normalise`, and its fold of users with the row and one document."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from benchmarks.job import Options, options_from_argument, venue_of
from processors.agents import Agents
from processors.engine.app import EngineApp, EngineSettings
from processors.engine.batch import Batch, Record
from processors.foreign import Foreign
from processors.garbage import collect_rarely
from processors.ledger.user_ledger import UserChange, UserLedger
from processors.ledger.written import WrittenSnapshots
from processors.metrics import Metrics
from processors.names import EVERYTHING, USERS_TABLE, Names
from processors.tracing import Tracing
from processors.unread import Unreadable
from schemas import topics
from schemas.rejections import Rejected


class Job(Agents):
    """Two agents and one table, of the product's three and two."""

    def __init__(self, app: EngineApp, options: Options) -> None:
        self._metrics = Metrics()
        self.foreign = Foreign(self._metrics.foreign_records)
        self._unreadable = Unreadable()
        self._tracing = Tracing(None, time.time_ns)
        self._clock_ns = time.time_ns
        self._names = Names.behind(options.prefix)
        self._version = ""
        self._schema_id = {topic: [] for topic in topics.TOPICS}
        self._user_ledger = UserLedger(with_shares=False)  # the job has no sums
        self._snapshots = WrittenSnapshots()
        self._venues = {raw: venue_of(raw) for raw in options.raws}
        self._frames_of = EVERYTHING
        self._owners = {}
        self._incarnations = {}
        balances = options.topic(topics.BALANCES)
        changelog = topics.CHANGELOG.settings(replication_factor=1)
        self.users = app.Table(USERS_TABLE, source=balances, extra_topic_configs=changelog)
        for raw, venue in self._venues.items():
            app.agent(app.topic(raw), name=f"normalise-{venue}")(self.normalise)
        keep = self.keep_newest if options.emit == "latest" else self.keep_every
        app.agent(app.topic(balances), name="users")(keep)

    async def keep_newest(self, batches: AsyncIterator[Batch]) -> None:
        """Snapshots become rows and exposures, of each user once in a batch, as in the product."""
        async for batch in batches:
            changes = self._user_ledger.fold(self._read_snapshots(batch), self.users.get)
            for change in changes.users:
                self.users[change.key] = change.row
                self._send_exposure(batch.send_latest, change)

    async def keep_every(self, batches: AsyncIterator[Batch]) -> None:
        """Snapshots become rows and exposures, each of them."""
        async for batch in batches:
            for snapshot in self._read_snapshots(batch):
                change = self._user_ledger.fold_one(snapshot, self.users.get)
                if change is not None:
                    self.users[change.key] = change.row
                    self._send_exposure(batch.send, change)

    def _cast_doubt(
        self, batch: Batch, record: Record, venue: str, account: str, why: Rejected
    ) -> None:
        """The job knows no freshness, as its peers do not."""

    def _send_exposure(self, send: Any, change: UserChange) -> None:
        topic = topics.EXPOSURE_USER
        headers = self._table_headers(topic, change.user, change.version, change.time)
        send(self._names.output(topic), key=change.key, value=change.exposure, headers=headers)


def settings(options: Options) -> EngineSettings:
    """The engine's settings; the rest is as the product has it."""
    chosen = {
        "name": options.group,
        "kafka": {"bootstrap_servers": options.bootstrap},
        "data_dir": options.folder,
        "partitions": options.partitions,
        "url": "http://127.0.0.1:1",
        "store": options.store,
        "guarantee": options.guarantee,
    }
    return msgspec.convert(chosen, EngineSettings)


async def main(options: Options) -> None:
    """Work until told to stop; raises whatever broke the worker."""
    app = EngineApp(settings(options))
    Job(app, options)
    collect_rarely()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await app.start()
    try:
        # mode has no public way to wait for a crash.
        waits = [asyncio.create_task(w) for w in (stop.wait(), app._crashed.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await app.stop()
    if app.crash_reason is not None:
        raise app.crash_reason


if __name__ == "__main__":
    asyncio.run(main(options_from_argument()))
