"""Documents to bytes and back: one encoder for all, so that equal documents are equal bytes."""

from typing import Final, TypeVar

import msgspec

T = TypeVar("T")

_ENCODER: Final = msgspec.json.Encoder()


def encode(document: msgspec.Struct) -> bytes:
    """The JSON text of a document, UTF-8, without insignificant white space."""
    return _ENCODER.encode(document)


class NotADocument(ValueError):
    """Bytes that are not a document of the kind that was asked for."""


def decode(data: bytes, kind: type[T]) -> T:
    """The document of a JSON text; raises `NotADocument` where it is not one."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotADocument(str(error)) from error
