"""`headroom demo --open`: a browser where there is a desktop, a word where there is none."""

from collections.abc import Mapping

import pytest

from headroom.local.demo.browser import open_page

URL = "http://127.0.0.1:6066/"
SHOWN: tuple[list[str], list[str]] = ([URL], [])
NO_DESKTOP: tuple[list[str], list[str]] = ([], ["no desktop here to open the page on"])


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({"DISPLAY": ":0"}, "linux", SHOWN),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", SHOWN),
        ({}, "darwin", SHOWN),
        ({}, "linux", NO_DESKTOP),
        ({"DISPLAY": ""}, "linux", NO_DESKTOP),
    ],
)
async def test_only_a_desktop_gets_a_browser(
    environment: Mapping[str, str], platform: str, expected: tuple[list[str], list[str]]
) -> None:
    shown: list[str] = []
    heard: list[str] = []

    def show(url: str) -> bool:
        shown.append(url)
        return True

    await open_page(URL, environment, heard.append, show=show, platform=platform)
    assert (shown, heard) == expected


async def test_a_browser_that_does_not_start_is_told() -> None:
    heard: list[str] = []
    await open_page(URL, {"DISPLAY": ":0"}, heard.append, show=lambda _: False, platform="linux")
    assert heard == ["no browser could be started"]
