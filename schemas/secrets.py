"""A secret, wrapped: what is printed, logged, formatted or encoded by accident shows nothing.

Others can say it, too: a venue that has our key, an error of a library. So every secret of this
process is known here from the moment it is wrapped, and `redacted` and `redacted_frame` take them
all out of what others wrote.
"""

import hmac
import re
import threading
import weakref
from collections import Counter
from typing import Final, NoReturn

from schemas.redaction import HIDDEN, Needles, Redacted

# The tokens that `headroom token` makes: a worker has the hash only, and still knows them by sight.
_OUR_TOKENS: Final = re.compile(r"headroom_[A-Za-z0-9_-]{43}")
# And those of an issuer: a JSON object, another one, a signature, in base64url.
_JWTS: Final = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


class _Known:
    """The secrets of this process: for what is said, and for the frames of venues."""

    def __init__(self) -> None:
        # A finalizer may come while the same thread adds one.
        self._lock = threading.RLock()
        self._texts: Counter[tuple[str, bool]] = Counter()
        # Made when they are asked for, and anew once the secrets are others.
        self.in_words: Needles | None = None
        self.in_frames: Needles | None = None

    def change(self, text: str, ours: bool, by: int) -> None:  # noqa: FBT001 - called by weakref
        with self._lock:
            self._texts[text, ours] += by
            self._texts = +self._texts
            self.in_words = self.in_frames = None

    def make(self, *, for_frames: bool) -> Needles:
        with self._lock:
            made = Needles(text for text, ours in self._texts if not (ours and for_frames))
            if for_frames:
                self.in_frames = made
            else:
                self.in_words = made
        return made


_KNOWN: Final = _Known()


class Secret:
    """A text that only `reveal()` shows; equality takes the same time wherever texts differ.

    It cannot be pickled, copied or encoded to JSON: each of these would carry the text away.
    With `ours` no venue is ever told it, so that frames are not searched for it: a password of our
    own may be a word that stands in every frame. A secret is looked for as long as the process
    lasts, whoever has let go of it; one that is `fleeting`, as a venue gives them out by the hour,
    as long as somebody holds it.
    """

    __slots__ = ("__weakref__", "_text")

    def __init__(self, text: str, *, ours: bool = False, fleeting: bool = False) -> None:
        self._text = text
        _KNOWN.change(text, ours, 1)
        if fleeting:
            weakref.finalize(self, _KNOWN.change, text, ours, -1).atexit = False

    def reveal(self) -> str:
        """The text itself: call it where it is used, never before."""
        return self._text

    def redact(self, text: str) -> str:
        """The same text without this secret, however short it is."""
        return text.replace(self._text, HIDDEN) if self._text else text

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._text.encode("utf-8", "surrogatepass"),
            other._text.encode("utf-8", "surrogatepass"),
        )

    def __hash__(self) -> int:
        # The same for all: a hash of the text would tell something of it.
        return hash(Secret)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> NoReturn:
        message = "a secret is neither pickled nor copied"
        raise TypeError(message)


def redacted(text: str) -> str:
    """A text for people, a log or a terminal, without any secret of this process.

    All of it is `Secret(hidden)` where one stands behind the escapes of JSON. See
    `schemas.redaction` for what is found, and from which length on.
    """
    needles = _KNOWN.in_words or _KNOWN.make(for_frames=False)
    found = needles.redact(text.encode("utf-8", "surrogatepass"))
    if found is not None:
        text = HIDDEN if found.places is None else found.text.decode("utf-8", "surrogatepass")
    if "eyJ" in text:
        text = _JWTS.sub(HIDDEN, text)
    return _OUR_TOKENS.sub(HIDDEN, text) if "headroom_" in text else text


def redacted_frame(frame: bytes) -> Redacted | None:
    """A venue's frame without any secret that a venue may know; None where it holds none.

    `places` is for the header `headroom.redacted`. A frame of 1 KiB takes a microsecond with one
    key, five and a half with eight or with a thousand.
    """
    return (_KNOWN.in_frames or _KNOWN.make(for_frames=True)).redact(frame)
