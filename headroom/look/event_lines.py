"""Events for a person: one line each. Pure."""

from typing import Any

from headroom.base.printable import printable
from headroom.look.figures import percent

_WHY = {
    "asked": "as it is now",
    "another_life": "what changed meanwhile is not known there",
    "too_old": "too much has changed meanwhile",
    "unknown_place": "nobody knows how far it was told",
}
_ASSETS_SHOWN = 8


def line_of(kind: str, data: dict[str, Any]) -> str:
    """An event on one line; of an unknown kind, or in another form, as it came."""
    try:
        text = _head(data) if data.get("deleted") else _BY_KIND[kind](data)
    except (KeyError, TypeError, AttributeError):
        text = str(data)
    return printable(f"{kind:<9}  {text}")


def _balances(data: dict[str, Any]) -> str:
    held = [f"{asset} {of['total']}" for asset, of in sorted(data["totals"].items())]
    return f"{_head(data)}  {_shortened(held) or 'nothing'}"


def _exposure(data: dict[str, Any]) -> str:
    limits = [
        f"{one['venue']} {one['asset'] or 'account'} {_used(one)}"
        for one in data["limits"]
        if one["max"] is not None
    ]
    return f"{_head(data)}  {_shortened(limits) or 'no limit'}"


def _used(limit: dict[str, Any]) -> str:
    used = "?" if limit["utilisation"] is None else percent(limit["utilisation"])
    return f"{used} of {limit['max']}{_behind(limit['base_currency'])}"


def _freshness(data: dict[str, Any]) -> str:
    return f"{_head(data)}{_behind(data['freshness']['reason'], ': ')}"


def _alert(data: dict[str, Any]) -> str:
    about = f"{data['venue']}:{data['account']} {data['asset'] or 'account'}"
    what = f"{data['condition'] or 'no rule'}{_behind(data['threshold'])}"
    value = f"{what}: {data['value'] or 'unknown'}{_behind(data['base_currency'])}"
    return f"{data['level']}  {data['rule']}  {data['user']}  {about}  {value}  {data['time']}"


def _about_partitions(data: dict[str, Any]) -> str:
    numbers = ", ".join(map(str, data["partitions"])) or "none"
    why = data.get("why")
    return f"partitions {numbers}{_behind(None if why is None else _WHY.get(why, why), ': ')}"


def _head(data: dict[str, Any]) -> str:
    if data.get("deleted"):
        return f"{data['user']}  version {data['version']}  deleted"
    return f"{data['user']}  version {data['version']}  {data['freshness']['state']}"


def _behind(text: str | None, space: str = " ") -> str:
    return "" if text is None else f"{space}{text}"


def _shortened(parts: list[str]) -> str:
    more = len(parts) - _ASSETS_SHOWN
    return ", ".join([*parts[:_ASSETS_SHOWN], *([f"and {more} more"] if more > 0 else [])])


_BY_KIND = {
    "balances": _balances,
    "exposure": _exposure,
    "freshness": _freshness,
    "alert": _alert,
    "reset": _about_partitions,
    "current": _about_partitions,
    "moved": _about_partitions,
}
