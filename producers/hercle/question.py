"""One question at a time to Hercle's hub, and what its answer is worth. Pure: no socket, no clock.

`GetBalances` is answered twice: by an event with the balances, and by a completion. A question is
over with its completion; it was answered if balances came meanwhile that can be the newest.
"""

from typing import Final

import msgspec

from schemas.feeds import Cause

FAILURES_MAX: Final = 3
"""After so many questions in a row without an answer the connection is of no use."""
_OTHER_HALF_SECONDS: Final = 1.0
"""How long balances and completion of a question may come apart."""
_FAILED_PAUSE_SECONDS: Final = 1.0


class Failed(msgspec.Struct, frozen=True):
    """A question that was not answered, and why; `is_last`: it was one too many."""

    cause: Cause
    detail: str
    is_last: bool


class Questions:
    """When to ask, and what became of the question that is open; times in monotonic seconds."""

    def __init__(self, *, poll_seconds: float, answer_seconds: float, pause_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        self._answer_seconds = answer_seconds
        self._pause_seconds = pause_seconds
        self._ask_at = float("inf")
        self._asked_at = float("-inf")
        self._late_at = float("inf")
        self._answered = False
        self._wrong: tuple[Cause, str] | None = None
        self._again = False
        self._failures = 0
        self.number = 0
        self.is_open = False

    @property
    def due(self) -> float:
        """When to ask, or to give an answer up."""
        return self._late_at if self.is_open else self._ask_at

    @property
    def waits(self) -> bool:
        """Whether a question is open that balances have not answered yet."""
        return self.is_open and not self._answered

    def begin(self, now: float) -> None:
        """The hub has let us in: ask at once."""
        self._ask_at = now

    def ask(self, now: float) -> int:
        """The number of a new question, which is asked now."""
        self.number += 1
        self.is_open, self._answered, self._wrong, self._again = True, False, None, False
        self._asked_at, self._late_at = now, now + self._answer_seconds
        self._ask_at = now + self._poll_seconds
        return self.number

    def soon(self, now: float) -> None:
        """Something has happened: ask as soon as that is no burst of questions."""
        self._ask_at = min(self._ask_at, max(now, self._asked_at + self._pause_seconds))

    def answered(self, now: float) -> None:
        """Balances came that can be the newest; a completion that does not come is not missed."""
        self._answered, self._failures = True, 0
        self._late_at = min(self._late_at, now + _OTHER_HALF_SECONDS)

    def said(self, words: str) -> None:
        """The hub said that something is wrong."""
        self._wrong = ("venue_error", words)

    def unclear(self, words: str) -> None:
        """Balances came of which nobody can tell whether they are the newest: ask again at once."""
        self._wrong, self._again = ("wrong_order", words), True

    def completed(self, number: int, now: float, error: str | None) -> Failed | None:
        """The hub is done with a question; one that is not the open one changes nothing."""
        if not self.is_open or number != self.number:
            return None
        if error is not None:
            self._wrong = ("venue_error", error)
        if self._answered or self._wrong is not None:
            return self._over(now)
        self._wrong = ("unanswered", "the hub completes the question and sends no balances")
        self._late_at = min(self._late_at, now + _OTHER_HALF_SECONDS)
        return None

    def late(self, now: float) -> Failed | None:
        """Nothing more is waited for; None where the question was answered after all."""
        if self._wrong is None:
            detail = f"no answer to GetBalances within {self._answer_seconds:g} s"
            self._wrong = ("unanswered", detail)
        return self._over(now)

    def _over(self, now: float) -> Failed | None:
        self.is_open, self._late_at = False, float("inf")
        self._ask_at = max(self._ask_at, now)
        if self._answered or self._wrong is None:
            return None
        self._failures += 1
        pause_seconds = self._pause_seconds if self._again else _FAILED_PAUSE_SECONDS
        self._ask_at = max(self._asked_at + pause_seconds, now)
        return Failed(*self._wrong, is_last=self._failures >= FAILURES_MAX)
