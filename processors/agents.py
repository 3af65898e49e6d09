"""The Faust agents: they read batches, call the folds, and say what to write and to send."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Final, TypeVar

from processors.alerting import Alerting
from processors.alerts.rules import Rule
from processors.compiled import cloud_event
from processors.engine.app import EngineApp
from processors.engine.batch import Batch, Record
from processors.engine.errors import ForeignRow
from processors.engine.table import Table
from processors.foreign import Foreign
from processors.ledger.assets import Emission, SumLedger
from processors.ledger.assets import check_row as check_sum
from processors.ledger.contributions import shares_of, unbundle
from processors.ledger.doubts import Doubtful
from processors.ledger.moves import read_order
from processors.ledger.rows import RowNotRead, why_not
from processors.ledger.user_ledger import Snapshot, UserChange, UserChanges, UserLedger
from processors.ledger.user_ledger import check_row as check_user
from processors.ledger.users import Unread
from processors.ledger.views import NOWHERE, Venues
from processors.ledger.written import WrittenSnapshots
from processors.metrics import Metrics
from processors.names import ASSETS_TABLE, EVERYTHING, USERS_TABLE, Accounts, Names
from processors.normalise import NORMALISERS, OF_SEVERAL, Part, of_accounts, raw_frame, tell
from processors.schema_ids import SchemaIds
from processors.tracing import Tracing
from processors.unread import Unreadable
from schemas import topics
from schemas.codec import NotADocument, Told, encode
from schemas.documents import AssetExposure
from schemas.headers import PARTS, DeadLetterOrigin, Headers, dead_letter
from schemas.identity import is_account, user_for
from schemas.incarnations import Incarnation, named_at, number_at
from schemas.rejections import Rejected
from schemas.times import time_ns_of
from schemas.traces import Spans
from schemas.venues import VENUES

_NS_PER_S: Final = 1_000_000_000

T = TypeVar("T")


class Agents:
    """The agents and tables of one worker's app.

    `frames_of` names the accounts, venue by venue, whose frames are read at all; with no venue
    nothing is normalised, and what was before is folded. `owners` names the users of accounts that
    are not their own; it may change while they work. `in_assets` are the venues whose limits of
    assets are amounts of the assets. `incarnations` has, by its name, those of each raw topic that
    is not the one that it was, the newest first. `rules` are what is told of on `alerts.v1`.
    `schema_ids` may come while they work, too. `spans` is told of traced frames; None: of none.
    """

    def __init__(
        self,
        app: EngineApp,
        metrics: Metrics,
        *,
        clock_ns: Callable[[], int],
        names: Names = Names(),  # noqa: B008 - frozen
        frames_of: Mapping[str, Accounts] = EVERYTHING,
        owners: Mapping[str, str] = {},
        in_assets: Venues = NOWHERE,
        schema_ids: SchemaIds | None = None,
        version: str = "",
        incarnations: Mapping[str, Sequence[Incarnation]] = {},
        rules: tuple[Rule, ...] = (),
        spans: Spans | None = None,
    ) -> None:
        replicas = app.conf.topic_replication_factor
        changelogs = topics.CHANGELOG.settings(replication_factor=replicas)
        self.users: Table = app.Table(
            USERS_TABLE,
            source=names.output(topics.BALANCES),
            check=partial(why_not, check_user),
            extra_topic_configs=changelogs,
        )
        self.assets: Table = app.Table(
            ASSETS_TABLE,
            source=names.contributions,
            check=partial(why_not, check_sum),
            extra_topic_configs=changelogs,
        )
        self.sums = SumLedger()
        self._snapshots = WrittenSnapshots()
        self.in_assets = in_assets
        self._user_ledger = UserLedger(in_assets=in_assets)
        self._metrics = metrics
        self.foreign = Foreign(metrics.foreign_records, names.folded)
        self._unreadable = Unreadable()
        self._tracing = Tracing(spans, clock_ns)
        self._clock_ns = clock_ns
        self.assets.on_partition(restored=self._load_sums, revoked=self.sums.drop)
        self._names = names
        self._owners = owners
        self._version = version
        self._incarnations = incarnations
        self._schema_id = (schema_ids or SchemaIds()).headers
        self._alerting = Alerting(
            app,
            self.users,
            rules,
            names=names,
            in_assets=in_assets,
            schema_id=self._schema_id,
            changelogs=changelogs,
        )
        self.alerts: Table = self._alerting.table
        self._frames_of = frames_of
        self._venues = {names.source(VENUES[venue].raw_topic): venue for venue in frames_of}
        if self._venues:
            app.agent(app.topic(*self._venues), name="normalise")(self.normalise)
        self._orders = (names.source(topics.MOVES), names.adoptions)
        # One agent for all that changes a user's row: a batch is done before the next is begun.
        of_users = app.topic(names.output(topics.BALANCES), *self._orders)
        app.agent(of_users, name="users")(self.fold_users)
        app.agent(app.topic(names.contributions), name="assets")(self.fold_assets)

    async def normalise(self, batches: AsyncIterator[Batch]) -> None:
        """Raw frames become snapshots or dead letters, one for each account of a frame."""
        async for batch in batches:
            traced, schema_id = self._tracing.of(batch), self._schema_id[topics.BALANCES]
            venue, place = self._venues[batch.topic], f"{batch.topic}/{batch.partition}"
            later, topic = self._incarnations.get(batch.topic), batch.topic
            accounts = self._frames_of[venue]
            normalised = 0
            for record in batch if accounts is None else _of_accounts(venue, batch, accounts):
                if later:
                    topic = named_at(batch.topic, later, batch.partition, record.offset)
                    place = f"{topic}/{batch.partition}"
                told = tell(
                    venue, topic, batch.partition, record, self._snapshots.put, self._owners
                )
                if accounts is not None and (isinstance(told, list) or record.key not in accounts):
                    told = of_accounts(told, accounts)
                if isinstance(told, Told):
                    more = schema_id if traced is None else traced.headers(record.offset, schema_id)
                    self._send_snapshot(batch, told, f"{place}/{record.offset}", more)
                    normalised += 1
                elif isinstance(told, Rejected):
                    self._bury(batch, record, venue, told)
                else:
                    event = f"{place}/{record.offset}"
                    more = schema_id if traced is None else traced.headers(record.offset, schema_id)
                    normalised += self._send_parts(batch, record, venue, event, told, more)
            self._metrics.normalised.labels(venue).inc(normalised)
            if traced is not None:
                traced.worked("normalise")

    def _send_parts(
        self,
        batch: Batch,
        record: Record,
        venue: str,
        event: str,
        parts: list[Part],
        more: Headers,
    ) -> int:
        """Send the outcomes of a frame of several accounts; how many of them are snapshots."""
        normalised = 0
        for part in parts:
            if isinstance(part.outcome, Rejected):
                self._bury(batch, record, venue, part.outcome, (part.number, part.of))
                continue
            of_part = [*more, (PARTS, b"%d" % part.of)]
            self._send_snapshot(batch, part.outcome, f"{event}/{part.number}", of_part)
            normalised += 1
        return normalised

    async def fold_users(self, batches: AsyncIterator[Batch]) -> None:
        """Snapshots become users' rows, their documents, and their shares of all users' sums."""
        async for batch in batches:
            if batch.topic in self._orders:
                orders = self._ours(batch, read_order)
                with self._rows(self.users, batch):
                    changes = self._user_ledger.move(orders, self.users.get)
                with self._rows(self._alerting.table, batch):
                    self._alerting.move(batch, orders)
                self._tell_changes(batch, changes)
                continue
            traced, snapshots = self._tracing.of(batch), self._read_snapshots(batch)
            with self._rows(self.users, batch):
                changes = self._user_ledger.fold(snapshots, self.users.get)
            with self._rows(self._alerting.table, batch):
                self._alerting.fold(batch, snapshots)
            self._tell_changes(batch, changes)
            if traced is not None:
                traced.worked("fold")
            if snapshots:
                batch.when_done(partial(self._observe_age, snapshots[-1].received_time))

    def _tell_changes(self, batch: Batch, changes: UserChanges) -> None:
        for change in changes.users:
            self.users[change.key] = change.row
            self._send_user(batch, change)
        for key, row in changes.rows.items():
            self.users[key] = row
        for key, bundle in changes.contributions:
            batch.send(self._names.contributions, key=key, value=bundle)
        for order in changes.onward:
            batch.send(self._names.adoptions, key=order.user.encode(), value=encode(order))
        for doubtful in changes.doubtful:
            self._send_doubtful(batch, doubtful)
        self._metrics.count(changes)

    def _observe_age(self, received_time: str) -> None:
        age_ns = self._clock_ns() - time_ns_of(received_time)
        self._metrics.socket_to_table.observe(age_ns / _NS_PER_S)

    def _read_snapshots(self, batch: Batch) -> list[Snapshot]:
        return self._ours(batch, self._snapshots.of)

    def _ours(self, batch: Batch, read: Callable[[bytes], T]) -> list[T]:
        """What a batch's records say.

        Nobody but agents and commands writes there; a stranger's record must not stop us, and the
        dead letters account for raw records alone.
        """
        found = []
        for record in batch:
            try:
                found.append(read(record.value or b""))
            except NotADocument as error:
                self.foreign.passed_by(batch.topic, batch.partition, record.offset, str(error))
        return found

    @contextlib.contextmanager
    def _rows(self, table: Table, batch: Batch) -> Iterator[None]:
        """A row that is none of ours is no data: the worker stops, and says which it is."""
        try:
            yield
        except RowNotRead as error:
            raise _foreign_row(table, batch.partition, error) from error

    async def fold_assets(self, batches: AsyncIterator[Batch]) -> None:
        """Shares become sums over all users, one document per sum and batch."""
        async for batch in batches:
            shares = shares_of(record.value or b"" for record in batch)
            if shares is None:
                shares = list(chain.from_iterable(self._ours(batch, unbundle)))
            with self._rows(self.assets, batch):
                changes = self.sums.fold(batch.partition, shares, self.assets.get_many)
            for key, row in changes.rows.items():
                self.assets[key] = row
            for emission in changes.emissions:
                self._send_sum(batch, emission)
            if changes.stale:
                self._metrics.stale_contributions.inc(changes.stale)

    def _load_sums(self, partition: int) -> None:
        try:
            self.sums.load(partition, self.assets.committed_items(partition))
        except RowNotRead as error:
            raise _foreign_row(self.assets, partition, error) from error

    def _bury(
        self,
        batch: Batch,
        record: Record,
        venue: str,
        why: Rejected,
        part: tuple[int, int] | None = None,
    ) -> None:
        """Send a record that cannot be read, or a part of it, to the dead letters, as it came."""
        later = self._incarnations.get(batch.topic, ())
        origin = DeadLetterOrigin(
            topic=batch.topic,
            partition=batch.partition,
            offset=record.offset,
            stage="normalise",
            class_name=NORMALISERS[venue].__module__,
            version=self._version,
            part=part,
            incarnation=number_at(later, batch.partition, record.offset),
        )
        self._metrics.dead_letters.labels(venue, why.reason).inc()
        self._unreadable.buried(origin, venue, why)
        batch.send(
            self._names.output(topics.DEAD_LETTERS),
            key=record.key,
            value=record.value,
            headers=dead_letter(origin, reason=why.reason, detail=why.detail, own=record.headers),
        )
        account = why.account
        if account is None and part is None:
            # Too large, or what else nobody reads on: the producer still knew whose it is.
            account = _account_of(record.key)
        if account is not None:
            self._cast_doubt(batch, record, venue, account, why)

    def _cast_doubt(
        self, batch: Batch, record: Record, venue: str, account: str, why: Rejected
    ) -> None:
        """Let the account's row know that a frame of it could not be read."""
        later = self._incarnations.get(batch.topic, ())
        topic = named_at(batch.topic, later, batch.partition, record.offset)
        frame = raw_frame(topic, batch.partition, record)
        own = user_for(venue, account)
        unread = Unread(
            venue=venue,
            account=account,
            user=self._owners.get(own, own),
            epoch=frame.receipt.epoch,
            receipt=frame.receipt.receipt,
            received_time=frame.receipt.received_time,
            reason=f"unreadable frame at {why.detail} ({why.reason})",
            source=frame.source,
        )
        batch.send(self._names.adoptions, key=unread.user.encode(), value=encode(unread))

    def _send_snapshot(self, batch: Batch, told: Told, event_id: str, more: Headers) -> None:
        """Send a snapshot, with `more` headers than those of an event."""
        headers = cloud_event(
            topic=topics.BALANCES,
            subject=told.user,
            event_id=event_id,
            time=told.received_time,
        )
        headers += more
        batch.send(
            self._names.output(topics.BALANCES),
            key=told.user.encode(),
            value=told.document,
            headers=headers,
        )

    def _send_user(self, batch: Batch, change: UserChange) -> None:
        for topic, document in (
            (topics.BALANCES_LATEST, change.balances),
            (topics.EXPOSURE_USER, change.exposure),
        ):
            batch.send_latest(
                self._names.output(topic),
                key=change.key,
                value=document,
                headers=self._table_headers(topic, change.user, change.version, change.time),
            )

    def _send_doubtful(self, batch: Batch, doubtful: Doubtful) -> None:
        topic, document = topics.UNCONFIRMED, doubtful.document
        headers = cloud_event(
            topic=topic,
            subject=doubtful.key,
            event_id=f"{self._names.sources}{topic}/{doubtful.event}",
            time=doubtful.time,
        )
        batch.send_latest(
            self._names.output(topic),
            key=doubtful.key.encode(),
            value=None if document is None else encode(document),
            headers=headers + self._schema_id[topic],
        )

    def _send_sum(self, batch: Batch, emission: Emission) -> None:
        document = emission.document
        if isinstance(document, AssetExposure):
            topic, name = topics.EXPOSURE_ASSET, document.asset
        else:
            topic, name = topics.EXPOSURE_BASE, document.base_currency
        batch.send_latest(
            self._names.output(topic),
            key=name.encode(),
            value=encode(document),
            headers=self._table_headers(topic, name, document.version, emission.time),
        )

    def _table_headers(self, topic: str, key: str, version: int, time: str) -> Headers:
        event_id = f"{self._names.sources}{topic}/{key}/{version}"
        headers = cloud_event(topic=topic, subject=key, event_id=event_id, time=time)
        headers += self._schema_id[topic]
        return headers


def _foreign_row(table: Table, partition: int, error: RowNotRead) -> ForeignRow:
    return ForeignRow(
        topic=table.changelog_topic_name, partition=partition, key=error.key, why=str(error)
    )


def _account_of(key: bytes | None) -> str | None:
    try:
        account = (key or b"").decode()
    except UnicodeDecodeError:
        return None
    return account if is_account(account) else None


def _of_accounts(venue: str, batch: Batch, accounts: frozenset[bytes]) -> Iterable[Record]:
    """The records that may tell of some accounts: where there are several no key names all."""
    if venue in OF_SEVERAL:
        return batch
    return (one for one in batch if one.key is None or one.key in accounts)
