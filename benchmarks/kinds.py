"""The contenders: how each is started, and which guarantees it knows."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.job import Options
from benchmarks.streams.java import java_command

AT_LEAST_ONCE: Final = "at_least_once"
EXACTLY_ONCE: Final = "exactly_once"
ROOT: Final = Path(__file__).parents[1]
QUIX_PYTHON: Final = ROOT / ".venv-bench" / "bin" / "python"

Command = Callable[[Options], list[str | Path]]


class Kind(NamedTuple):
    """One way to do the job.

    `emit` tells what goes to `exposure.user.v1`: `every` version, every version with rows `cached`
    on their way to the changelog, or the `latest` of those that are committed together. Only
    contenders that send the same are compared with each other. `slow` ones get fewer records.
    """

    name: str
    command: Command
    guarantees: tuple[str, ...]
    emit: str
    slow: bool = False

    @property
    def coalesces(self) -> bool:
        """Whether exposures are coalesced."""
        return self.emit == "latest"


def python_command(module: str, python: Path = Path(sys.executable)) -> Command:
    """How a module of `contenders` is started."""

    def command(options: Options) -> list[str | Path]:
        return [python, "-m", f"benchmarks.contenders.{module}", options.argument()]

    return command


_BOTH: Final = (AT_LEAST_ONCE, EXACTLY_ONCE)

KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("headroom", python_command("headroom"), _BOTH, "latest"),
        Kind("headroom-every", python_command("headroom"), _BOTH, "every"),
        Kind("streams", java_command, _BOTH, "every"),
        Kind("streams-cached", java_command, _BOTH, "cached"),
        Kind("streams-latest", java_command, _BOTH, "latest"),
        Kind("quix", python_command("quix", QUIX_PYTHON), _BOTH, "every"),
        Kind("faust", python_command("stock_faust"), (AT_LEAST_ONCE,), "every", slow=True),
        Kind("plain", python_command("plain"), (AT_LEAST_ONCE,), "every"),
    )
}


def runs_of(names: Iterable[str], guarantees: Iterable[str]) -> list[tuple[Kind, str]]:
    """Contenders and guarantees, those left out that a contender does not know."""
    known = [KINDS[name] for name in names]
    return [(kind, each) for each in guarantees for kind in known if each in kind.guarantees]
