"""Where an sFOX frame has an asset's amounts; see `processors/normalise/sfox.py` for the frame."""

from collections.abc import Iterator

from headroom.base.spans import Span, Wrapped, field, fields, items, value
from headroom.look.explain.marks import Found, unwrapped

_NAMES = {"balance": "total", "available": "available", "held": "held"}
_WALLET = "_wallet"


def amounts(frame: Wrapped, account: str, asset: str) -> Iterator[Found]:
    """The amounts of the entry that tells of the asset; a frame is of one account."""
    payload = field(frame.letters, value(frame.letters)[0], "payload")
    if payload is None:
        return
    text, payload = unwrapped(frame, payload)
    user = field(text.letters, payload[0], "user_id")
    if user is None or text.inner(user).letters != account:
        return
    updates = field(text.letters, payload[0], "updates")
    for update in [] if updates is None else items(text.letters, updates[0]):
        yield from _of_update(text, update, asset)


def _of_update(text: Wrapped, update: Span, asset: str) -> Iterator[Found]:
    currency = field(text.letters, update[0], "currency")
    if currency is None or text.inner(currency).letters.upper() != asset:
        return
    told = list(fields(text.letters, update[0]))
    if not {name for name, _ in told} & {"available", "held"}:
        return  # An entry of another kind, which makes the asset unknown.
    for name, span in told:
        wallet = f"wallets.{name.removesuffix(_WALLET)}" if name.endswith(_WALLET) else None
        as_told = _NAMES.get(name, wallet)
        if as_told is not None and text.letters[span[0]] == '"':
            amount = text.inner(span).letters
            yield Found(as_told, name, text.outer((span[0] + 1, span[1] - 1)), amount)
