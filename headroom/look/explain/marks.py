"""Which bytes of a frame became which amounts of a snapshot. Pure."""

from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

import msgspec

from headroom.base.spans import Span, Wrapped, value, whole
from schemas.documents import AssetBalance


class Found(NamedTuple):
    """An amount in a frame: what the snapshot calls it, and the venue; where it is, in letters."""

    told: str
    name: str
    span: Span
    amount: str


class Mark(msgspec.Struct, frozen=True):
    """Bytes of a frame that became an amount: those from `begin` to before `end`.

    `told` is what the snapshot calls it (`total`, `wallets.trading`), `name` what the venue does.
    `literal` are the very bytes, `amount` what was read in them.
    """

    told: str
    name: str
    begin: int
    end: int
    literal: str
    amount: str


def unwrapped(text: Wrapped, span: Span) -> tuple[Wrapped, Span]:
    """A value, or what the text at its place holds the JSON text of; and where it is there."""
    if text.letters[span[0]] != '"':
        return text, span
    inner = text.inner(span)
    return inner, value(inner.letters)


def marks(venue: str, frame: bytes, account: str, asset: str) -> list[Mark] | None:
    """The amounts of an account's asset in a frame; None where nobody can say where they are.

    So it is where a key on the way stands twice, or no module knows the venue's frames.
    """
    name = f"headroom.look.explain.venue.{venue}"
    if find_spec(name) is None:
        return None
    try:
        letters = frame.decode()
        found = import_module(name).amounts(whole(letters), account, asset)
        told = [_mark(letters, one) for one in found]
    except (ValueError, IndexError, RecursionError):
        return None
    return told if len({one.told for one in told}) == len(told) else None


def agree(found: list[Mark], balance: AssetBalance) -> bool:
    """Whether the amounts at these places are those of a snapshot, all of them and no other."""
    told = {one.told: one.amount for one in found}
    wanted = {"available": balance.available, "held": balance.held}
    if "total" in told:
        wanted["total"] = balance.total
    wanted |= {f"wallets.{name}": amount for name, amount in balance.wallets.items()}
    if balance.exposure is not None:
        both = {"current": balance.exposure.current, "max": balance.exposure.max}
        wanted |= {f"exposure.{name}": one for name, one in both.items() if one is not None}
    return told == wanted


def _mark(letters: str, found: Found) -> Mark:
    begin, end = found.span
    at = len(letters[:begin].encode())
    literal = letters[begin:end]
    return Mark(found.told, found.name, at, at + len(literal.encode()), literal, found.amount)
