"""The page at real workers, on a real Kafka: tokens, changes, and a worker that is killed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import KafkaHandle
from tests.processors.page.browser import browser_missing, launched, looking, seen
from tests.processors.pipeline import Pipeline, sfox_frame, status

pytestmark = [
    pytest.mark.skipif(bool(browser_missing()), reason=f"{browser_missing()}"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.slow,
]

RISK, PORTAL, WORKER = (f"canary-{name}-0123456789-0123456789" for name in ("r", "p", "w"))
USERS = [f"user-{number}" for number in range(12)]
TOKENS = {
    "tokens": [("risk", RISK, None), ("portal", PORTAL, ["sfox:user-3", "sfox:nobody"])],
    "worker_token": WORKER,
}


@pytest.fixture
async def pipeline(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with Pipeline(kafka.bootstrap, f"{unique}.", tmp_path).topics() as made:
        yield made


async def test_a_token_a_change_and_a_worker_that_dies(pipeline: Pipeline) -> None:
    """A wrong token is told; a killed worker's users are marked, and told of again by the other."""
    await pipeline.send("sfox", [(user, sfox_frame(user, 1, btc="1")) for user in USERS])
    one, two = (pipeline.worker(name, **TOKENS) for name in ("one", "two"))
    with one, two:
        url = await one.ready()
        await two.ready()
        await pipeline.drained()
        await pipeline.tell(status(_epoch()))
        async with launched() as browser, looking(browser) as page:
            await page.goto(url)
            await _enter(page, RISK + "x")
            await seen(page, "#login-problem", "this token is not known")
            await _enter(page, RISK)
            await seen(page, "#standing.live", "Told live")
            await seen(page, "#range", f"of {len(USERS)} users")
            await seen(page, "#count-live", f"{len(USERS)} of {len(USERS)}")
            await _change(pipeline, page, "user-5", "2.000000000000000001")
            two.kill()
            await seen(page, "#standing", "In part")
            await seen(page, "#users-table tr.not-live", "untold")
            await seen(page, "#standing.live", "Told live")
            for user in USERS:
                await pipeline.send("sfox", [(user, sfox_frame(user, 3, btc="3.5"))])
            await pipeline.tell(status(_epoch()))
            await seen(page, "#count-live", f"{len(USERS)} of {len(USERS)}")
            await page.reload()
            await seen(page, "#login-title", "Token")  # it was kept in memory only
            assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
            assert await page.context.cookies() == []
            await _enter(page, PORTAL)
            await seen(page, "#range", "1 to 1 of 1 user")
            await seen(page, "#assets-none", "this token is for some users only")


def _epoch() -> int:
    from tests.processors.pipeline import EPOCH

    return EPOCH


async def _enter(page: Any, token: str) -> None:
    await page.locator("#token").fill(token)
    await page.get_by_role("button", name="Show").click()


async def _change(pipeline: Pipeline, page: Any, user: str, amount: str) -> None:
    """Somebody looks at a user while a frame comes in."""
    await (
        page.locator("#users-table").get_by_role("button", name=f"sfox:{user}", exact=True).click()
    )
    total = page.locator("#user-accounts td[data-column=total]")
    await total.filter(has_text="1").wait_for()
    await pipeline.send("sfox", [(user, sfox_frame(user, 2, btc=amount))])
    await total.filter(has_text=amount).wait_for()
