"""What chaos happens to: Headroom's topology in small, with numbers instead of balances.

```
NAME.raw ─ pass_on ─┬─ NAME.mid ─ fold ─┬─ NAME.out     (compacted: the document of an owner)
                    └─ NAME.dead        └─ NAME.shares ─ add_up ─ NAME.sums  (compacted)
```
`fold` keeps the tables `rows` and, where exactly once is promised, `counts`, a plain `+=`. `add_up`
keeps `shares`, and in memory their sums, which it derives again from restored rows.

A record names the raw record that it comes from, in its header `source`. An owner's records all
come from one raw partition, so their offsets tell a redelivery, as the order of an account does
in Headroom; a redelivery is answered with the present state.
"""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from processors.engine.app import EngineApp, EngineSettings
from processors.engine.batch import Batch, Record

PARTITIONS = 4
SESSION_SECONDS = 2.0
AMOUNT = re.compile(r"-?[0-9]{1,60}")


class Topology:
    """An app with the three agents; the table `counts` exists in exactly_once alone."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.name: str = options["name"]
        self.once = options["guarantee"] == "exactly_once"
        self.app = EngineApp(
            EngineSettings(
                name=self.name,
                kafka={"bootstrap_servers": options["bootstrap"]},
                data_dir=Path(options["data_dir"]),
                partitions=PARTITIONS,
                url=f"http://{options['worker']}:1",
                guarantee=options["guarantee"],
                instance=options["instance"],
                session_seconds=SESSION_SECONDS,
                records_at_once=options["records_at_once"],
            )
        )
        self.tables = {
            "rows": self.app.Table("rows", source=f"{self.name}.mid"),
            "shares": self.app.Table("shares", source=f"{self.name}.shares"),
        }
        if self.once:
            self.tables["counts"] = self.app.Table("counts", source=f"{self.name}.mid")
        self.sums: dict[int, dict[bytes, tuple[int, int]]] = {}
        self.tables["shares"].on_partition(restored=self._add_all, revoked=self._forget)
        for source, work in (("raw", _pass_on), ("mid", _fold), ("shares", _add_up)):
            self._agent(source, work)

    def _agent(self, source: str, work: Any) -> None:
        async def agent(batches: AsyncIterator[Batch]) -> None:
            async for batch in batches:
                for record in batch:
                    work(self, batch, record)

        self.app.agent(self.app.topic(f"{self.name}.{source}"), name=source)(agent)

    def _add_all(self, partition: int) -> None:
        sums: dict[bytes, tuple[int, int]] = {}
        for key, row in self.tables["shares"].committed_items(partition):
            share, group = json.loads(row), key.split(b"/")[0]
            total, versions = sums.get(group, (0, 0))
            sums[group] = (total + int(share["sum"]), versions + share["version"])
        self.sums[partition] = sums

    def _forget(self, partition: int) -> None:
        self.sums.pop(partition, None)

    def answers(self) -> dict[str, Any]:
        """What this worker would answer: its acknowledged rows, and its sums, by partition.

        Not before it has heard of its last commit, which Kafka may show a moment sooner.
        """
        settled = not self.app.consumer.flight.progress.in_flight
        return {
            "serving": self.app.serving and settled,
            "tables": {
                name: {
                    partition: {
                        key.decode(): row.decode() for key, row in table.committed_items(partition)
                    }
                    for partition in table.open_partitions
                }
                for name, table in self.tables.items()
            },
            "sums": {
                partition: {
                    group.decode(): [str(total), versions]
                    for group, (total, versions) in sums.items()
                }
                for partition, sums in self.sums.items()
            },
        }


def _text(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _read(value: bytes | None) -> dict[str, Any] | None:
    """A raw record's fields, or None where it is poison."""
    try:
        found = json.loads(value or b"")
        if AMOUNT.fullmatch(found["amount"]) and isinstance(found["sequence"], int):
            return {field: found[field] for field in ("sequence", "amount", "group")}
    except (ValueError, KeyError, TypeError):
        pass
    return None


def _pass_on(topology: Topology, batch: Batch, record: Record) -> None:
    source = [("source", f"{batch.partition}/{record.offset}".encode())]
    fields = _read(record.value)
    if fields is None:
        topic = f"{topology.name}.dead"
        batch.send(topic, key=record.key, value=record.value, headers=source)
    else:
        owner = (record.key or b"")[::-1]
        batch.send(f"{topology.name}.mid", key=owner, value=_text(fields), headers=source)


def _fold(topology: Topology, batch: Batch, record: Record) -> None:
    owner, fields = record.key or b"", json.loads(record.value or b"")
    source = int(dict(record.headers)["source"].split(b"/")[1])
    if topology.once:
        counts = topology.tables["counts"]
        counts[owner] = b"%d" % (int(counts.get(owner) or b"0") + 1)
    rows = topology.tables["rows"]
    held = rows.get(owner)
    state = {"sequence": -1, "version": 0, "count": 0, "sum": "0", "source": -1}
    if held is not None:
        state = json.loads(held)
    seen = source <= state["source"]
    fresh = not seen and fields["sequence"] > state["sequence"]
    if not seen:
        state["count"] += 1
        state["source"] = source
    if fresh:
        state["sequence"] = fields["sequence"]
        state["version"] += 1
        state["sum"] = str(int(state["sum"]) + int(fields["amount"]))
    if not seen:
        rows[owner] = _text(state)
    if fresh or seen:
        document = {field: state[field] for field in ("version", "sequence", "sum")}
        batch.send_latest(f"{topology.name}.out", key=owner, value=_text(document))
        share = {"owner": owner.decode(), "version": state["version"], "sum": state["sum"]}
        group = fields["group"].encode()
        batch.send(f"{topology.name}.shares", key=group, value=_text(share))


def _add_up(topology: Topology, batch: Batch, record: Record) -> None:
    group, share = record.key or b"", json.loads(record.value or b"")
    shares, sums = topology.tables["shares"], topology.sums[batch.partition]
    key = group + b"/" + share["owner"].encode()
    held = json.loads(shares.get(key) or b'{"version":0,"sum":"0"}')
    total, versions = sums.get(group, (0, 0))
    if share["version"] > held["version"]:
        total += int(share["sum"]) - int(held["sum"])
        versions += share["version"] - held["version"]
        sums[group] = (total, versions)
        shares[key] = _text({"version": share["version"], "sum": share["sum"]})
    document = {"versions": versions, "sum": str(total)}
    batch.send_latest(f"{topology.name}.sums", key=group, value=_text(document))
