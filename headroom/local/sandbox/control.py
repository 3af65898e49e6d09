"""The control path of a simulated venue: faults turned on and off by whoever asks over HTTP.

`GET /control/faults` lists all, `GET /control/faults/NAME` says how one is, and with `?on=1` or
`?on=0` (and `user`, `seconds` and the others of an `Order`) it is turned on or off. All is GET,
since a server of WebSockets reads no other request. It is there for this machine only, as the venue
is.
"""

from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, unquote

import msgspec

from headroom.local.sandbox.orders import Order, Orders, UnknownFault

CONTROL: Final = "/control/faults"


class Reply(msgspec.Struct, frozen=True):
    """An HTTP answer: `body` is JSON."""

    status: HTTPStatus
    body: bytes


def is_control(target: str) -> bool:
    """Whether a request's target (path and query) is the control path."""
    path = target.partition("?")[0]
    return path == CONTROL or path.startswith(f"{CONTROL}/")


def control(venue: str, orders: Orders, target: str) -> Reply:
    """Do what a request to the control path asks for, and say how things are then."""
    path, _, query = target.partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    name = unquote(path.removeprefix(CONTROL).removeprefix("/"))
    if not name:
        shown = [_shown(orders, name) for name in orders.table]
        return _reply(HTTPStatus.OK, {"venue": venue, "faults": shown})
    if name not in orders.table:
        error = UnknownFault(venue, name, orders.table)
        return _reply(HTTPStatus.NOT_FOUND, {"error": str(error), "faults": list(orders.table)})
    try:
        _turn(orders, name, given)
    except ValueError as wrong:
        return _reply(HTTPStatus.BAD_REQUEST, {"error": str(wrong)})
    return _reply(HTTPStatus.OK, _shown(orders, name))


def _turn(orders: Orders, name: str, given: dict[str, str]) -> None:
    match given.pop("on", None):
        case "1" | "true":
            orders.begin(Order.of(name, given))
        case "0" | "false":
            orders.end(name)
        case None:
            pass
        case other:
            message = f"on must be 1 or 0, got {other[:40]!r}"
            raise ValueError(message)


def _shown(orders: Orders, name: str) -> dict[str, object]:
    fault, ordered = orders.table[name], orders.on_at_all(name)
    shown: dict[str, object] = {"name": name, "kind": fault.kind, "does": fault.does}
    if ordered is None:
        return shown | {"on": False}
    return shown | {
        "on": True,
        "user": ordered.user,
        "seconds": ordered.seconds,
        "times_left": ordered.left,
        "done": ordered.done,
    }


def _reply(status: HTTPStatus, document: dict[str, object]) -> Reply:
    return Reply(status, msgspec.json.encode(document) + b"\n")
