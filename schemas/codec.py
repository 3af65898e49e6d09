"""Documents to bytes and back: one encoder for all, so that equal documents are equal bytes."""

from typing import Final, TypeVar

import msgspec

T = TypeVar("T")

_ENCODER: Final = msgspec.json.Encoder()


def encode(document: msgspec.Struct) -> bytes:
    """The JSON text of a document, UTF-8, without insignificant white space."""
    return _ENCODER.encode(document)


def decode(data: bytes, kind: type[T]) -> T:
    """The document of a JSON text; raises `msgspec.ValidationError` where it is not one."""
    return msgspec.json.decode(data, type=kind)
