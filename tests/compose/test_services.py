"""The services of docker-compose.yml as processes: their commands, environments, health checks.

No Docker engine runs here. What is exchanged for this machine's is told in `Here`: names of hosts,
ports, places of volumes, the image's own programs. All else is what the file says.
"""

import asyncio
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from headroom.local.kafka import KafkaNode
from headroom.local.kafka.jars import CONSOLE_LOCK, ensure
from headroom.local.kafka.java import find_java
from headroom.local.kafka.probe import free_port
from headroom.local.kafka.storage import Storage
from tests.compose.file import SERVICES, health, image, of_profiles, seconds
from tests.headroom.commands import headroom, until

pytestmark = pytest.mark.slow

API_VERSIONS = "org.apache.kafka.tools.BrokerApiVersionsCommand"
PRODUCERS = ("produce-sfox", "produce-hercle")
STOP_SECONDS = 10.0  # Docker's own, where a service does not say another
PATIENCE_SECONDS = 60.0


NOT_LEARNED = Path("/nonexistent")


class Here:
    """The file's hosts, ports and paths, and what stands for them on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("kafka", "controller", "external")}
        self.ports |= {name: free_port() for name in ("7001", "7002", "worker-1", "worker-2")}
        self.ports |= {name: free_port() for name in PRODUCERS}

    def of(self, service: str) -> dict[str, str]:
        """What is exchanged in the words of a service."""
        own = str(self.ports.get(service, ""))
        return {
            **{f"{name}:6066": self.at(name) for name in ("worker-1", "worker-2")},
            "kafka:9092": self.at("kafka"),
            "kafka:9093": self.at("controller"),
            **{port: str(self.ports[port]) for port in ("7001", "7002")},
            "6066": own,
            **({"6067": own} if service in PRODUCERS else {}),
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - what is exchanged
            "/keys": str(self.folder / "keys"),
            "/data": str(self.folder / service),
        }

    def at(self, name: str) -> str:
        return f"127.0.0.1:{self.ports[name]}"

    def say(self, service: str, text: object) -> str:
        """A text of a service, as it is to be said here."""
        exchanged = self.of(service)
        longest_first = sorted(exchanged, key=len, reverse=True)
        pattern = "|".join(map(re.escape, longest_first))
        return re.sub(pattern, lambda found: exchanged[found[0]], str(text))


class OfTheFile(KafkaNode):
    """A broker with the very properties that its image makes of the environment."""

    def __init__(self, here: Here) -> None:
        super().__init__(data_dir=here.folder / "kafka", port=here.ports["kafka"])
        self._here = here

    async def _format(self, place: Storage, java: Sequence[str], learned: Path) -> None:
        del learned  # its data lie where the file says
        await super()._format(place, java, NOT_LEARNED)

    def _write_settings(self, place: Storage, port: int) -> None:
        super()._write_settings(place, port)
        here = self._here
        exchanged = {
            "INTERNAL://:9092": f"INTERNAL://{here.at('kafka')}",
            "CONTROLLER://:9093": f"CONTROLLER://{here.at('controller')}",
            "EXTERNAL://:9094": f"EXTERNAL://{here.at('external')}",
            "127.0.0.1:9094": here.at("external"),
            "/var/lib/kafka/data": str(place.data),
        }
        lines = []
        for name, text in SERVICES["kafka"]["environment"].items():
            value = str(text)
            for theirs, ours in exchanged.items():
                value = value.replace(theirs, ours)
            key = name.removeprefix("KAFKA_").lower().replace("_", ".")
            lines.append(f"{key}={here.say('kafka', value)}\n")
        place.server_properties.write_text("".join(lines), encoding="ascii")


class System:
    """The services, started in the order in which the file has them wait for each other."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.here = Here(folder)
        self._stack = stack
        self._image = image()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "keys").mkdir()

    def environment(self, name: str) -> dict[str, str]:
        """What a service's processes find: the image's variables and the file's."""
        given: Mapping[str, Any] = SERVICES[name].get("environment", {})
        known = {**self._image.environment, **given, "HOME": "/nonexistent"}
        found = {variable: self.here.say(name, text) for variable, text in known.items()}
        (self.here.folder / name).mkdir(exist_ok=True)
        # The image's programs are this environment's.
        return {**found, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def command(self, name: str) -> list[str]:
        """A service's command line."""
        service = SERVICES[name]
        words = [*service.get("entrypoint", self._image.entrypoint), *service["command"]]
        return [self.here.say(name, word) for word in words]

    def start(self, name: str) -> None:
        """Start a service, whatever it waits for being there."""
        for other, how in SERVICES[name].get("depends_on", {}).items():
            if how["condition"] == "service_completed_successfully":
                assert self.running[other].wait(PATIENCE_SECONDS) == 0, self.log(other)
            else:
                self.until_healthy(other)
        with (self.here.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                self.command(name), env=self.environment(name), stdout=log, stderr=log
            )
        self.running[name] = process
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)

    def is_healthy(self, name: str) -> bool:
        """Ask a service's own health check."""
        words = [self.here.say(name, word) for word in health(SERVICES[name])]
        if words[0].endswith("/kafka-broker-api-versions.sh"):
            jars = os.pathsep.join(map(str, ensure(CONSOLE_LOCK)))
            words = [
                str(find_java()),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                jars,
                API_VERSIONS,
                *words[1:],
            ]
        limit = seconds(SERVICES[name]["healthcheck"]["timeout"])
        try:
            done = subprocess.run(
                words,
                env=self.environment(name),
                capture_output=True,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def until_healthy(self, name: str) -> None:
        """Wait as long as the file would before it calls the service unhealthy."""
        check = SERVICES[name]["healthcheck"]
        patience = seconds(check.get("start_period", "0s"))
        patience += check["retries"] * seconds(check["interval"])
        until(lambda: self.is_healthy(name), seconds=patience, why=lambda: self.log(name))

    def stop(self, name: str) -> int:
        """Stop a service as Docker would; its exit status."""
        self.running[name].send_signal(signal.SIGTERM)
        return self.running[name].wait(
            seconds(SERVICES[name].get("stop_grace_period", f"{STOP_SECONDS:.0f}s"))
        )

    def log(self, name: str) -> str:
        path = self.here.folder / f"{name}.log"
        return path.read_text(errors="replace")[-3_000:] if path.exists() else ""

    def query(self, worker: str, *words: str, **variables: object) -> Any:
        """What a worker answers to who has the token."""
        url = f"http://{self.here.at(worker)}"
        return headroom("query", *words, "--url", url, **variables)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """All services of the file at work."""
    with ExitStack() as stack:
        made = System(stack, tmp_path)
        kafka = OfTheFile(made.here)
        asyncio.run(kafka.start())
        stack.callback(lambda: asyncio.run(kafka.stop()))
        for name in of_profiles("sandbox"):
            if name != "kafka":
                made.start(name)
        yield made


@pytest.mark.timeout(300)
def test_what_the_file_says_works(system: System) -> None:
    """Both workers answer for all users, to who has the token; everything ends when told to."""
    keys = system.here.folder / "keys"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()}
    assert modes == {"token": 0o600, "worker-token": 0o600, "tokens.toml": 0o600}
    token = {"API_TOKEN_FILE": keys / "token"}
    for worker in ("worker-1", "worker-2"):
        system.until_healthy(worker)
        until(
            lambda worker=worker: (  # type: ignore[misc]
                len(system.query(worker, "users", **token).out.splitlines()) == 205
            )
        )
        system.query(worker, "users").is_one_line("bearer token", "HEADROOM_API_TOKEN")
        # The other one may have come just now: then partitions move.
        until(
            lambda worker=worker: (  # type: ignore[misc]
                "utilisation" in system.query(worker, "user", "hercle:user-0005", **token).out
            )
        )
    reached = headroom("topics", "check", KAFKA_BOOTSTRAP=system.here.at("external"), DATA_DIR=keys)
    assert (reached.status, reached.out) == (0, ""), reached

    before = {path: path.read_bytes() for path in keys.iterdir()}
    system.start("keys")
    assert system.running["keys"].wait(PATIENCE_SECONDS) == 0
    assert {path: path.read_bytes() for path in keys.iterdir()} == before

    secret = (keys / "token").read_text().strip()
    credential = (keys / "worker-token").read_text().strip()
    for name in reversed(of_profiles("sandbox")):
        if name not in ("kafka", "topics", "keys"):
            status = -signal.SIGTERM if name.endswith("-network") else 0
            assert system.stop(name) == status, (name, system.log(name))
            assert secret not in system.log(name)
            assert credential not in system.log(name)
    assert not system.is_healthy("worker-1")
    assert not system.is_healthy("sfox")
