"""A real Chromium that looks at the page; what it says of errors is kept."""

import importlib.util
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SOON_MS = 30_000
TELL_OF_VIOLATIONS = """
addEventListener("securitypolicyviolation", (one) =>
  console.error(`policy: ${one.violatedDirective} ${one.blockedURI}`))
"""


def browser_missing() -> str | None:
    """Why there is no browser; None where there is."""
    if importlib.util.find_spec("playwright") is None:
        return "no Playwright here: `pip install playwright`, without its browsers"
    return None if CHROMIUM else "no Chromium here: on Debian `apt install chromium`"


@asynccontextmanager
async def launched() -> AsyncIterator[Any]:
    """A browser; each test has a context of its own in it."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def looking(browser: Any, **context: Any) -> AsyncIterator[Any]:
    """A page without a past; at the end nothing in it may have broken, or been refused to it."""
    opened = await browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
    opened.set_default_timeout(SOON_MS)
    page = await opened.new_page()
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("dialog", lambda dialog: broken.append(f"dialog: {dialog.message}"))
    page.on("console", lambda said: broken.append(said.text) if _is_broken(said) else None)
    page.on("request", lambda request: broken.append(request.url) if _is_away(request) else None)
    await page.add_init_script(TELL_OF_VIOLATIONS)
    try:
        yield page
        assert broken == []
    finally:
        await opened.close()


async def seen(page: Any, selector: str, text: str) -> None:
    """Wait until a text stands somewhere."""
    await page.locator(selector).filter(has_text=text).first.wait_for()


def _is_broken(said: Any) -> bool:
    # Answers that are none (401, 503) are said there, too: those belong to the tests.
    return said.type == "error" and not said.text.startswith("Failed to load resource")


def _is_away(request: Any) -> bool:
    """Whether something is asked for at another host."""
    return not request.url.startswith(("http://127.0.0.1:", "http://localhost:", "data:"))
