"""What a person sees on the page, in a real Chromium; the worker is a fake of the contract."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from headroom.base.partitioner import partition_of
from headroom.look.figures import percent
from tests.processors.page.browser import browser_missing, launched, looking, seen
from tests.processors.page.fake import (
    TIME,
    Fake,
    alert,
    exposure,
    freshness,
    serving,
    users_in,
)

pytestmark = [
    pytest.mark.skipif(bool(browser_missing()), reason=f"{browser_missing()}"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    # Playwright's own pipes to its driver are closed by the end of the process.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

MARKUP = "hercle:<img src=x onerror=alert(1)><script>alert(2)</script>"
NAMES = [f"hercle:user-{number:04}" for number in range(60)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Any]:
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def fake() -> AsyncIterator[Fake]:
    users = [exposure(name, f"0.{number:02}0999") for number, name in enumerate(NAMES)]
    yield Fake([*users, exposure(MARKUP, "1.000000")])


@pytest_asyncio.fixture(loop_scope="module")
async def url(fake: Fake) -> AsyncIterator[str]:
    async with serving(fake) as address:
        yield address


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Any, url: str) -> AsyncIterator[Any]:
    async with looking(browser) as page:
        await page.goto(url)
        await seen(page, "#standing.live", "Told live")
        yield page


def row(page: Any, name: str) -> Any:
    return page.locator("#users-table tbody tr").filter(has_text=name)


async def test_it_shows_what_is_told_to_the_last_digit(page: Any) -> None:
    await seen(page, "#range", "1 to 25 of 61 users")
    first = page.locator("#users-table tbody tr").first
    assert "100.0 %" in await first.inner_text()
    await seen(page, "#bases-table", "12.3 %")
    current = page.locator("#bases-table td[data-column=current] .amount")
    assert await current.text_content() == "12345678901234567890.05"
    await page.locator("#search").fill("USER-0007")
    await seen(page, "#range", "1 found")
    await row(page, "user-0007").get_by_role("button").click()
    await seen(page, "#user-accounts", "USDT")
    total = page.locator("#user-accounts td[data-column=total] .amount")
    assert await total.text_content() == "1250.100000000000000001"
    await seen(page, "#user-truth", "confirmed 1.3 s ago")
    await seen(page, "#feeds-table", "The venue refuses the key")


async def test_a_change_is_seen_and_a_name_of_markup_stays_text(page: Any, fake: Fake) -> None:
    await seen(page, "#users-table", "onerror")
    assert await row(page, "onerror").get_by_role("button").text_content() == MARKUP
    await row(page, "onerror").get_by_role("button").click()
    await seen(page, "#user-name", MARKUP)
    assert await page.locator("img[src=x], main script").count() == 0
    fake.tell("exposure", exposure(NAMES[3], "1.250999", 2))
    await seen(page, "#users-table", "125.0 %")
    fake.tell("exposure", {"user": MARKUP, "version": 2, "deleted": True})
    await row(page, "onerror").wait_for(state="detached")


async def test_what_is_not_live_says_so_in_words_and_by_its_look(page: Any, fake: Fake) -> None:
    reason = "the venue's sequence has a gap: 12 where 11 was next"
    doubtful = freshness("hercle", "user-0059", "unconfirmed", reason)
    fake.tell("freshness", {"user": NAMES[59], "version": 1, "freshness": doubtful})
    await seen(page, "#users-table tr.not-live", "unconfirmed")
    ill = row(page, "user-0059")
    await seen(page, "#users-table tr.not-live", reason[1:])
    well = await row(page, "user-0058").locator(".chip").evaluate(LOOK)
    look = await ill.locator(".chip").evaluate(LOOK)
    assert (look["text"], well["text"]) == ("unconfirmed", "live")
    assert look["picture"] != well["picture"]
    assert (look["edge"], await ill.locator("th").evaluate(EDGE)) == ("dashed", "double")
    await page.locator("#trouble-only").check()
    await seen(page, "#range", "1 found")
    await seen(page, "#bases-note", "60 are live")


AXED = [("light", 390), ("light", 1280), ("dark", 1280)]
LOOK = """chip => ({text: chip.textContent, edge: getComputedStyle(chip).borderTopStyle,
                  picture: chip.querySelector("path").getAttribute("d")})"""
EDGE = "head => getComputedStyle(head).borderLeftStyle"


async def test_alerts_are_shown_and_said_as_they_come(page: Any, fake: Fake) -> None:
    fake.tell("alert", alert(NAMES[5], "breach"))
    await seen(page, "#alerts-list", "95.0 % used, threshold 90.0 %")
    await seen(page, "#said", f"Alert: breach, {NAMES[5]}")
    await seen(page, "#count-alerts", "1")
    await page.locator("#order").select_option("trouble")
    await seen(page, "#users-table tbody tr:first-child", "breach")
    fake.tell("alert", alert(NAMES[5], "cleared", time=TIME.replace("17:", "18:"), threshold=None))
    await seen(page, "#alerts-list li:first-child", "cleared")
    await seen(page, "#count-alerts", "0")


async def test_behind_a_reset_stands_what_is_told_again(page: Any, fake: Fake) -> None:
    """What ended while nobody told of it is not told as ended."""
    ended, stands, elsewhere = *users_in(1, NAMES)[:2], users_in(2, NAMES)[0]
    for name in (ended, stands, elsewhere):
        fake.tell("alert", alert(name, "breach"))
    await seen(page, "#count-alerts", "3")
    fake.tell("reset", {"partitions": [1], "why": "too_old"})
    fake.tell("alert", alert(stands, "breach"))
    fake.tell("current", {"partitions": [1]})
    await seen(page, "#count-alerts", "2")


async def test_it_says_when_nobody_tells_it_and_goes_on(page: Any, fake: Fake) -> None:
    """A stream that ends, a worker that refuses, and partitions that nobody tells of."""
    fake.refuses = 503
    fake.cut()
    await seen(page, "#standing", "Not live")
    await seen(page, "#users-table tr.not-live", "untold")
    assert await page.locator("#users-table tr.live").count() == 0
    fake.refuses = None
    fake.users[NAMES[7]] = exposure(NAMES[7], "0.999999", 2)
    await page.locator("#retry").dispatch_event("click")  # it may just have tried by itself
    await seen(page, "#standing.live", "Told live")
    assert fake.last_ids[0] is None
    assert fake.last_ids[-1] not in (None, "")
    fake.tell("exposure", fake.users[NAMES[7]])
    await seen(page, "#users-table", "99.9 %")
    fake.tell("moved", {"partitions": [1], "to": None, "workers": []})
    await seen(page, "#standing", "In part: 1 of 4 partitions")
    await page.locator("#search").fill("user-00")
    await page.locator("#order").select_option("trouble")
    await seen(page, "#users-table tr:first-child", "untold")
    await seen(page, "#count-doubts", f"{len(users_in(1, [*NAMES, MARKUP]))} untold")
    fake.tell("current", {"partitions": [1]})
    await page.locator("#count-doubts").wait_for(state="hidden")
    await seen(page, "#standing.live", "Told live")


async def test_its_numbers_are_those_of_the_worker(page: Any) -> None:
    """Percentages as in the terminal, partitions as in Kafka."""
    shares = ["0.953333", "0.999999", "1.000000", "-0.000100", "-0.012345", "103.858860", "0"]
    found = await page.evaluate(
        "async (all) => { const m = await import('/page/decimal.js'); return all.map(m.percent) }",
        shares,
    )
    assert found == [percent(share) for share in shares]
    names = [MARKUP, *NAMES, "sfox:küche-🙂", "a", "ab", "abc", "abcd", "", "hercle:\x7f\u0100"]
    found = await page.evaluate(
        "async (all) => { const m = await import('/page/partition.js');"
        " return all.map((one) => m.partitionOf(one, 8)) }",
        names,
    )
    assert found == [partition_of(name.encode(), 8) for name in names]
    ordered = await page.evaluate(
        "async (all) => { const m = await import('/page/decimal.js');"
        " return all.map(([a, b]) => m.compare(a, b)) }",
        [
            ["0.1", "0.10"],
            ["-2", "1"],
            ["10", "9.99"],
            ["0.30000000000000001", "0.3"],
            ["-2", "-1"],
        ],
    )
    assert ordered == [0, -1, 1, 1, -1]


async def test_the_keyboard_is_enough(page: Any) -> None:
    await page.locator("#search").focus()
    await page.keyboard.type("user-0042")
    await seen(page, "#range", "1 found")
    await _tab_to(page, "user-0042")
    await page.keyboard.press("Enter")
    await seen(page, "#user-accounts", "USDT")
    assert await page.evaluate("document.activeElement.id") == "user-name"
    await page.keyboard.press("Escape")
    await page.locator("#user").wait_for(state="hidden")
    assert await page.evaluate("document.activeElement.textContent") == NAMES[42]


async def _tab_to(page: Any, text: str) -> None:
    for _ in range(12):
        await page.keyboard.press("Tab")
        if text in await page.evaluate("document.activeElement.textContent"):
            return
    raise AssertionError(f"{text} is not reached")


@pytest.mark.parametrize("looks", ["light", "dark"])
async def test_axe_finds_nothing_and_a_phone_scrolls_one_way(
    page: Any, fake: Fake, looks: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.async_playwright").Axe()
    fake.tell("alert", alert(NAMES[5], "breach"))
    fake.tell("alert", alert(NAMES[6], "warning"))
    doubtful = freshness("hercle", "user-0059", "stale", "not heard for 61 s")
    fake.tell("freshness", {"user": NAMES[59], "version": 1, "freshness": doubtful})
    await row(page, "user-0059").get_by_role("button").click()
    await seen(page, "#user-accounts", "USDT")
    await page.emulate_media(color_scheme=looks)
    await page.locator("#feeds-all summary").click()
    for width, height in ((320, 640), (390, 844), (1280, 900)):
        await page.set_viewport_size({"width": width, "height": height})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        if (looks, width) in AXED:
            found = (await axe.run(page)).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
