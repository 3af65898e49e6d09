"""A venue, producers of it behind relays, and a Kafka: for faults of the line and of the lease."""

import asyncio
import contextlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, Self
from urllib.parse import urlsplit

from headroom.local.kafka.process import die_with_parent
from tests.operators.process import Place, Process
from tests.producers import topics
from tests.producers_chaos.brokers import Brokers, Ends
from tests.producers_chaos.counting import Counts, Draw, Raw, Receipt, Row, reports, spooled, tally
from tests.producers_chaos.relay import Relay
from tests.producers_chaos.venue import KEYS

PARTITIONS = 8
_HASTY = (sys.executable, "-m", "tests.producers_chaos.hasty")
_CONNECTED = re.compile(r": connected, epoch|trying again in")
WAIT_SECONDS = 90.0


async def until(condition: Callable[[], Any], seconds: float = WAIT_SECONDS) -> None:
    """Wait for something; TimeoutError where it does not come."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.02)


class Venue:
    """`tests.producers_chaos.venue` as a process, which can be ordered to have faults."""

    def __init__(self, folder: Path, told: dict[str, Any]) -> None:
        self.journal = folder / f"journal-{told['venue']}"
        self._log = folder / f"venue-{told['venue']}.log"
        command = [sys.executable, "-m", "tests.producers_chaos.venue"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, json.dumps({**told, "journal": str(self.journal)})],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - it locks nothing
            )

    async def url(self) -> str:
        await until(lambda: "\n" in self.said or self._process.poll() is not None)
        return self.said.splitlines()[0]

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def order(self, name: str, **numbers: Any) -> None:
        self._tell(f"order {name} {json.dumps(numbers)}\n")

    def clear(self, name: str) -> bool:
        self._tell(f"clear {name}\n")
        return True

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())
        self._process.stdin.flush()

    @property
    def frames(self) -> int:
        """How many its journal has."""
        return self.journal.read_bytes().count(b', "frame": "')

    def sent(self, windows: list[int]) -> list[tuple[int, bytes]]:
        """The frames of its journal with the window of each; a window begins at a place in it."""
        found, at, window = [], 0, 0
        for line in self.journal.read_bytes().splitlines(keepends=True):
            while window + 1 < len(windows) and at >= windows[window + 1]:
                window += 1
            at += len(line)
            frame = json.loads(line).get("frame")
            if frame is not None:
                found.append((window, frame.encode()))
        return found

    async def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        await until(lambda: self._process.poll() is not None)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()


class Producer:
    """A producer that is started (again) with what it had; `relay` leads it to the venue."""

    def __init__(self, place: Place, relay: Relay, venue: str, settings: dict[str, object]) -> None:
        self.place, self.relay, self._venue = place, relay, venue
        self._settings = settings
        self.process: Process

    @property
    def spool(self) -> Path:
        return Path(str(self._settings["SPOOL_DIR"])) / self._venue / "frames.db"

    def spooled(self) -> dict[Receipt, bytes]:
        """What lies in its spool while it does not run."""
        return spooled(self.spool)

    def start(self) -> None:
        self.process = self.place.start("produce", self._venue, **self._settings)

    def says(self, words: str) -> int:
        """How often its present process has said that."""
        return self.process.output.count(words)

    async def works(self, times: int = 1) -> None:
        """Wait until it has connected to the venue for the nth time."""
        try:
            await until(lambda: self.says(": connected, epoch") >= times)
        except TimeoutError:
            raise AssertionError(self.process.output) from None

    @property
    def losses(self) -> int:
        """How often it has lost its connection, or did not get one."""
        return self.says("trying again in")

    @property
    def is_connected(self) -> bool:
        said = _CONNECTED.findall(self.process.output)
        return bool(said) and said[-1].startswith(":")

    async def stop(self, wrong: list[str]) -> None:
        if status := await asyncio.to_thread(self.process.stop):
            wrong.append(f"a producer ended with {status}: {self.process.output[-500:]}")


class World:
    """For `async with`; `hasty`: the short form. `papers`: the venue speaks TLS, with these."""

    def __init__(
        self,
        draw: Draw,
        *,
        venue: str = "sfox",
        rate: int = 100,
        hasty: bool = False,
        papers: tuple[Path, ...] = (),
        **settings: object,
    ) -> None:
        folder, seed = draw.folder, draw.seed
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.seed, self.random = folder, seed, Random(seed)
        self._brokers: Brokers | None = draw.brokers
        self._is_secret, self._name = bool(papers), venue
        program = {"program": _HASTY} if hasty else {}
        self._place = Place(folder, **program, **settings)  # type: ignore[arg-type]
        self._told = {
            "venue": venue,
            "seed": seed,
            "rate": rate,
            "users": 20,
            "papers": [str(path) for path in papers],
        }
        self._stack = contextlib.AsyncExitStack()
        self._windows: list[tuple[str, int]] = []
        self._noticed: list[tuple[float | None, float | None]] = []
        self.producers: list[Producer] = []
        self.wrong: list[str] = []
        self.kept: set[bytes] = set()

    async def __aenter__(self) -> Self:
        if self._brokers is None:
            self._brokers = Brokers(self.folder)
            self._stack.push_async_callback(self._brokers.stop_here)
            await self._brokers.start_here()
        self.bootstrap = self._brokers.bootstrap
        self._place.settings.update(KAFKA_BOOTSTRAP=self.bootstrap)
        self._brokers.make_topics(self._place)
        self._ends = Ends(self.bootstrap, self.raw_topic, PARTITIONS)
        self.venue = Venue(self.folder, self._told)
        self._stack.callback(self.venue.kill)
        self._stack.callback(self._place.end)
        self._url = await self.venue.url()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def produce(self, name: str = "one", **settings: object) -> Producer:
        """Start a producer, behind a relay of its own."""
        parts = urlsplit(self._url)
        assert parts.port is not None, self.venue.said
        relay = await self._stack.enter_async_context(Relay(parts.port))
        url = parts._replace(netloc=f"{parts.hostname}:{relay.port}").geturl()
        prefix = self._name.upper()
        given = {
            f"{prefix}_URL": url,
            f"{prefix}_API_KEY": KEYS[self._name],
            "DATA_DIR": self.folder / name,
            "SPOOL_DIR": self.folder / name / "spool",
            **settings,
        }
        producer = Producer(self._place, relay, self._name, given)
        self.producers.append(producer)
        producer.start()
        return producer

    # -- windows

    def begin(self, fault: str) -> None:
        """From here on what is sent belongs to a fault."""
        at = self.venue.journal.stat().st_size if self._windows else 0
        self._windows.append((fault, at))
        self._noticed.append((None, None))

    def tell(self, noticed: float | None, recovered: float | None) -> None:
        """How long it took to notice the present fault, and to recover from it."""
        self._noticed[-1] = noticed, recovered

    async def more(self, count: int = 4) -> None:
        """Wait for so many more frames in raw."""
        before = await self.written()

        async def came() -> bool:
            return await self.written() >= before + count

        await until(came)

    async def written(self) -> int:
        """How many places raw has."""
        return await asyncio.to_thread(self._ends.written)

    @property
    def raw_topic(self) -> str:
        return f"raw.{self._name}.balances.v1"

    # -- the end

    async def stop(self) -> None:
        """Stop the venue; once producers have taken what was sent, stop them."""
        await self.venue.stop()
        for producer in self.producers:
            await until(lambda one=producer: one.relay.is_idle or one.process.status is not None)
        for producer in self.producers:
            if producer.process.status is None:
                await producer.stop(self.wrong)
        for process in self._place.running:
            reports(process.output, self.wrong)

    async def rows(self) -> list[Row]:
        """A row for each fault; what is wrong is said of the first one."""
        place = self.bootstrap, self.raw_topic, PARTITIONS
        records = await topics.records(*place, committed=True, since=self._ends.begun)
        relays = [each.relay for each in self.producers]
        raw = Raw(records, self.wrong, several=len(relays) > 1)
        self.wrong += raw.behind
        arrived = [one.arrived for each in relays for one in each.connections]
        counts = tally(
            self.venue.sent([at for _, at in self._windows]),
            None if self._is_secret else arrived,
            raw.in_order,
            self.wrong,
            killed=[one.arrived for each in relays for one in each.killed],
            kept=self.kept,
        )
        rows = []
        for window, (fault, _) in enumerate(self._windows):
            # Under a fault that lets nothing pass there may have been none.
            count = counts.get(window, Counts())
            noticed, recovered = self._noticed[window]
            row = Row(
                fault=fault,
                seed=self.seed,
                sent=count.sent,
                received=count.received,
                raw=count.raw,
                lost=count.lost,
                dropped=0,
                repeated=0 if window else raw.repeated,
                noticed_seconds=noticed,
                recovered_seconds=recovered,
                refused=count.refused,
                wrong=[] if window else self.wrong[:10],
            )
            rows.append(row)
        return rows
