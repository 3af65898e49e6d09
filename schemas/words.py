"""What is said again and again, said once a minute: kinds of words, whatever numbers stand in them.

Pure: the time is passed in.
"""

import re
from typing import Final

EVERY_SECONDS: Final = 60
KINDS_MAX: Final = 64
_KIND_LETTERS_MAX: Final = 300
# Numbers, times, hexadecimal ids, UUIDs and what else is counted or drawn by lot: every word, and
# every part of one between marks, that has a digit in it.
_NUMBERED: Final = re.compile(r"[\w.+-]*\d[\w.:+-]*")


class Words:
    """Which of many texts are worth a line: of each kind one in `every_seconds`.

    A text's kind is the text without its numbers, times and ids. Up to `kinds_max` kinds are said
    within that time, and then one line that there are more. What was left out is told with the next
    line. For one thread.
    """

    def __init__(self, *, every_seconds: int = EVERY_SECONDS, kinds_max: int = KINDS_MAX) -> None:
        self._every_seconds = every_seconds
        self._kinds_max = kinds_max
        # When each kind was said last, the oldest first, and how often it was not said since.
        self._said: dict[str, tuple[int, int]] = {}
        self._others_at: int | None = None
        self._others = 0

    def say(self, text: str, now_seconds: int) -> str | None:
        """The line to say, None to say nothing; `now_seconds` is of a clock that never falls."""
        kind = kind_of(text)
        last = self._said.get(kind)
        if last is not None and now_seconds - last[0] < self._every_seconds:
            self._said[kind] = (last[0], last[1] + 1)
            return None
        if (
            last is None
            and len(self._said) >= self._kinds_max
            and not self._forget_one(now_seconds)
        ):
            return self._more_kinds(now_seconds)
        self._said.pop(kind, None)
        self._said[kind] = (now_seconds, 0)
        return _with(text, 0 if last is None else last[1])

    def _forget_one(self, now_seconds: int) -> bool:
        """Forget the kind that was said longest ago, if it may be said again anyway."""
        oldest = next(iter(self._said))
        if now_seconds - self._said[oldest][0] < self._every_seconds:
            return False
        del self._said[oldest]
        return True

    def _more_kinds(self, now_seconds: int) -> str | None:
        if self._others_at is not None and now_seconds - self._others_at < self._every_seconds:
            self._others += 1
            return None
        others, self._others_at, self._others = self._others, now_seconds, 0
        return _with(f"more than {self._kinds_max} kinds of words: new ones are not told", others)


def kind_of(text: str) -> str:
    """A text without what differs from one time to the next; bounded."""
    return _NUMBERED.sub("#", text[:_KIND_LETTERS_MAX])


def _with(text: str, left_out: int) -> str:
    return f"{text} (and {left_out} more like it)" if left_out else text
