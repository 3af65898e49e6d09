"""What of a venue's message may be written to Kafka: all but our own secrets. Pure."""

from collections.abc import Sequence

import msgspec

from producers.outcomes import Publish
from schemas.secrets import redacted_frame

_ALL = "all"
# It ends whatever a frame's last letters may have begun: neither an escape nor a letter holds it.
_BETWEEN = b"\n"


def hidden(found: Publish) -> tuple[Publish, str]:
    """A frame as it may be published, and the value of the header `headroom.redacted`.

    A frame without a secret is the same object, and there is no header (""). In one that has some,
    each place holds `Secret(hidden)`, and the header tells how many; where the place cannot be
    told, the frame is the JSON text `"Secret(hidden)"` without a key, and the header is `all`.
    """
    frame = redacted_frame(found.frame)
    if frame is None:
        return found, ""
    whole = frame.places is None
    key = None if whole or found.key is None else _key(found.key)
    hidden_one = msgspec.structs.replace(found, frame=frame.text, key=key)
    return hidden_one, _ALL if whole else str(frame.places)


def holds_no_secret(frames: Sequence[bytes]) -> bool:
    """Whether none of these frames holds a secret, looked for in all of them at once.

    Where one seems to stand across two of them it says no.
    """
    return redacted_frame(_BETWEEN.join(frames)) is None


def _key(key: bytes) -> bytes:
    # An account as it reads in the frame now, so that both are of one user.
    clean = redacted_frame(key)
    return key if clean is None else clean.text
