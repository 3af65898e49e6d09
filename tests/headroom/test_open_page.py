"""`headroom demo --open`: a browser where there is a desktop, a word where there is none."""

from collections.abc import Mapping

import pytest

from headroom.demo.browser import open_page

URL = "http://127.0.0.1:6066/"


@pytest.mark.parametrize(
    ("environment", "platform", "is_shown", "said"),
    [
        ({"DISPLAY": ":0"}, "linux", True, []),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True, []),
        ({}, "darwin", True, []),
        ({}, "linux", False, ["no desktop here to open the page on"]),
        ({"DISPLAY": ""}, "linux", False, ["no desktop here to open the page on"]),
    ],
)
async def test_only_a_desktop_gets_a_browser(
    environment: Mapping[str, str], platform: str, is_shown: bool, said: list[str]
) -> None:
    shown: list[str] = []
    heard: list[str] = []

    def show(url: str) -> bool:
        shown.append(url)
        return True

    await open_page(URL, environment, heard.append, show=show, platform=platform)
    assert (shown, heard) == ([URL] if is_shown else [], said)


async def test_a_browser_that_does_not_start_is_told() -> None:
    heard: list[str] = []
    await open_page(URL, {"DISPLAY": ":0"}, heard.append, show=lambda _: False, platform="linux")
    assert heard == ["no browser could be started"]
