"""Commands of `headroom` as processes: started, heard, hurt."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from headroom.local.kafka.process import spawn

_HEADROOM = (sys.executable, "-m", "headroom")
_STOP_SECONDS = 40.0
START_SECONDS = 90.0


class Ended(msgspec.Struct, frozen=True):
    """A command that has ended, and all it said."""

    words: str
    status: int
    output: str

    @property
    def line(self) -> str:
        """Its last line, as a person sees it."""
        lines = self.output.strip().splitlines()
        return lines[-1] if lines else ""


def until(condition: Callable[[], object], seconds: float, pause_seconds: float = 0.1) -> bool:
    """Wait for a condition; whether it came to be in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_seconds)
    return True


class Place:
    """A folder for what processes write, and the settings that they all have.

    `program` is what is started in place of `headroom`.
    """

    def __init__(
        self, folder: Path, *, program: tuple[str, ...] = _HEADROOM, **settings: object
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._program = program
        self.settings: dict[str, object] = settings
        self.running: list[Process] = []

    def run(self, *words: str, seconds: float = 120.0) -> Ended:
        """Run a command to its end; status -1 where it does not come to one."""
        try:
            done = subprocess.run(
                [*self._program, *words],
                env=_environment(self.settings),
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            said = b"".join((error.stdout or b"", error.stderr or b"")).decode(errors="replace")
            return Ended(" ".join(words), -1, said)
        return Ended(" ".join(words), done.returncode, done.stdout + done.stderr)

    def start(self, *words: str, **settings: object) -> "Process":
        """Start a command that runs until it is stopped."""
        log = self.folder / f"{len(self.running):02d}-{'-'.join(words[:2])}.log"
        process = Process(words, {**self.settings, **settings}, log, self._program)
        self.running.append(process)
        return process

    def end(self) -> None:
        """Kill whatever runs, the last first."""
        for one in reversed(self.running):
            one.kill()


class Process:
    """A command in a process of its own."""

    def __init__(
        self,
        words: tuple[str, ...],
        settings: Mapping[str, object],
        log: Path,
        program: tuple[str, ...] = _HEADROOM,
    ) -> None:
        self.log = log
        self._process = spawn([*program, *words], output=log, environment=_environment(settings))

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def status(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    @property
    def pid(self) -> int:
        return self._process.pid

    def line(self, pattern: str, seconds: float = START_SECONDS) -> str | None:
        """What the first match has in its group; None where it ends or does not come before."""
        found: list[str] = []

        def said() -> bool:
            over = self.status is not None
            found[:] = re.findall(pattern, self.output, re.MULTILINE)
            return bool(found) or over

        until(said, seconds)
        return found[0] if found else None

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        if self.status is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end, and wait; its status."""
        if self.status is None:
            self._process.terminate()
        try:
            return self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9

    def wait(self, seconds: float) -> bool:
        """Whether it ends by itself in time."""
        return until(lambda: self.status is not None, seconds)


class Broker:
    """`headroom broker`, which can be killed, paused, moved, and set back to what it was."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.data = place.folder / "kafka"
        self._process: Process | None = None
        self.address = ""

    def start(self, port: int = 0) -> str:
        words = ("broker", "--data", str(self.data), *(("--port", str(port)) if port else ()))
        self._process = self._place.start(*words)
        found = self._process.line(r"^(127\.0\.0\.1:\d+)$")
        assert found is not None, self._process.output
        self.address = found
        return found

    def stop(self) -> None:
        assert self._process is not None
        assert self._process.stop() == 0, self._process.output

    def pause(self, on: bool = True) -> None:  # noqa: FBT001, FBT002 - a switch
        """SIGSTOP, or SIGCONT, to Kafka itself."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        [java] = [int(one) for one in children.read_text().split()]
        os.kill(java, signal.SIGSTOP if on else signal.SIGCONT)

    def copy(self, topic: str) -> Path:
        """What Kafka, stopped, keeps of a topic, kept beside it."""
        kept = self._place.folder / "copy"
        for partition in (self.data / "data").glob(f"{topic}-*"):
            shutil.copytree(partition, kept / partition.name)
        return kept

    def restore(self, kept: Path) -> None:
        """Put a copy back in place of what there is now: an older disk."""
        for partition in kept.iterdir():
            present = self.data / "data" / partition.name
            shutil.rmtree(present)
            shutil.copytree(partition, present)


class Forwarder:
    """An address that lasts, behind which a broker may be anywhere."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            host, _, port = self.target.rpartition(":")
            try:
                server = socket.create_connection((host, int(port)), 5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            for here, there in ((client, server), (server, client)):
                threading.Thread(target=_pass_on, args=(here, there), daemon=True).start()


def _pass_on(here: socket.socket, there: socket.socket) -> None:
    try:
        while data := here.recv(65536):
            there.sendall(data)
    except OSError:
        pass
    for one in (here, there):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _environment(settings: Mapping[str, object]) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HEADROOM_")}
    kept["HEADROOM_LOG_FORMAT"] = "text"  # what a person would see
    return kept | {f"HEADROOM_{name}": str(value) for name, value in settings.items()}
