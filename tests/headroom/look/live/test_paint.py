"""What a person sees: every figure of a scene, on terminals of any width; elsewhere one line."""

import io
from decimal import Decimal

import pytest
from rich.console import Console

from headroom.look.live.paint import UNKNOWN, line, picture
from headroom.look.live.scene import NotLive, Scene, Used, Venue, with_pace
from headroom.look.live.show import Screen
from processors.freshness import State

USED = [
    Used("hercle:user-0001", "hercle", "USDT", "40486.14", "28000", "EUR", Decimal("1.445934")),
    Used("hercle:user-0002", "hercle", None, "63825", "75000", "EUR", Decimal("0.851000")),
    Used("hercle:user-0003", "hercle", "BTC", "0", "23500", None, Decimal("0.000000")),
]
SCENE = Scene(
    elapsed_seconds=3_725.9,
    url="http://127.0.0.1:6066",
    places={"Kafka": "127.0.0.1:9092"},
    frames=12_345,
    raw=12_344,
    normalised=12_340,
    normalised_per_second=99.6,
    dead_letters=2,
    lag=4,
    users=220,
    limits=USED,
    venues=[
        Venue(
            *("hercle", 19, 20, 0.04),
            frames=6_000,
            reconnects=1,
            refused=1,
            accounts={"live": 1_012, "unconfirmed": 3, "refused": 1, "stale": 0},
        ),
        Venue("sfox", connected=0, connections=1, heard_seconds=None, frames=0, reconnects=7),
    ],
    doubts=[
        NotLive("ann", "hercle", "user-0007", "refused", "the venue refuses the key"),
        NotLive("sfox:[b]x", "sfox", "[b]x", "unconfirmed", "connected again at 22:00:25"),
    ],
    problem="tables are being moved between workers",
)


def painted(scene: Scene, width: int = 130) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, legacy_windows=False)
    console.print(picture(scene))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_every_figure_is_there_with_its_digits() -> None:
    text = painted(SCENE)
    for figure in (
        *("12,345", "12,344", "12,340", "220", "1:02:05", "http://127.0.0.1:6066"),
        *("19 of 20 connected, 1 refused", "0.0 s ago", "disconnected", "never"),
        *("1,012 live, 3 unconfirmed, 1 refused", "ann", "the venue refuses the key"),
        *("sfox:[b]x", "connected again at 22:00:25"),
        *("hercle:user-0001", "40486.14", "28000", "144.5 %", "(account)", "85.1 %"),
        *("127.0.0.1:9092", "tables are being moved"),
    ):
        assert figure in text, figure


def test_a_bar_is_as_long_as_what_is_used() -> None:
    lines = painted(SCENE).splitlines()
    bars = [next(x for x in lines if used.user in x).count("█") for used in USED]
    assert bars == [16, 13, 0]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, painted(SCENE, width).splitlines())) <= width


def test_what_is_not_known_is_no_number() -> None:
    text = painted(Scene(elapsed_seconds=0.0, url="http://w"))
    assert UNKNOWN in text
    assert "0 s ago" not in text
    assert "frames" not in text
    assert "no venue has been heard of yet" in text


def test_a_users_name_is_text_and_nothing_else() -> None:
    """Names are the venue's: they may look like rich's markup, or like a terminal's commands."""
    odd = Used("sfox:[red]x[/red]\x1b[2J", "sfox", "BTC", "1", "2", "EUR", Decimal("0.5"))
    text = painted(Scene(elapsed_seconds=0.0, url="http://w", limits=[odd]))
    assert "[red]x[/red]" in text
    assert "\x1b" not in text


def test_a_venue_that_refuses_its_only_key_says_so() -> None:
    venue = Venue("sfox", 0, 1, None, frames=0, reconnects=3, refused=1)
    scene = Scene(elapsed_seconds=0.0, url="http://w", venues=[venue])
    assert "● refused" in painted(scene)
    assert "sfox refused never" in line(scene)


@pytest.mark.parametrize(
    ("state", "colour"), [("live", 32), ("unconfirmed", 33), ("stale", 35), ("disconnected", 31)]
)
def test_each_state_has_its_colour(state: State, colour: int) -> None:
    venue = Venue("sfox", 1, 1, 0.1, frames=0, reconnects=0, accounts={state: 12})
    out = io.StringIO()
    console = Console(file=out, width=130, force_terminal=True, color_system="standard")
    console.print(picture(Scene(elapsed_seconds=0.0, url="http://w", venues=[venue])))
    assert f"\x1b[{colour}m12 {state}" in out.getvalue()


def test_a_line_has_the_counts_and_the_venues() -> None:
    assert line(SCENE) == (
        " 3726 s  frames 12,345  raw 12,344  normalised 12,340  per second    100  "
        "dead letters      2  lag      4  users    220  "
        "hercle 19 of 20 connected, 1 refused 0.0 s ago 1,012 live, 3 unconfirmed, 1 refused  "
        "sfox disconnected never  "
        "(tables are being moved between workers)"
    )


def test_the_pace_is_the_difference_to_the_scene_before() -> None:
    def at(seconds: float, normalised: int | None) -> Scene:
        return Scene(elapsed_seconds=seconds, url="", normalised=normalised)

    paces = [
        with_pace(at(*now), None if before is None else at(*before)).normalised_per_second
        for before, now in (
            (None, (0.0, 5)),
            ((0.0, 5), (2.0, 25)),
            ((0.0, None), (2.0, 25)),
            ((0.0, 5), (2.0, None)),
            ((0.0, 5), (2.0, 4)),
            ((2.0, 5), (2.0, 5)),
        )
    ]
    assert paces == [None, 10.0, None, None, None, None]


def test_without_a_terminal_there_are_lines() -> None:
    out = io.StringIO()
    with Screen(Console(file=out, width=40)).open() as screen:
        screen.show(SCENE)
        screen.show(SCENE)
    assert out.getvalue() == f"{line(SCENE)}\n" * 2


def test_on_a_terminal_a_picture_is_painted_over_the_last() -> None:
    out = io.StringIO()
    with Screen(Console(file=out, width=100, force_terminal=True)).open() as screen:
        screen.show(SCENE)
        once = out.getvalue()
        screen.show(SCENE)
    assert "Headroom" in once
    assert "\x1b[1A" in out.getvalue()[len(once) :]
