"""The short form of `make chaos PART=producers`: shorter deadlines, on brokers that are shared."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tests.operators.process import Place
from tests.producers_chaos.brokers import Brokers
from tests.producers_chaos.counting import Draw, Row
from tests.producers_chaos.faults import FAULTS, LEASE, ONE_BROKER, THREE_BROKERS

SEED = 7
SCALE = 0.1


class Way(msgspec.Struct, frozen=True):
    """Faults that go one after the other on the same nodes; `nodes` 0: each on its own."""

    faults: tuple[str, ...]
    nodes: int = 1
    gated: bool = False


# It leaves raw with other settings.
_UNSHARED = "unclean-election"
# Two producers of one venue at a time would take each other for a successor.
WAYS = (
    Way(tuple(ONE_BROKER)),
    Way(tuple(name for name in THREE_BROKERS if name != _UNSHARED), 3, gated=True),
    Way(("line-sfox", "certificates")),
    Way(("line-hercle",)),
    Way(tuple(LEASE)),
    Way((_UNSHARED,), 0),
)


@contextlib.contextmanager
def shared(folder: Path, count: int = 1, *, gated: bool = False) -> Iterator[Brokers]:
    """So many nodes, for several faults."""
    brokers = Brokers(folder, count, gated=gated)
    try:
        brokers.start()
        # Before several of them want them at a time.
        brokers.make_topics(Place(folder, KAFKA_BOOTSTRAP=brokers.client_bootstrap))
        yield brokers
    finally:
        brokers.stop()


def rows(name: str, folder: Path, brokers: Brokers) -> list[Row]:
    """What comes of a fault."""
    return FAULTS[name](Draw(folder / name, SEED, SCALE, brokers))


def side_by_side(ways: list[list[str]], folder: Path, brokers: Brokers) -> dict[str, list[Row]]:
    """The faults of each way one after the other, beside those of the other ways."""

    def go(way: list[str]) -> dict[str, list[Row]]:
        return {name: rows(name, folder, brokers) for name in way}

    with ThreadPoolExecutor(len(ways)) as pool:
        return {name: some for done in pool.map(go, ways) for name, some in done.items()}


def check(some: list[Row], *, lost: bool = False) -> None:
    """Nothing is lost but what was counted as dropped, nothing twice, nothing out of order."""
    assert some
    told = "\n".join(map(str, some))
    assert all(row.sound for row in some), told
    assert all(row.sent for row in some), told
    assert any(row.lost > 0 for row in some) == lost, told
