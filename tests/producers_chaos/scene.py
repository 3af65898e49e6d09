"""A venue, a producer and Kafka, and a count of the frames at each station."""

import asyncio
import json
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.topics import TOPICS
from tests.operators.process import Place, Process, until
from tests.producers import topics
from tests.producers_chaos.brokers import Brokers, Ends
from tests.producers_chaos.counting import Draw, Raw, Receipt, Row, reports, spooled

RAW = "raw.sfox.balances.v1"
PARTITIONS = 8
_KEY = "sandbox-sfox-key"
_RECOVERED_SECONDS = 90.0


class Scene:
    """Everything of one seed; `with` ends it all. `rate` is frames a second."""

    def __init__(
        self,
        draw: Draw,
        *,
        rate: int = 100,
        users: int = 20,
        nodes: int = 1,
        gated: bool = False,
    ) -> None:
        folder, seed = draw.folder, draw.seed
        self._scale = draw.scale
        self.random = Random(seed)
        self.folder = folder
        self._users, self._rate, self._seed = users, rate, seed
        self._are_shared = draw.brokers is not None
        self.brokers: Brokers = draw.brokers or Brokers(folder, nodes, gated=gated)
        self.place = Place(folder)
        self.spool = folder / "spool"
        self.producer: Process
        self._venue: Process
        self._journal = folder / "journal"
        self._reports: list[dict[str, int]] = []
        # What was kept when a producer was killed: it counts as received.
        self.kept: dict[Receipt, bytes] = {}
        self._killed = 0
        # What Kafka had acknowledged, and may forget by itself.
        self.forgettable: set[bytes] = set()
        self.noticed_seconds: float | None = None

    def __enter__(self) -> Self:
        if not self._are_shared:
            self.brokers.start()
        self.place.settings.update(
            KAFKA_BOOTSTRAP=self.brokers.client_bootstrap,
            DATA_DIR=self.folder / "data",
            SPOOL_DIR=self.spool,
            SFOX_API_KEY=_KEY,
        )
        self.brokers.make_topics(self.place)
        self._ends = Ends(self.brokers.bootstrap, RAW, PARTITIONS)
        options = ("--rate", str(self._rate), "--users", str(self._users))
        more = ("--journal", str(self._journal), "--seed", str(self._seed))
        self._venue = self.place.start("sandbox", "sfox", *options, *more)
        url = self._venue.line(r"^(ws://\S+)$")
        self.place.settings["SFOX_URL"] = url
        return self

    def __exit__(self, *_: object) -> None:
        self.brokers.resume()
        self.place.end()
        if not self._are_shared:
            self.brokers.stop()

    # -- the producer

    def produce(self, **settings: object) -> Process:
        """Start a producer, and have a few of its frames in raw."""
        before = self.written()
        self.producer = self.place.start("produce", "sfox", **settings)
        assert self.producer.line("(connected, epoch)"), self.producer.output
        assert until(lambda: self.written() > before + 10, 60), self.producer.output
        return self.producer

    def pause(self, low: float, high: float, since: float | None = None) -> None:
        """Wait for some seconds between these, from `since` on."""
        passed = 0.0 if since is None else time.monotonic() - since
        time.sleep(max(0.0, self.random.uniform(low, high) * self._scale - passed))

    def kill(self) -> None:
        """Kill -9; what lies in its spool, or in raw, was received."""
        self.producer.kill()
        self._killed += 1
        self.kept.update(self.spooled())

    def wait_for_log(self, pattern: str, since: float, seconds: float = 60.0) -> None:
        """How long after `since` the producer says something."""
        if self.producer.line(pattern, seconds) is not None and self.noticed_seconds is None:
            self.noticed_seconds = time.monotonic() - since

    def limit_file_bytes(self, size: int) -> None:
        """No file of the producer may become larger: to it, that is a full disk."""
        resource.prlimit(self.producer.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def replicate_raw(self, *numbers: int) -> None:
        """Have raw anew, on these nodes alone; one that lacks records may become its leader."""
        admin = AdminClient({"bootstrap.servers": self.brokers.bootstrap, "log_level": 0})
        admin.delete_topics([RAW])[RAW].result(20)
        # What `topics apply` says forbids just this.
        settings = TOPICS[RAW].settings(replication_factor=1)
        settings = {**settings, "unclean.leader.election.enable": "true"}
        places = [list(numbers)] * PARTITIONS
        topic = NewTopic(RAW, PARTITIONS, replica_assignment=places, config=settings)

        def made() -> bool:
            try:
                admin.create_topics([topic])[RAW].result(20)
            except KafkaException:  # its name is not free yet
                return False
            return True

        assert until(made, 30)
        self._ends = Ends(self.brokers.bootstrap, RAW, PARTITIONS)

    def wait_for_in_sync(self, *numbers: int) -> None:
        """Wait until raw's partitions are in sync on these nodes alone."""
        where = self.brokers.nodes[0].bootstrap
        admin = AdminClient({"bootstrap.servers": where, "log_level": 0})

        def are() -> bool:
            found = admin.list_topics(RAW, timeout=10).topics[RAW].partitions.values()
            return all(sorted(one.isrs) == sorted(numbers) for one in found)

        assert until(are, 60)

    def raw_of(self, number: int) -> set[bytes]:
        """The frames in raw, by one node's word."""
        where = self.brokers.nodes[number - 1].bootstrap
        return {one.value for one in asyncio.run(topics.records(where, RAW, PARTITIONS))}

    # -- counts

    def written(self) -> int:
        """How many records raw has; 0 where nobody answers."""
        return self._ends.written()

    def sent(self) -> list[bytes]:
        """The balance frames that the venue sent, by its journal."""
        # The last line may still be on its way into the file.
        whole, _, _ = self._journal.read_text().rpartition("\n")
        lines = [json.loads(line) for line in whole.splitlines()]
        return [line["frame"].encode() for line in lines if line.get("frame") is not None]

    def spooled(self) -> dict[Receipt, bytes]:
        """What lies in the spool of a producer that does not run."""
        return spooled(self.spool / "sfox" / "frames.db")

    def recovered(self, since: float) -> float | None:
        """How long after `since` raw has all that had been sent by then."""
        sent = len(self.sent())
        if self._killed or self.forgettable:
            # Some of them cannot be there: it has recovered once others come.
            sent = self.written() + 1
        if not until(lambda: self.written() >= sent, _RECOVERED_SECONDS, 0.05):
            return None
        return time.monotonic() - since

    def count(
        self, fault: str, recovered: float | None, check: Callable[[list[str]], object] = list
    ) -> Row:
        """Stop the venue, then the producer, and count."""
        self._venue.signal(signal.SIGTERM)
        wrong: list[str] = []
        assert until(lambda: self._venue.status is not None, 20)
        # It has taken what lay in its socket once it has noticed.
        self.producer.line("(closed_by_venue|connection_lost)", 30)
        if status := self.producer.stop():
            wrong.append(f"the producer ended with {status}: {self.producer.output[-500:]}")
        for process in self.place.running:
            self._reports += reports(process.output, wrong)
        dropped = sum(report["dropped"] for report in self._reports)
        where, since = self.brokers.bootstrap, self._ends.begun
        records = asyncio.run(topics.records(where, RAW, PARTITIONS, since=since))
        check(wrong)
        return self._row(fault, records, dropped, recovered, wrong)

    def _row(
        self,
        fault: str,
        records: list[Any],
        dropped: int,
        recovered: float | None,
        wrong: list[str],
    ) -> Row:
        sent = self.sent()
        raw = Raw(records, wrong)
        found = raw.found
        both = Counter(found.values())
        if twice := [frame for frame, times_found in both.items() if times_found > 1]:
            wrong.append(f"{len(twice)} frames under two receipts")
        in_raw = set(found.values())
        missing = [frame for frame in sent if frame not in in_raw]
        forgotten = sum(frame in self.forgettable for frame in missing)
        missing = [frame for frame in missing if frame not in self.forgettable]
        if not forgotten:
            wrong += raw.behind
        if not self._killed and not forgotten:
            last = {_account(frame): frame for frame in sent}
            gone = [name for name, frame in last.items() if frame not in in_raw]
            if gone:
                wrong.append(f"the last frames of {gone} are not in raw")
        if self._killed:
            # Of what a killed producer had not written down, nobody knows but the venue.
            lost = [one for at, one in self.kept.items() if found.get(at) != one]
            received = len(sent) - len(missing) + len(lost)
        else:
            lost, received = missing, sum(report["frames"] for report in self._reports)
        return Row(
            fault=fault,
            seed=self._seed,
            sent=len(sent),
            received=received,
            raw=len(found),
            lost=len(lost),
            dropped=dropped,
            repeated=raw.repeated,
            noticed_seconds=self.noticed_seconds,
            recovered_seconds=recovered,
            wrong=wrong[:10],
            forgotten=forgotten,
            behind=len(raw.behind) if forgotten else 0,
        )


def _account(frame: bytes) -> str:
    account: str = json.loads(frame)["payload"]["user_id"]
    return account
