"""Seeds of `make chaos`, one of them of the network; none hurts the broker that others use."""

import os

import pytest

from tests.engine.chaos import network
from tests.engine.chaos.faults import plan
from tests.engine.chaos.seed import Seed

pytestmark = pytest.mark.slow

ONCE = (5, 98)
AT_LEAST_ONCE = (15,)
NETWORK = (4,)


@pytest.mark.parametrize("number", [*ONCE, *AT_LEAST_ONCE])
async def test_nothing_is_lost_repeated_or_wrong_after_the_faults_of_a_seed(
    kafka, tmp_path, number
):
    planned = plan(number)
    assert planned.guarantee == ("exactly_once" if number in ONCE else "at_least_once")
    assert not planned.needs_broker
    result = await Seed(planned, kafka.bootstrap, tmp_path / f"{os.getpid()}-{number}", None).run()
    assert result.sound, str(result)
    assert result.verdict["records"] == planned.records


def test_a_seed_draws_the_same_faults_again():
    assert plan(7) == plan(7) != plan(8)


@pytest.mark.parametrize("number", NETWORK)
async def test_nothing_is_lost_repeated_or_wrong_whatever_the_network_does(kafka, tmp_path, number):
    planned = network.plan(number)
    place = tmp_path / f"{os.getpid()}-network-{number}"
    result = await network.NetworkSeed(planned, kafka.bootstrap, place, None).run()
    assert result.sound, str(result)
    assert result.verdict["records"] == planned.records
