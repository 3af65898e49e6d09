"""One act's world: a Kafka, its topics, venues that speak, a worker; and the row of it."""

import re
import shutil
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from tests.operators.hands import GROUP, PARTITIONS, Hands
from tests.operators.oracle import Memory, ask, shown_wrong
from tests.operators.process import Broker, Ended, Forwarder, Place, Process, until
from tests.operators.venue import Venue

USERS_CHANGELOG = "headroom-users-changelog"
ASSETS_CHANGELOG = "headroom-assets-changelog"
SETTLE_SECONDS = 40.0
SEE_SECONDS = 40.0


class Row(msgspec.Struct):
    """What came of an act: what was lost, told twice, wrong; what the operator was told.

    `failed` is what went otherwise than it has to: a way on that is none, a line that is missing.
    """

    act: str
    lost: list[str] = []
    twice: list[str] = []
    wrong: list[str] = []
    said: str = "nothing"
    failed: list[str] = []
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        return not (self.lost or self.twice or self.wrong or self.failed)

    def __str__(self) -> str:
        counts = f"lost {len(self.lost)} twice {len(self.twice)} wrong {len(self.wrong)}"
        mark = "ok " if self.sound else "RED"
        return f"{mark} {self.act:<28} {counts}  {self.seconds:3.0f} s  said: {self.said[:230]}"

    def details(self) -> list[str]:
        """Up to three of each kind."""
        kinds = ("lost", "twice", "wrong", "failed")
        return [f"    {kind}: {one}" for kind in kinds for one in getattr(self, kind)[:3]]


class Scene:
    """One Kafka with all that is around it, for `with`.

    `forwarded`: its bootstrap address lasts, wherever the broker is.
    """

    def __init__(self, act: str, folder: Path, *, forwarded: bool = False) -> None:
        self.row = Row(act)
        self._begun = time.monotonic()
        self.place = Place(
            folder, DATA_DIR=folder / "data", PARTITIONS=PARTITIONS, NOT_SERVING_SECONDS=30
        )
        self.broker = Broker(self.place)
        self._forwarded = forwarded
        self.forwarder: Forwarder | None = None
        self.worker: Process | None = None
        self.url = ""
        self._said: str | None = None
        self._ended = False

    def __enter__(self) -> Self:
        try:
            self._enter()
        except BaseException:
            self.place.end()
            raise
        return self

    def _enter(self) -> None:
        address = self.broker.start()
        if self._forwarded:
            self.forwarder = Forwarder(address)
        self.bootstrap = address if self.forwarder is None else self.forwarder.address
        self.place.settings["KAFKA_BOOTSTRAP"] = self.bootstrap
        done = self.place.run("topics", "apply")
        assert done.status == 0, done.output
        self.hands = Hands(self.bootstrap)
        self.memory = Memory(self.bootstrap)
        self.venue = Venue(self.bootstrap, self.row.act)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.venue.close()
        if self.forwarder is not None:
            self.forwarder.close()
        self.place.end()
        self.row.seconds = time.monotonic() - self._begun

    # -- the ordinary course

    def begin(self) -> None:
        """A worker, and five frames of every account, done."""
        assert self.start(), self.output
        self.venue.tell(times=5)
        assert self.comes_right(), self._look(all_live=True)

    def start(self, seconds: float = 60.0) -> bool:
        """Start the worker; whether it gets ready."""
        self.worker = self.place.start("work", "--port", "0")
        url = self.worker.line(r"^ready (\S+)", seconds)
        self.url = url or ""
        return url is not None

    def stop(self) -> None:
        """Stop the worker, in order."""
        assert self.worker is not None
        status = self.worker.stop()
        if status != 0:
            self.row.failed.append(f"stopped with status {status}: {self._last_line()}")

    def kill(self) -> None:
        """Kill the worker."""
        assert self.worker is not None
        self.worker.kill()

    def pause(self, on: bool = True) -> None:  # noqa: FBT001, FBT002 - a switch
        """Suspend the worker, or let it go on."""
        assert self.worker is not None
        self.worker.signal(signal.SIGSTOP if on else signal.SIGCONT)

    def lose_folder(self) -> None:
        """The worker's disk is gone, or it is another machine."""
        shutil.rmtree(self.place.folder / "data")

    @property
    def output(self) -> str:
        return "" if self.worker is None else self.worker.output

    def comes_right(self, seconds: float = SETTLE_SECONDS) -> bool:
        """Whether everybody is live with what the venue said last, and all sums are exact."""
        return until(lambda: not self._look(all_live=True), seconds, 0.3)

    def _look(self, *, all_live: bool = False) -> list[str]:
        return shown_wrong(self.url, self.venue, all_live=all_live)

    # -- what is seen, and said

    def sees(self, wanted: str, *, stops: bool = True) -> None:
        """Start the worker: it has to say this, and to end (`stops`); nothing wrong is shown."""
        self.start(SEE_SECONDS)
        self.hears(wanted, stops=stops)
        if stops and self._ended:
            # Whoever keeps workers running starts it again: that must change nothing.
            self.start(SEE_SECONDS)
            assert self.worker is not None
            if not self.worker.wait(SEE_SECONDS):
                self.row.failed.append("the second start did not end")
                self._check_shown()
                self.kill()

    def hears(self, wanted: str, *, stops: bool = True, seconds: float = SEE_SECONDS) -> None:
        """The running worker has to say this, and to end; else what it shows is judged."""
        assert self.worker is not None
        worker = self.worker
        until(
            lambda: worker.status is not None or (not stops and re.search(wanted, self.output)),
            seconds,
        )
        self.listen(wanted)
        self._ended = worker.status is not None
        if worker.status is None:
            if stops:
                self.row.failed.append(f"the worker goes on: {self._probes()}")
            self._check_shown()
            if stops:
                self.kill()
        elif not stops:
            self.row.failed.append(f"the worker ended with {worker.status}: {self._last_line()}")
        elif worker.status not in {1, 2} or not self._last_line().startswith("headroom: "):
            self.row.failed.append(f"no clear end, status {worker.status}: {self._last_line()}")

    def listen(self, wanted: str, output: str | None = None) -> bool:
        """Whether somebody said this; the line is what the row tells."""
        text = self.output if output is None else output
        # An act's name stands in its folder's.
        text = text.replace(str(self.place.folder), "")
        # What a command ends with comes last.
        for line in reversed(text.splitlines()):
            if re.search(wanted, line):
                self._said = self._said or line.strip()
                self.row.said = self._said
                return True
        if self._said is None:
            self.row.failed.append(f"nothing like {wanted!r} was said; last: {self._last_line()}")
        return False

    def listens(self, wanted: str) -> bool:
        """Whether the running worker has said this."""
        return re.search(wanted, self.output) is not None

    def counts(self, metric: str, at_least: float = 1.0) -> bool:
        """Whether a metric says so, in time."""

        def found() -> bool:
            text = ask(self.url, "/metrics").text
            values = [
                float(line.rsplit(" ", 1)[1])
                for line in text.splitlines()
                if line.startswith(metric)
            ]
            return sum(values) >= at_least

        counted = until(found, 10)
        if counted:
            self._said = self._said or f"{metric} >= {at_least:g}"
            self.row.said = self._said
        else:
            self.row.failed.append(f"{metric} stays below {at_least:g}")
        return counted

    def _check_shown(self) -> None:
        """What is shown wrong, once all that lies there was read, and there was time for it."""
        if self.url and ask(self.url, "/readyz").status in {200, 503}:
            until(lambda: self._lag() == 0, 5, 0.2)
            until(lambda: not self._look(), 5, 0.5)
            self.row.wrong += [f"shown: {one}" for one in self._look()]

    def _lag(self) -> float | None:
        """How many records the worker has not read; None where it says nothing of it."""
        said = [
            float(line.rsplit(" ", 1)[1])
            for line in ask(self.url, "/metrics").text.splitlines()
            if line.startswith("headroom_lag_records{")
        ]
        return sum(said) if said else None

    def _probes(self) -> str:
        probes = ", ".join(
            f"{one} {ask(self.url, '/' + one).status}" for one in ("livez", "readyz")
        )
        return f"{probes}; last line: {self._last_line()}"

    def _last_line(self) -> str:
        lines = self.output.strip().splitlines()
        return lines[-1][:300] if lines else ""

    # -- the way on

    def command(self, *words: str, seconds: float = 120.0) -> Ended:
        """A command that has to succeed."""
        done = self.place.run(*words, seconds=seconds)
        if done.status != 0:
            self.row.failed.append(f"`headroom {done.words}` status {done.status}: {done.line}")
        return done

    def resume(self, *starts: str) -> None:
        """`headroom resume`: it says what is wrong, and goes on from there once told."""
        self.hands.empty()
        asked = self.place.run("resume")
        if not asked.output.strip() or "No such command" in asked.output:
            self.row.failed.append(f"`headroom resume` status {asked.status}: {asked.line}")
        self.command("resume", "--from", *starts)

    def replay(self) -> None:
        """The tables made anew from raw, and promoted."""
        self.command("replay", "--generation", "anew")
        self.command("replay", "promote", "anew")

    def ends_well(self, *, tell: bool = True) -> None:
        """The worker is started; nothing wrong is shown; with new frames all is exact again."""
        if self.worker is None or self.worker.status is not None:
            if not self.start():
                self.row.failed.append(f"does not start: {self._last_line()}")
                self._judge()
                return
            self._check_shown()
        if tell:
            self.venue.tell()
        if not self.comes_right():
            self.row.wrong += [f"at the end: {one}" for one in self._look(all_live=True)]
        self._judge()
        if self.worker is not None:
            self.stop()

    def _judge(self) -> None:
        until(lambda: not self._unfinished(), 10, 0.5)
        self.row.lost += self.memory.lost(self.venue.frames)
        self.row.twice += self.memory.twice()
        self.row.wrong += self.memory.went_back()
        self.row.wrong += self.memory.tables_wrong(self.venue)

    def _unfinished(self) -> bool:
        self.memory.look()
        return bool(self.memory.lost(self.venue.frames) or self.memory.tables_wrong(self.venue))


__all__ = ["ASSETS_CHANGELOG", "GROUP", "USERS_CHANGELOG", "Row", "Scene"]
