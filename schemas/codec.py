"""Documents to bytes and back: one encoder for all, so that equal documents are equal bytes."""

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from schemas.documents import BalanceSnapshot
from schemas.forms import is_well_formed

T = TypeVar("T", bound=msgspec.Struct)

Told = tuple[BalanceSnapshot, bytes]
"""A snapshot, and the document that `encode` makes of it."""

_ENCODER: Final = msgspec.json.Encoder()
_WITHOUT_FORM: Final = "an amount or a time without its form"


def encode(document: msgspec.Struct) -> bytes:
    """The JSON text of a document, UTF-8, without insignificant white space."""
    return _ENCODER.encode(document)


def encode_list(documents: Sequence[msgspec.Struct]) -> bytes:
    """The JSON list of documents."""
    return _ENCODER.encode(documents) if documents else b"[]"


class NotADocument(ValueError):
    """Bytes that are not a document of the kind that was asked for."""


def decode(data: bytes, kind: type[T]) -> T:
    """The document of a JSON text; raises `NotADocument` where it is not one."""
    document = _decoded(data, kind)
    if not is_well_formed(document):
        raise NotADocument(_WITHOUT_FORM)
    return document


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
        raise NotADocument(str(error)) from error
