"""Where a hub message of Hercle's has an asset's amounts: `processors/normalise/hercle.py`."""

from collections.abc import Iterator

from headroom.base.spans import Span, Wrapped, field, items, value
from headroom.look.explain.marks import Found, unwrapped
from schemas.amounts import amount_from_number
from schemas.venues import VENUES

_NAMES = {
    "available": "available",
    "allocated": "held",
    "currentExposure": "exposure.current",
    "maxExposure": "exposure.max",
}
_FEED = VENUES["hercle"].feed


def amounts(frame: Wrapped, account: str, asset: str) -> Iterator[Found]:
    """The amounts of the asset in what the message tells of the account."""
    arguments = field(frame.letters, value(frame.letters)[0], "arguments")
    for event in [] if arguments is None else items(frame.letters, arguments[0]):
        if _text(frame, event, "subject") != _FEED:
            continue
        data = field(frame.letters, event[0], "data")
        if data is None:
            continue
        text, data = unwrapped(frame, data)
        is_list = text.letters[data[0]] == "["
        for one in items(text.letters, data[0]) if is_list else (data,):
            # Of an account beside it that nobody can read this is not the place to tell.
            if _is_of(text, one, account):
                yield from _of_account(text, one, asset)


def _is_of(text: Wrapped, data: Span, account: str) -> bool:
    try:
        return _text(text, data, "userId") == account
    except ValueError:
        return False


def _of_account(text: Wrapped, data: Span, asset: str) -> Iterator[Found]:
    assets = field(text.letters, data[0], "assets")
    for item in [] if assets is None else items(text.letters, assets[0]):
        name = _text(text, item, "name")
        if name is None or name.upper() != asset:
            continue
        for key, told in _NAMES.items():
            span = field(text.letters, item[0], key)
            amount = None if span is None else amount_from_number(text.text(span))
            if span is not None and amount is not None:
                yield Found(told, key, text.outer(span), amount)


def _text(text: Wrapped, begins: Span, name: str) -> str | None:
    span = field(text.letters, begins[0], name)
    is_text = span is not None and text.letters[span[0]] == '"'
    return text.inner(span).letters if is_text and span is not None else None
