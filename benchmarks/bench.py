"""What every part of the benchmark stands on: a broker of its own, names, and a contender's run."""

import asyncio
import contextlib
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.cluster import Cluster
from benchmarks.job import Options
from benchmarks.kinds import ROOT, Kind
from benchmarks.process import Contender
from headroom.local.kafka import KafkaNode

BROKER_HEAP_BYTES: Final = 1024 * 1024 * 1024
PARTITIONS: Final = 8
_numbers = itertools.count(1)


class Bench(NamedTuple):
    """A running broker and a folder for everything that is thrown away in the end."""

    cluster: Cluster
    broker_pid: int
    folder: Path

    def options(
        self, raw: str, kind: Kind, guarantee: str, commit_ms: int, also: Sequence[str] = ()
    ) -> Options:
        """Options of a run that shares no name with any other."""
        name = f"b{next(_numbers)}-{kind.name}"
        return Options(
            bootstrap=self.cluster.bootstrap,
            raw=raw,
            prefix=f"{name}-",
            group=name,
            data_dir=str(self.folder / name),
            partitions=self.cluster.partitions,
            guarantee=guarantee,
            commit_ms=commit_ms,
            emit=kind.emit,
            also=also,
        )

    @contextlib.contextmanager
    def running(self, kind: Kind, options: Options) -> Iterator[Contender]:
        """A contender's process, from its start to its end; its local tables go with it."""
        options.folder.mkdir(parents=True)
        log = self.folder / f"{options.group}.log"
        environment = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        try:
            with Contender(kind.command(options), log, environment) as contender:
                yield contender
        finally:
            shutil.rmtree(options.folder, ignore_errors=True)

    def forget(self, options: Options) -> None:
        """Delete the run's topics, changelogs included."""
        self.cluster.delete(options.group)


@contextlib.contextmanager
def bench(*, keep: bool = False) -> Iterator[Bench]:
    """A broker and a folder; `keep` leaves the contenders' logs where they are."""
    folder = Path(tempfile.mkdtemp(prefix="headroom-bench-"))
    node = KafkaNode(heap_bytes_max=BROKER_HEAP_BYTES)
    asyncio.run(node.start())
    try:
        yield Bench(Cluster(node.bootstrap, PARTITIONS), node.pid, folder)
    finally:
        asyncio.run(node.stop())
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def until(deadline_seconds: float, what: str, poll_seconds: float = 0.1) -> Iterator[None]:
    """Turns of a loop that waits for something; `TimeoutError` after the deadline."""
    end = time.monotonic() + deadline_seconds
    while time.monotonic() < end:
        yield
        time.sleep(poll_seconds)
    raise TimeoutError(f"{what} within {deadline_seconds:g} s")


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown",
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return {"cpu": model, "cores": os.cpu_count() or 0, "memory_gib": memory}
