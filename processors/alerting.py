"""What a worker tells of limits: the table beside the users', and the records of `alerts.v1`."""

from collections.abc import Iterable, Mapping
from functools import partial

from processors.alerts.batch import AlertChanges, check_row
from processors.alerts.ledger import AlertLedger
from processors.alerts.rules import Rule
from processors.compiled import cloud_event
from processors.engine.app import EngineApp
from processors.engine.batch import Batch
from processors.engine.table import Table
from processors.ledger.moves import Order
from processors.ledger.rows import why_not
from processors.ledger.user_ledger import Snapshot
from processors.ledger.views import Venues
from processors.names import ALERTS_TABLE, Names
from schemas import topics
from schemas.codec import encode
from schemas.headers import Headers


class Alerting:
    """Rules, and where they stand; without rules nothing is judged, and the table stays as it is.

    It works within the users' batches, before their rows change: these say which snapshots are new.
    `changelogs` are the settings of a table's changelog.
    """

    def __init__(
        self,
        app: EngineApp,
        users: Table,
        rules: tuple[Rule, ...],
        *,
        names: Names,
        in_assets: Venues,
        schema_id: Mapping[str, Headers],
        changelogs: dict[str, str],
    ) -> None:
        # Most users have no row here: an empty changelog is none that was lost, so no `source`.
        self.table: Table = app.Table(
            ALERTS_TABLE, check=partial(why_not, check_row), extra_topic_configs=changelogs
        )
        self._users = users
        self._ledger = AlertLedger(rules, in_assets=in_assets) if rules else None
        if self._ledger is not None:
            forget = self._ledger.forget
            self.table.on_partition(restored=forget, revoked=forget)
        self._names = names
        self._schema_id = schema_id

    def fold(self, batch: Batch, snapshots: Iterable[Snapshot]) -> None:
        """Judge a batch's snapshots; raises `RowNotRead`."""
        if self._ledger is not None:
            self._tell(
                batch,
                self._ledger.fold(batch.partition, snapshots, self.table.get, self._users.get),
            )

    def move(self, batch: Batch, orders: Iterable[Order]) -> None:
        """Clear what was told of accounts that go to other users; raises `RowNotRead`."""
        if self._ledger is not None:
            self._tell(
                batch, self._ledger.move(batch.partition, orders, self.table.get, self._users.get)
            )

    def _tell(self, batch: Batch, changes: AlertChanges) -> None:
        """Rows and alerts go with the users' rows: all of them, or none."""
        for key, row in changes.rows.items():
            self.table[key] = row
        for told in changes.told:
            alert = told.alert
            headers = cloud_event(
                topic=topics.ALERTS,
                subject=alert.user,
                event_id=self._names.sources + told.event,
                time=alert.time,
            )
            batch.send(
                self._names.output(topics.ALERTS),
                key=alert.user.encode(),
                value=encode(alert),
                headers=headers + self._schema_id[topics.ALERTS],
            )
