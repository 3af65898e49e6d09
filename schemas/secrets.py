"""A secret, wrapped: what is printed, logged, formatted or encoded by accident shows nothing."""

import hmac
from typing import Final, NoReturn

_HIDDEN: Final = "Secret(hidden)"


class Secret:
    """A text that only `reveal()` shows; equality takes the same time wherever texts differ.

    It cannot be pickled, copied or encoded to JSON: each of these would carry the text away.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: call it where it is used, never before."""
        return self._text

    def redact(self, text: str) -> str:
        """The same text without the secret, for words that come from somebody who knows it."""
        return text.replace(self._text, _HIDDEN) if self._text else text

    def __repr__(self) -> str:
        return _HIDDEN

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return _HIDDEN

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
