"""A scene as a picture for a terminal, or as one line for a log. Pure: rich does the drawing."""

from decimal import Decimal
from typing import Final

from rich import box
from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from headroom.base.printable import plain, printable
from headroom.look.figures import aligned, percent
from headroom.look.live.scene import DOUBTS_SHOWN, LIMITS_SHOWN, NotLive, Scene, Used, Venue
from processors.freshness import STATES, State

_BAR_WIDTH: Final = 16
_BAR_STEPS: Final = 1_000
_NEAR: Final = Decimal("0.8")
_OLD_SECONDS: Final = 5.0
UNKNOWN: Final = "?"
_STYLES: Final[dict[State, str]] = {
    "live": "green",
    "unconfirmed": "yellow",
    "stale": "magenta",
    "disconnected": "red",
    "refused": "bold red",
}


def picture(scene: Scene) -> RenderableType:
    """All of it: the counts, the venues, whose numbers are in doubt, the limits, where to look."""
    parts: list[RenderableType] = [_counts(scene), Text(), _venues(scene.venues)]
    if scene.doubts:
        parts += [Text(), _doubts(scene.doubts[:DOUBTS_SHOWN])]
    if scene.limits:
        parts += [Text(), _limits(scene.limits[:LIMITS_SHOWN])]
    if scene.places:
        parts += [Text(), _places(scene)]
    if scene.problem is not None:
        parts += [Text(), plain(scene.problem, style="bold red")]
    return Panel(
        Group(*parts),
        title="Headroom",
        title_align="left",
        subtitle=f"{scene.url}  {_clock(scene.elapsed_seconds)}",
        subtitle_align="right",
        box=box.ROUNDED,
        padding=(0, 1),
    )


def line(scene: Scene) -> str:
    """The counts and the venues on one line."""
    counts = "  ".join(f"{name} {_number(count):>6}" for name, count in _known(scene))
    venues = "".join(
        f"  {each.name} {_state(each)} {_heard(each)}{_told(each)}" for each in scene.venues
    )
    problem = "" if scene.problem is None else f"  ({printable(scene.problem)})"
    return f"{scene.elapsed_seconds:5.0f} s  {counts}{venues}{problem}"


def _known(scene: Scene) -> list[tuple[str, int | None]]:
    sent = [] if scene.frames is None else [("frames", scene.frames), ("raw", scene.raw)]
    return [
        *sent,
        ("normalised", scene.normalised),
        ("per second", _whole(scene.normalised_per_second)),
        ("dead letters", scene.dead_letters),
        ("lag", scene.lag),
        ("users", scene.users),
    ]


def _counts(scene: Scene) -> Table:
    known = _known(scene)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name, _ in known:
        table.add_column(name, justify="right")
    bad = Text(_number(scene.dead_letters), style="bold red" if scene.dead_letters else "bold")
    table.add_row(
        *(
            bad if name == "dead letters" else Text(_number(count), style="bold")
            for name, count in known
        )
    )
    return table


def _venues(venues: list[Venue]) -> RenderableType:
    if not venues:
        return Text("no venue has been heard of yet", style="dim")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name, justify in (("venue", "left"), ("connections", "left"), ("heard", "right")):
        table.add_column(name, justify="right" if justify == "right" else "left")
    for name in ("frames", "reconnects"):
        table.add_column(name, justify="right")
    table.add_column("accounts")
    for venue in venues:
        old = venue.heard_seconds is None or venue.heard_seconds > _OLD_SECONDS
        table.add_row(
            plain(venue.name),
            Text(f"● {_state(venue)}", style=_state_style(venue)),
            Text(_heard(venue), style="yellow" if old else ""),
            _number(venue.frames),
            _number(venue.reconnects),
            Text(", ").join(
                Text(f"{count:,} {state}", style=_STYLES[state]) for state, count in _counted(venue)
            ),
        )
    return table


def _doubts(doubts: list[NotLive]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("not live", no_wrap=True, overflow="ellipsis")
    table.add_column("venue")
    table.add_column("state")
    table.add_column("why")
    for one in doubts:
        table.add_row(
            plain(one.user),
            plain(one.venue),
            Text(one.state, style=_STYLES[one.state]),
            plain(one.reason or ""),
        )
    return table


def _limits(limits: list[Used]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("limits used most", no_wrap=True, overflow="ellipsis")
    table.add_column("asset")
    for name in ("current", "max"):
        table.add_column(Text(name, justify="right"))
    table.add_column("")
    table.add_column("used", justify="right")
    table.add_column("", width=_BAR_WIDTH)
    amounts = zip(
        aligned([used.current or UNKNOWN for used in limits]),
        aligned([used.max or UNKNOWN for used in limits]),
        strict=True,
    )
    for used, (current, maximum) in zip(limits, amounts, strict=True):
        share = used.utilisation
        style = "red" if share >= 1 else "yellow" if share >= _NEAR else "green"
        filled = int(min(max(share, Decimal(0)), Decimal(1)) * _BAR_STEPS)
        table.add_row(
            plain(used.user),
            plain(used.asset or "(account)"),
            current,
            maximum,
            plain(used.base_currency or ""),
            Text(percent(share), style=style),
            Bar(size=_BAR_STEPS, begin=0, end=filled, width=_BAR_WIDTH, color=style),
        )
    return table


def _places(scene: Scene) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(no_wrap=True, overflow="fold")
    for name, place in scene.places.items():
        table.add_row(name, place)
    return table


def _state(venue: Venue) -> str:
    if venue.connections == 1:
        return "connected" if venue.connected else "refused" if venue.refused else "disconnected"
    refused = f", {venue.refused} refused" if venue.refused else ""
    return f"{venue.connected} of {venue.connections} connected{refused}"


def _state_style(venue: Venue) -> str:
    if venue.connected == venue.connections:
        return "green"
    return "yellow" if venue.connected else "red"


def _counted(venue: Venue) -> list[tuple[State, int]]:
    """The accounts by state, the best first; those that there are none of are not named."""
    counts = venue.accounts
    return [(state, counts[state]) for state in reversed(STATES) if counts.get(state)]


def _told(venue: Venue) -> str:
    counts = ", ".join(f"{count:,} {state}" for state, count in _counted(venue))
    return f" {counts}" if counts else ""


def _heard(venue: Venue) -> str:
    return "never" if venue.heard_seconds is None else f"{venue.heard_seconds:.1f} s ago"


def _whole(figure: float | None) -> int | None:
    return None if figure is None else round(figure)


def _number(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count:,}"


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
