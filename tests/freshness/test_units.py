"""What a user reads of its assets' limits: in the base currency, or in amounts of the asset."""

import asyncio
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from headroom.base.settings import load
from headroom.local.sandbox.exposures import CENTS
from tests.conftest import KafkaHandle
from tests.freshness.hercle import Scene, hercle
from tests.freshness.system import DEADLINE_SECONDS, System, running

ASSET = {"HEADROOM_HERCLE_ASSET_LIMITS": "asset"}


@pytest.fixture(scope="module")
def in_assets(kafka: KafkaHandle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that was told that the assets' limits are amounts of the assets."""
    folder = tmp_path_factory.mktemp("units")
    venues = sorted(load(ASSET).in_assets)
    with running(kafka.bootstrap, f"units{os.getpid()}.", folder, in_assets=venues) as made:
        yield made


async def limits_of(scene: Scene, user: str) -> dict[str | None, Any]:
    """A user's limits by asset; None has the account's own."""
    answer = await scene.eyes.ask(f"/v1/users/{quote(user, safe='')}/exposure")
    assert answer is not None
    assert not answer["freshness"]["stale"]
    return {one["asset"]: one for one in answer["limits"]}


def wanted(scene: Scene, user: str, *, in_assets: bool) -> dict[str | None, tuple[Any, ...]]:
    """The same as the venue means them: base currency, exposure, limit."""
    account, means = scene.sandbox._world.of(user.removeprefix("hercle:"))
    base = means.base_currency
    found: dict[str | None, tuple[Any, ...]] = {
        None: (base, CENTS.amount(means.current_total), CENTS.amount(means.max_total))
    }
    for code in account.holdings:
        asset, held = account.asset(code), account.holdings[code].balance
        if in_assets:
            found[code] = (None, asset.amount(held), asset.amount(means.max_units(asset)))
        else:
            figures = means.current_by_asset[code], means.max_by_asset[code]
            found[code] = (base, *map(CENTS.amount, figures))
    return found


def told(limits: dict[str | None, Any]) -> dict[str | None, tuple[Any, ...]]:
    return {
        asset: (one["base_currency"], Decimal(one["current"]), Decimal(one["max"]))
        for asset, one in limits.items()
    }


async def sum_becomes(scene: Scene, base: str, current: Decimal) -> None:
    """Wait until a base currency's sum is this."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        answer: dict[str, Any] | None = None
        while not answer or Decimal(answer["current"]) != current:
            answer = await scene.eyes.ask(f"/v1/bases/{base}/exposure")


async def test_in_the_base_currency_unless_it_is_said_otherwise(
    system: System, unique: str
) -> None:
    """As the venue's page of the socket reads: every figure has the account's base currency."""
    async with hercle(system, unique) as scene:
        for user in scene.venue.users:
            found = told(await limits_of(scene, user))
            assert found == wanted(scene, user, in_assets=False)


async def test_as_amounts_of_the_asset_no_base_currency_is_claimed_nor_summed(
    in_assets: System, unique: str
) -> None:
    """Each asset's limit is in itself; the sums in a base currency are the accounts' own totals."""
    async with hercle(in_assets, unique) as scene:
        scene.sandbox.order("asset-limits", user="*")
        scene.venue.move(*scene.venue.users)
        await scene.right(*scene.venue.users)
        sums: dict[str, Decimal] = {}
        for user in scene.venue.users:
            mean = wanted(scene, user, in_assets=True)
            assert told(await limits_of(scene, user)) == mean
            base, current, _ = mean[None]
            sums[base] = sums.get(base, Decimal(0)) + current
        assert set(sums) == {"EUR", "USD"}
        for base, current in sums.items():
            await sum_becomes(scene, base, current)
        overview = await scene.eyes.ask("/v1/overview?limit=100")
        assert overview is not None
        of_assets = {one["base_currency"] for one in overview["limits"] if one["asset"]}
        assert of_assets == {None}
