"""The page in a person's own browser, where there is a desktop to show it on."""

import asyncio
import sys
import webbrowser
from collections.abc import Callable, Mapping
from typing import Final

_DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY")
_WITHOUT: Final = ("darwin", "win32")
"""Systems that have a desktop without saying so."""


async def open_page(
    url: str,
    environment: Mapping[str, str],
    tell: Callable[[str], None],
    *,
    show: Callable[[str], bool] = webbrowser.open,
    platform: str = sys.platform,
) -> None:
    """Have `url` shown, or `tell` why it is not: no failure, as the address was told anyway."""
    if platform not in _WITHOUT and not any(environment.get(name) for name in _DISPLAYS):
        # A browser of the terminal would take the place of the demo's own picture.
        tell("no desktop here to open the page on")
    elif not await asyncio.to_thread(show, url):
        tell("no browser could be started")
