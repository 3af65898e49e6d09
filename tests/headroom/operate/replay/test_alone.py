"""When a promotion may begin to work: no live worker is there, and nothing is left open."""

import asyncio
from typing import Any

import pytest

from headroom.base.clients import Group
from headroom.operate.generations import FIRST, kept_of, names_of
from headroom.operate.replay.alone import ALONE_SECONDS_MAX, NotAlone, Stopped, alone


class Leaving:
    """A group whose members are gone after some looks, and what it left open after some more."""

    def __init__(self, members: int, open_looks: int) -> None:
        self.members, self.open_looks = members, open_looks
        self.now = 0.0

    def group(self, name: str) -> Group:
        assert name == "headroom"
        self.members -= 1
        return Group(("one", "two") if self.members >= 0 else ())

    def is_settled(self, topics: list[str], partitions: int) -> bool:
        assert set(topics) == set(kept_of(FIRST, names_of(FIRST, live=True)))
        assert partitions == 8
        self.open_looks -= 1
        return self.open_looks < 0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, stop: asyncio.Event | None = None) -> None:
        clients: Any = self
        event = stop or asyncio.Event()
        asyncio.run(
            alone(clients, FIRST, event, partitions=8, clock=lambda: self.now, sleep=self.sleep)
        )


@pytest.mark.parametrize(("members", "open_looks"), [(0, 0), (3, 0), (0, 2), (3, 2)])
def test_it_waits_for_the_last_member_and_then_for_what_is_open(
    members: int, open_looks: int
) -> None:
    leaving = Leaving(members, open_looks)
    leaving.wait()
    assert (leaving.members, leaving.open_looks) == (-1 - open_looks, -1)
    assert leaving.now == pytest.approx(0.2 * (members + open_looks))


@pytest.mark.parametrize(
    ("members", "open_looks", "who"), [(10_000, 0, "one, two"), (0, 10_000, "no outcome")]
)
def test_who_does_not_stop_is_named(members: int, open_looks: int, who: str) -> None:
    leaving = Leaving(members, open_looks)
    with pytest.raises(NotAlone, match=who):
        leaving.wait()
    assert leaving.now == pytest.approx(ALONE_SECONDS_MAX, abs=0.5)


def test_a_person_can_stop_the_waiting() -> None:
    stop = asyncio.Event()
    stop.set()
    with pytest.raises(Stopped):
        Leaving(1, 0).wait(stop)
    Leaving(0, 0).wait(stop)
