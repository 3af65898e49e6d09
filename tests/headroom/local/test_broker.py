"""`headroom broker`: until it is told to stop, or Kafka ends by itself."""

import os
import signal
from pathlib import Path

from tests.headroom.commands import Started, started, until


def kafka_of(command: Started) -> int:
    """The process id of its JVM."""
    of = f"/proc/{command.process.pid}/task/{command.process.pid}/children"
    (child,) = Path(of).read_text().split()
    return int(child)


def test_it_ends_when_it_is_told_to_and_says_it_when_kafka_ends(tmp_path: Path) -> None:
    for name in ("told", "killed"):
        data = ("--data", str(tmp_path / "data"))
        with started(tmp_path / name, "broker", *data) as command:
            until(lambda command=command: "Kafka is up" in command.output)  # type: ignore[misc]
            if name == "told":
                assert command.stop() == 0, command.output
                continue
            os.kill(kafka_of(command), signal.SIGKILL)
            assert command.process.wait(30) == 2
            last = command.output.splitlines()[-1]
            assert last.startswith("headroom: Kafka ended by itself with status -9; its log is ")
