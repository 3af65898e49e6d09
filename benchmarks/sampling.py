"""How fast a contender was, seen from outside and in the same way for all of them.

Every 50 ms the harness notes how far a `read_committed` reader could read the outputs, and the CPU
seconds so far. Afterwards the outputs are read, and a version counter tells how many changes each
position stands for: so a contender that coalesces is not taken for one that lost something, and
nobody's start-up, warm-up (a share of the records, chosen by the caller) or way of committing
counts. The clock starts at the first sample behind the warm-up and ends at the first sample at
which everything can be read.

The job has two stages, and some contenders run far ahead in the first. So work is counted in both:
a record is half done once its snapshot can be read, and done once its exposure can.
"""

import threading
import time
from bisect import bisect_left
from typing import Final, NamedTuple

import msgspec

from benchmarks.cluster import Cluster, Ends
from benchmarks.job import Options
from benchmarks.process import cpu_seconds
from schemas.topics import BALANCES, EXPOSURE_USER

SAMPLE_SECONDS: Final = 0.05


class Sample(NamedTuple):
    """One look: monotonic seconds, ends of the outputs, CPU seconds of contender and broker."""

    at: float
    ends: Ends
    contender_cpu: float
    broker_cpu: float


class Sampler(threading.Thread):
    """Looks every 50 ms until stopped; a context manager."""

    def __init__(
        self, cluster: Cluster, options: Options, *, contender_pid: int, broker_pid: int
    ) -> None:
        super().__init__(daemon=True)
        self.samples: list[Sample] = []
        self._cluster = cluster
        self._topics = (options.topic(BALANCES), options.topic(EXPOSURE_USER))
        self._pids = contender_pid, broker_pid
        self._over = threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        while not self._over.wait(SAMPLE_SECONDS):
            try:
                contender, broker = map(cpu_seconds, self._pids)
            except OSError:
                return  # the contender is gone; its own check tells why
            ends = self._cluster.ends(*self._topics)
            self.samples.append(Sample(time.monotonic(), ends, contender, broker))

    def check(self) -> None:
        """Raise where the sampler itself is no longer at work."""
        if not self.is_alive():
            raise RuntimeError("the sampler has ended: its error is above")

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()


class Speed(NamedTuple):
    """What was measured between two samples."""

    records: int
    seconds: float
    contender_cpu: float
    broker_cpu: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds


class Progress:
    """How many changes `exposure.user.v1` tells of, up to any offset of each partition."""

    def __init__(self, cluster: Cluster, options: Options) -> None:
        self._topic = options.topic(EXPOSURE_USER)
        self._cluster = cluster
        self._offsets: dict[int, list[int]] = {p: [] for p in range(cluster.partitions)}
        self._sums: dict[int, list[int]] = {p: [] for p in range(cluster.partitions)}
        self._versions: dict[bytes, int] = {}

    def read_on(self) -> int:
        """Read what is new; the number of changes told so far."""
        start = {(self._topic, p): o[-1] + 1 for p, o in self._offsets.items() if o}
        for message in self._cluster.read(self._topic, start):
            partition, key = message.partition(), message.key()
            version = msgspec.json.decode(message.value(), type=_Versioned).version
            before = self._versions.get(key, 0)
            self._versions[key] = max(before, version)
            sums = self._sums[partition]
            sums.append((sums[-1] if sums else 0) + max(0, version - before))
            self._offsets[partition].append(message.offset())
        return self.at({})

    def at(self, ends: Ends) -> int:
        """The changes told before these ends (none given: all)."""
        total = 0
        for partition, offsets in self._offsets.items():
            end = ends.get((self._topic, partition))
            told = len(offsets) if end is None else bisect_left(offsets, end)
            total += self._sums[partition][told - 1] if told else 0
        return total


class _Versioned(msgspec.Struct):
    version: int


def speed(samples: list[Sample], progress: Progress, options: Options, warm_up: int) -> Speed:
    """The speed between the end of the warm-up and the moment at which all could be read."""
    total = progress.at({})
    balances = options.topic(BALANCES)
    snapshots_end = sum(end for key, end in samples[-1].ends.items() if key[0] == balances)
    # Behind its last record a partition may still get a transaction's marker: any end that is
    # not the last one seen is unfinished for the snapshots, which are never coalesced.
    last = {key: end for key, end in samples[-1].ends.items() if key[0] == balances}
    first: tuple[Sample, float] | None = None
    for sample in samples:
        done = progress.at(sample.ends)
        # Markers of transactions are among the offsets, as evenly as anything.
        told = sum(end for key, end in sample.ends.items() if key[0] == balances)
        worked = (done + total * told / snapshots_end) / 2
        if first is None and worked >= warm_up:
            first = sample, worked
        snapshots = all(sample.ends[key] == end for key, end in last.items())
        if first is not None and done == total and snapshots:
            begin, counted = first
            if sample is begin:
                raise RuntimeError("too few records: all came between two looks")
            return Speed(
                round(total - counted),
                sample.at - begin.at,
                sample.contender_cpu - begin.contender_cpu,
                sample.broker_cpu - begin.broker_cpu,
            )
    raise RuntimeError("the last sample does not show all outputs")
