"""Pacing: the average rate is right whatever the delays; time is passed in, nothing waits."""

from decimal import Decimal

import pytest

from headroom.local.sandbox.pace import NS_PER_SECOND, Pacer


class World:
    """A clock that moves when somebody sleeps, always by a little more than was asked for."""

    def __init__(self, late_ns=0):
        self.now_ns = 1_000
        self.late_ns = late_ns
        self.slept = []

    def monotonic_ns(self):
        return self.now_ns

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now_ns += round(seconds * NS_PER_SECOND) + self.late_ns


@pytest.mark.parametrize("rate", ["0.5", "3", "1000", "0.3"])
async def test_delays_do_not_add_up(rate):
    """Each sleep is late by 0.3 ms; after 2,000 ticks the schedule is late by one delay only."""
    world = World(late_ns=300_000)
    pacer = Pacer(Decimal(rate), monotonic_ns=world.monotonic_ns, sleep=world.sleep)
    for _ in range(2_000):
        await pacer.tick()
    due_ns = 1_000 + int(Decimal(2_000) / Decimal(rate) * NS_PER_SECOND)
    assert 0 <= world.now_ns - due_ns <= 301_000


async def test_a_late_pacer_catches_up_and_lets_others_work_meanwhile():
    """Behind its time it still yields, with sleeps of nothing."""
    world = World()
    pacer = Pacer(Decimal(10), monotonic_ns=world.monotonic_ns, sleep=world.sleep)
    world.now_ns += 450_000_000
    for _ in range(5):
        await pacer.tick()
    assert world.slept == [0, 0, 0, 0, pytest.approx(0.05)]


async def test_a_long_pause_is_not_made_up_for_in_a_burst():
    """After a minute away the schedule begins anew."""
    world = World()
    pacer = Pacer(Decimal(10), monotonic_ns=world.monotonic_ns, sleep=world.sleep)
    world.now_ns += 60 * NS_PER_SECOND
    for _ in range(3):
        await pacer.tick()
    assert world.slept == [0, pytest.approx(0.1), pytest.approx(0.1)]
