"""The README's pictures of the page, in a browser that shows nothing: light, dark, on a phone."""

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
ARGS: Final = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
WIDE: Final = {"width": 1280, "height": 1180}
PHONE: Final = {"width": 390, "height": 844}
USER: Final = "hercle:user-0011"
FAULT: Final = "hercle:no-event"
FAULT_MS: Final = 60_000


def missing() -> str | None:
    """Why there is nothing to take pictures with; None where there is."""
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is missing"
    return None if CHROMIUM else "Chromium is missing (Debian: apt install chromium)"


def take_page(url: str, *, after_seconds: float) -> None:
    """By day, once there is something to see of the last hour, with one user looked at."""
    with _browser() as browser:
        page = _opened(browser, url, WIDE, "light")
        page.wait_for_timeout(after_seconds * 1_000)
        _look_at(page, USER)
        page.screenshot(path=HERE / "page-light.png")


def take_doubtful(url: str) -> None:
    """By night and on a phone, while a venue does not answer as it should."""
    with _browser() as browser:
        page = _opened(browser, url, WIDE, "dark")
        page.locator("#order").select_option("trouble")
        doubtful = page.locator("#users-table tr.not-live button.name").first
        _look_at(page, doubtful.inner_text(timeout=FAULT_MS))
        page.screenshot(path=HERE / "page-dark.png")
        page.set_viewport_size(PHONE)
        page.locator("#users-title").evaluate("title => title.scrollIntoView()")
        page.screenshot(path=HERE / "page-phone.png")


def _look_at(page: Any, user: str) -> None:
    page.locator("#users-table").get_by_role("button", name=user, exact=True).click()
    page.locator("#user-accounts table").first.wait_for()
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(2, 2)
    page.wait_for_timeout(300)


def _opened(browser: Any, url: str, size: dict[str, int], scheme: str) -> Any:
    page = browser.new_page(viewport=size, color_scheme=scheme)
    page.goto(f"{url}/")
    page.locator("#standing.live").wait_for()
    return page


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()
