"""A record's headers from librdkafka's client, whatever a stranger called them.

Kafka's protocol has a header's name as text in UTF-8, and no broker looks at it. Seen with
confluent-kafka 2.16.1 (`c_headers_to_py`): of a record with a name that is not UTF-8 `headers()`
returns a list in which that name is missing, with the error still set. Called by the interpreter's
shortest way that error shows anywhere; called through another function it is a `SystemError`. The
list stays with the message: so it is mended right then, and whoever asks again finds it sound.
"""

import ctypes
from collections.abc import Sequence
from operator import methodcaller
from typing import Any, Final

Headers = Sequence[tuple[str, bytes]]

UNREADABLE_NAME: Final = "\ufffd"
"""What a header is called here whose name is no UTF-8: its bytes cannot be had."""

# Not `message.headers()`: see above.
_ask: Final = methodcaller("headers")
# Says 0 for a place that holds nothing, which nobody may look at from Python.
_address: Final = ctypes.pythonapi.PyTuple_GetItem
_address.argtypes = (ctypes.py_object, ctypes.c_ssize_t)
_address.restype = ctypes.c_void_p


def headers_of(message: Any) -> Headers:  # noqa: ANN401 - librdkafka has no types
    """All headers, in their order; a value may be None, as Kafka has it."""
    try:
        return _ask(message) or ()
    except (SystemError, UnicodeDecodeError):
        return _mended(message)


def _mended(message: Any) -> Headers:  # noqa: ANN401 - as above
    try:
        found = _ask(message) or []
    except (SystemError, UnicodeDecodeError):
        # Another version of the client: it keeps nothing of what it cannot read.
        return ()
    for at, header in enumerate(found):
        if not _address(header, 0):
            found[at] = UNREADABLE_NAME, header[1]
    return found
