"""Kafka's own identities of topics, as text."""

import base64
from typing import Any, Final

_HALF: Final = (1 << 64) - 1


def text_of(uuid: Any) -> str | None:  # noqa: ANN401 - librdkafka has no types
    """An identity as Kafka's own tools print it; None where Kafka gave none.

    Source: Kafka's `Uuid.toString`, base64 for URLs without the signs at its end.
    """
    high = uuid.get_most_significant_bits() & _HALF
    low = uuid.get_least_significant_bits() & _HALF
    if high == low == 0:
        return None
    octets = ((high << 64) | low).to_bytes(16, "big")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
