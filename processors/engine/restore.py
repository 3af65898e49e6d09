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
from processors.engine.table import Table

RECORDS_AT_ONCE: Final = 5_000
_WAIT_MS: Final = 500

Changelogs = Mapping[TopicPartition, Table]
Ends = Mapping[TopicPartition, int]


class Restore:
    """One restore: of these tables' partitions, through the group's own aiokafka consumer."""

    def __init__(self, client: Any, log: Logger) -> None:  # noqa: ANN401 - aiokafka has no types
        self._client = client
        self._log = log

    async def run(self, tables: Iterable[Table], partitions: Mapping[str, Iterable[int]]) -> int:
        """Bring the given partitions of every table up to date; how many records that took.

        `partitions` maps changelog topics to partitions. Raises `ChangelogCut` where a store is
        ahead of its changelog, or a changelog is empty that cannot be.
        """
        changelogs = {
            TopicPartition(table.changelog_topic_name, partition): table
            for table in tables
            for partition in sorted(partitions.get(table.changelog_topic_name, ()))
        }
        if not changelogs:
            return 0
        started = time.monotonic()
        ends = await self._client.end_offsets(list(changelogs))
        behind = await self._seek(changelogs, ends)
        self._client.resume(*changelogs)
        restored = 0
        while behind:
            restored += await self._read_on(changelogs, behind)
            for changelog in list(behind):
                if await self._client.position(changelog) >= ends[changelog]:
                    behind.remove(changelog)
        # From here on the tables' own writes are their changelog: nothing more to fetch.
        self._client.pause(*changelogs)
        for changelog, table in changelogs.items():
            # Records at the end may have been compacted away; they are accounted for all the same.
            store, last = table.open(changelog.partition), ends[changelog] - 1
            if last >= 0 and store.offset() != last:
                store.write({}, last)
        seconds = time.monotonic() - started
        self._log.info(
            "restored %d changelog partitions: %d records in %.1f s",
            len(changelogs),
            restored,
            seconds,
        )
        return restored

    async def _seek(self, changelogs: Changelogs, ends: Ends) -> set[TopicPartition]:
        """Go to where each store ends; the changelogs that go on from there."""
        starts = await self._client.beginning_offsets(list(changelogs))
        behind = set()
        for changelog, table in changelogs.items():
            held, end = table.open(changelog.partition).offset(), ends[changelog]
            if (held is not None and held >= end) or (
                not end and await self._was_read(table, changelog)
            ):
                raise ChangelogCut(
                    topic=changelog.topic, partition=changelog.partition, held=held, end=end
                )
            position = max(starts[changelog], 0 if held is None else held + 1)
            self._client.seek(changelog, position)
            if position < end:
                behind.add(changelog)
        return behind

    async def _was_read(self, table: Table, changelog: TopicPartition) -> bool:
        """Whether the table's source has commits in this partition, and so must have left rows."""
        if table.source is None:
            return False
        committed = await self._client.committed(TopicPartition(table.source, changelog.partition))
        return bool(committed)

    async def _read_on(self, changelogs: Changelogs, behind: Iterable[TopicPartition]) -> int:
        fetched = await self._client.getmany(
            *behind, timeout_ms=_WAIT_MS, max_records=RECORDS_AT_ONCE
        )
        count = 0
        for changelog, records in fetched.items():
            if records:
                table = changelogs[changelog]
                table.read_on(changelog.partition)
                rows = {record.key: record.value for record in records}
                table.open(changelog.partition).write(rows, records[-1].offset)
                count += len(records)
        return count
