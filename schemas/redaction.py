r"""Secrets looked for in texts that others wrote, and taken out of them. Pure.

A secret is found as it stands, as a URL spells it (`%2F`), and behind the escapes of JSON
(`\u0041`, `\/`), however often JSON is wrapped in JSON. It is not found where only a part of it
stands, in another case, or in another code (base64, a hash): what follows from a secret is no end.
"""

import re
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import quote

import msgspec

HIDDEN: Final = "Secret(hidden)"
GUARDED_LETTERS_MIN: Final = 8
"""A shorter secret would hide what is innocent, and nobody needs a log to guess it."""
_DIGITS_MIN: Final = 16
_HIDDEN: Final = HIDDEN.encode()
_ESCAPE: Final = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
# A secret may have begun with an escape's last letters: without them it is no JSON any more.
_CUT: Final = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?" + re.escape(_HIDDEN))
_SHORT: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
# JSON in JSON in JSON: nobody wraps balances more often than a few times.
_WRAPPED_MAX: Final = 8
# Looked for one by one up to here, each at half a microsecond a KiB; beyond it in blocks.
_FEW: Final = 8
_BLOCK: Final = 8
_PREPARED_MAX: Final = 16_384
# Wherever it begins, in so many letters of a needle there is a whole block of eight that begins at
# a multiple of eight in the text.
_IN_BLOCKS: Final = 2 * _BLOCK - 1


class Redacted(msgspec.Struct, frozen=True, gc=False):
    """A text without the secrets that it held; `places` is None where all of it was taken out."""

    text: bytes
    places: int | None


class Needles:
    """The secrets to look for. Those below 8 letters, and below 16 if all are digits, are left out.

    Digits alone could be a part of an amount. Making one takes longer than looking with it: keep
    it for as long as the secrets stay the same.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        found = [_prepared(text) for text in set(secrets) if is_guarded(text)]
        # The longest first: of one that begins like another no end may stay.
        spelt = {needle for one in found for needle in one.needles}
        self._needles = sorted(spelt, key=len, reverse=True)
        few = len(self._needles) <= _FEW
        self._alone = tuple(n for n in self._needles if few or len(n) < _IN_BLOCKS)
        self._blocks = frozenset[int]() if few else frozenset().union(*(o.blocks for o in found))
        letters = set[str]().union(*(one.letters for one in found))
        self._escaped = _escaped(letters)
        self._short_escapes = [b"\\" + letter.encode() for letter in '"\\/' if letter in letters]

    def redact(self, text: bytes) -> Redacted | None:
        """The text without secrets, None where it holds none.

        Each place is taken by `Secret(hidden)`; where a secret stands behind escapes, so that its
        place cannot be told, all of the text is taken by that, with quotes around it: JSON.
        """
        holds = bool(self._blocks) and self._holds_many(text)
        for needle in self._alone:  # no `any`: it would take as long as looking does
            holds = holds or needle in text
        found = self._without(text) if holds else None
        if b"\\" not in text or not self._needles:
            return found
        is_cut = found is not None and _CUT.search(found.text) is not None
        if is_cut or self._is_behind_escapes(text if found is None else found.text):
            return Redacted(b'"' + _HIDDEN + b'"', None)
        return found

    def _holds_many(self, text: bytes) -> bool:
        blocks = memoryview(text)[: len(text) & -_BLOCK].cast("Q")
        return not self._blocks.isdisjoint(blocks) and any(n in text for n in self._needles)

    def _without(self, text: bytes) -> Redacted:
        places = 0
        for needle in self._needles:
            pieces = text.split(needle)
            places += len(pieces) - 1
            text = _HIDDEN.join(pieces)
        return Redacted(text, places)

    def _may_be_behind_escapes(self, text: bytes) -> bool:
        """Whether an escape stands for a letter of a secret, or for a backslash.

        What each of a nested text's layers escapes, the outermost shows too, if with more
        backslashes before it.
        """
        if b"\\u" in text and self._escaped.search(text) is not None:
            return True
        return any(escape in text for escape in self._short_escapes)

    def _is_behind_escapes(self, text: bytes) -> bool:
        if not self._may_be_behind_escapes(text):
            return False
        letters = text.decode("utf-8", "surrogateescape")
        for _ in range(_WRAPPED_MAX):
            unwrapped = _ESCAPE.sub(_unescaped, letters)
            if unwrapped == letters:
                return False
            letters, text = unwrapped, _bytes(unwrapped)
            if any(needle in text for needle in self._needles):
                return True
        # Nobody can tell what is below: better that than a secret.
        return self._may_be_behind_escapes(text)


class _Prepared(msgspec.Struct, frozen=True, gc=False):
    """A secret as it is looked for: in its spellings, by blocks of those that are long enough."""

    needles: frozenset[bytes]
    blocks: frozenset[int]
    letters: frozenset[str]


@lru_cache(maxsize=_PREPARED_MAX)  # one more secret of thousands is prepared alone
def _prepared(text: str) -> _Prepared:
    quoted = quote(text, safe="") if _is_utf8(text) else text
    needles = frozenset((_bytes(text), _bytes(quoted)))
    blocks = frozenset(
        int.from_bytes(needle[start : start + _BLOCK], sys.byteorder)
        for needle in needles
        if len(needle) >= _IN_BLOCKS
        for start in range(_BLOCK)
    )
    return _Prepared(needles, blocks, frozenset(text))


def is_guarded(secret: str) -> bool:
    """Whether a secret is long enough to be looked for."""
    return len(secret) >= (_DIGITS_MIN if secret.isdigit() else GUARDED_LETTERS_MIN)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _escaped(letters: set[str]) -> "re.Pattern[bytes]":
    r"""What finds `\uXXXX` where it stands for one of these, or for a backslash."""
    last: dict[str, set[str]] = {}
    for letter in {*letters, "\\"}:
        code = letter.encode("utf-16-be", "surrogatepass")[:2].hex()
        last.setdefault(code[:3], set()).add(code[3])
    heads = "|".join(f"{head}[{''.join(sorted(ends))}]" for head, ends in sorted(last.items()))
    return re.compile(rf"\\u(?:{heads})".encode(), re.IGNORECASE)


def _unescaped(found: "re.Match[str]") -> str:
    code, short = found.groups()
    return chr(int(code, 16)) if code else _SHORT.get(short, short)
