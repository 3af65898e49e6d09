"""Documents to bytes and back: one encoder for all, so that equal documents are equal bytes."""

import re
from typing import Final, TypeVar

import msgspec

from schemas.documents import BalanceSnapshot
from schemas.forms import is_well_formed

T = TypeVar("T", bound=msgspec.Struct)
A = TypeVar("A")


class Told(msgspec.Struct, frozen=True, gc=False):
    """A snapshot as it is told: its document, and what is needed to send that."""

    user: str
    document: bytes
    received_time: str


_QUOTED: Final = re.compile(r" ['\"]")
_WHY_LETTERS_MAX: Final = 200
_ENCODER: Final = msgspec.json.Encoder()
_WITHOUT_FORM: Final = "an amount or a time without its form"


def encode(document: msgspec.Struct) -> bytes:
    """The JSON text of a document, UTF-8, without insignificant white space."""
    return _ENCODER.encode(document)


class NotADocument(ValueError):
    """Bytes that are not a document of the kind that was asked for."""


def decode(data: bytes, kind: type[T]) -> T:
    """The document of a JSON text; raises `NotADocument` where it is not one."""
    document = _decoded(data, kind)
    if not is_well_formed(document):
        raise NotADocument(_WITHOUT_FORM)
    return document


def decode_by(data: bytes, decoder: "msgspec.json.Decoder[A]") -> A:
    """What a decoder of several kinds makes of a text, forms not looked at; raises as `decode`."""
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotADocument(_why(error)) from error


def decode_snapshot(data: bytes) -> BalanceSnapshot:
    """The same for what comes by the thousand, in half the time."""
    snapshot = _decoded(data, BalanceSnapshot)
    if not snapshot.is_well_formed():
        raise NotADocument(_WITHOUT_FORM)
    return snapshot


def _decoded(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotADocument(_why(error)) from error


def _why(error: Exception) -> str:
    """What msgspec says, without what it quotes of the text: that may be anybody's."""
    return _QUOTED.split(str(error), maxsplit=1)[0][:_WHY_LETTERS_MAX]
