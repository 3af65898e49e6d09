"""Restoring tables from their changelogs, by position and in batches.

A restore ends when every changelog has been read up to the end that it had at the start. It does
not wait for a record at that end: compaction may have removed it.
"""

import time
from collections.abc import Iterable, Mapping
from logging import Logger
from typing import Any, Final

from aiokafka.structs import TopicPartition

from processors.engine.errors import ChangelogCut
from processors.engine.store import PartitionStore
from processors.engine.table import Table

RECORDS_AT_ONCE: Final = 5_000
_WAIT_MS: Final = 500

Changelogs = Mapping[TopicPartition, PartitionStore]


class Restore:
    """One restore: of these tables' partitions, through the group's own aiokafka consumer."""

    def __init__(self, client: Any, log: Logger) -> None:  # noqa: ANN401 - aiokafka has no types
        self._client = client
        self._log = log

    async def run(self, tables: Iterable[Table], partitions: Mapping[str, Iterable[int]]) -> int:
        """Bring the given partitions of every table up to date; how many records that took.

        `partitions` maps changelog topics to partitions. Raises `ChangelogCut` where a store is
        ahead of its changelog.
        """
        stores: dict[TopicPartition, PartitionStore] = {
            TopicPartition(table.changelog_topic_name, partition): table.open(partition)
            for table in tables
            for partition in sorted(partitions.get(table.changelog_topic_name, ()))
        }
        if not stores:
            return 0
        started = time.monotonic()
        behind = await self._behind(stores)
        self._client.resume(*stores)
        restored = 0
        while behind:
            restored += await self._read_on(stores, behind)
            for changelog in list(behind):
                if await self._client.position(changelog) >= behind[changelog]:
                    del behind[changelog]
        # From here on the tables' own writes are their changelog: nothing more to fetch.
        self._client.pause(*stores)
        seconds = time.monotonic() - started
        self._log.info(
            "restored %d changelog partitions: %d records in %.1f s", len(stores), restored, seconds
        )
        return restored

    async def _behind(self, stores: Changelogs) -> dict[TopicPartition, int]:
        """Seek to where each store ends; the changelogs that go on from there, and their ends."""
        ends = await self._client.end_offsets(list(stores))
        starts = await self._client.beginning_offsets(list(stores))
        behind = {}
        for changelog, store in stores.items():
            held, end = store.offset(), ends[changelog]
            if held is not None and held >= end:
                raise ChangelogCut(
                    topic=changelog.topic, partition=changelog.partition, held=held, end=end
                )
            position = max(starts[changelog], -1 if held is None else held + 1)
            self._client.seek(changelog, position)
            if position < end:
                behind[changelog] = end
        return behind

    async def _read_on(self, stores: Changelogs, behind: Iterable[TopicPartition]) -> int:
        fetched = await self._client.getmany(
            *behind, timeout_ms=_WAIT_MS, max_records=RECORDS_AT_ONCE
        )
        count = 0
        for changelog, records in fetched.items():
            if records:
                rows = {record.key: record.value for record in records}
                stores[changelog].write(rows, records[-1].offset)
                count += len(records)
        return count
