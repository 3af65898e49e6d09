"""When a move counts as done: workers have followed it, and what followed from it."""

import asyncio
from typing import Any

import pytest

from headroom.base.clients import Group, Place
from headroom.operate.accounts.move import PATIENCE_SECONDS, followed
from headroom.operate.generations import FIRST

MOVES, ADOPTIONS = "headroom-moves.v1", "headroom-adoptions.v1"


class Workers:
    """What Kafka says at each look: the ends of both topics, and where the workers stand.

    Between the two looks at the ends that belong together the world may go on by a step, too.
    """

    def __init__(self, *steps: tuple[int, int, int, int], members: int = 1) -> None:
        self.steps, self.members = list(steps), members
        self.now = 0.0

    def ends(self, topics: list[str], partitions: int, *, committed: bool) -> dict[Place, int]:
        assert not committed
        assert (topics, partitions) == ([MOVES, ADOPTIONS], 1)
        moves, adoptions, *_ = self.steps[0]
        self._step()
        return {(MOVES, 0): moves, (ADOPTIONS, 0): adoptions}

    def committed(self, group: str, topics: list[str], partitions: int) -> dict[Place, int]:
        assert group == "headroom"
        *_, moves, adoptions = self.steps[0]
        stands = {(MOVES, 0): moves, (ADOPTIONS, 0): adoptions}
        return {place: offset for place, offset in stands.items() if offset}

    def group(self, name: str) -> Group:
        assert name == "headroom"
        return Group(("worker",) * self.members)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def _step(self) -> None:
        if len(self.steps) > 1:
            self.steps.pop(0)

    def followed(self) -> bool:
        clients: Any = self
        clock = lambda: self.now  # noqa: E731 - as short as what it stands for
        return asyncio.run(followed(clients, FIRST, partitions=1, clock=clock, sleep=self.sleep))


@pytest.mark.parametrize(
    ("steps", "looks"),
    [
        ([(5, 5, 5, 5)], 1),
        ([(5, 5, 4, 5), (5, 5, 4, 5), (5, 5, 5, 5)], 2),
        ([(5, 5, 5, 0), (5, 5, 5, 4), (5, 5, 5, 5)], 2),
        # What was followed has led to an adoption meanwhile, which nobody has taken yet.
        ([(5, 4, 5, 4), (5, 5, 5, 4), (5, 5, 5, 4), (5, 5, 5, 4), (5, 5, 5, 5)], 3),
    ],
)
def test_both_topics_must_have_been_read_to_their_ends(
    steps: list[tuple[int, int, int, int]], looks: int
) -> None:
    workers = Workers(*steps)
    assert workers.followed()
    assert workers.now == pytest.approx(0.2 * (looks - 1))


def test_nobody_is_waited_for_who_is_not_there() -> None:
    workers = Workers((5, 5, 4, 5), members=0)
    assert not workers.followed()
    assert workers.now == 0.0


def test_a_worker_that_does_not_follow_is_not_waited_for_for_ever() -> None:
    workers = Workers((5, 5, 4, 5))
    assert not workers.followed()
    assert workers.now == pytest.approx(PATIENCE_SECONDS, abs=0.5)
