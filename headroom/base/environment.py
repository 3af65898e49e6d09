"""Environment variables `HEADROOM_*`, each read with its meaning; each mistake is one clear line.

A secret may also come as `…_FILE`, the path of a file that holds it. Nothing here prints one.
"""

from collections.abc import Callable, Mapping
from decimal import InvalidOperation
from pathlib import Path
from typing import Any, Final, TypeVar

from headroom.base.errors import SettingsError
from headroom.base.mistakes import Mistakes
from schemas.secrets import Secret

PREFIX: Final = "HEADROOM_"
T = TypeVar("T")


class Environment:
    """`HEADROOM_*` variables, read with their meaning.

    A mistake is raised as `SettingsError`; with `mistakes` it is noted there, and the default
    stands in. `asked` are the whole names that were asked for.
    """

    def __init__(self, variables: Mapping[str, str], mistakes: Mistakes | None = None) -> None:
        self._variables = variables
        self._mistakes = mistakes
        self.asked: set[str] = set()

    def noting(self, mistakes: Mistakes) -> "Environment":
        """The same variables, whose mistakes are noted."""
        found = Environment(self._variables, mistakes)
        found.asked = self.asked
        return found

    def wrong(self, name: str, problem: str) -> None:
        """Raise a mistake, or note it; `name` is without the prefix."""
        error = SettingsError(PREFIX + name, problem)
        if self._mistakes is None:
            raise error
        self._mistakes.note(error)

    def text(self, name: str) -> str | None:
        """A variable, or None where it is missing or empty."""
        self.asked.add(PREFIX + name)
        return self._variables.get(PREFIX + name) or None

    def standard(self, name: str) -> str | None:
        """A variable that is not ours alone, by its whole name; None where missing or empty."""
        return self._variables.get(name) or None

    def path(self, name: str) -> Path | None:
        """A variable that is a path, or None where it is missing or empty."""
        text = self.text(name)
        return None if text is None else Path(text)

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """A variable that is one of some words."""
        text = self.text(name) or default
        if text not in choices:
            self.wrong(name, f"is one of {', '.join(choices)}, not {text!r}")
            return default
        return text

    def number(
        self,
        name: str,
        default: T,
        parse: Callable[[str], T],
        minimum: Any,  # noqa: ANN401 - of the same kind as T
        maximum: Any,  # noqa: ANN401 - the same
    ) -> T:
        """A variable that is a number from `minimum` to `maximum`."""
        text = self.text(name)
        if text is None:
            return default
        value: Any = None
        try:
            value = parse(text)
            sound = minimum <= value <= maximum
        except (ValueError, InvalidOperation):
            sound = False
        if not sound:
            self.wrong(name, f"is a number from {minimum} to {maximum}, not {text[:40]!r}")
            return default
        found: T = value
        return found

    def secret(self, name: str, *, ours: bool = False) -> Secret | None:
        """A secret, from the variable itself or from the file that `…_FILE` names.

        With `ours` no venue is told it.
        """
        path, text = self.text(f"{name}_FILE"), self.text(name)
        if path is None:
            return None if text is None else Secret(text, ours=ours)
        try:
            return secret_in(path, name, ours=ours)
        except SettingsError as error:
            if self._mistakes is None:
                raise
            self._mistakes.note(error)
            return None

    def bearer(self, name: str) -> Secret | None:
        """A token of our own for a header, without the white space around it.

        What a header cannot carry is refused here: the libraries would quote it.
        """
        found = self.secret(name, ours=True)
        if found is None:
            return None
        text = found.reveal().strip()
        if not all(" " <= letter != "\x7f" and not _is_half(letter) for letter in text):
            self.wrong(name, "holds a control character (a line break?), or is not UTF-8")
            return None
        return Secret(text, ours=True)


def secret_in(path: str, name: str, *, ours: bool) -> Secret:
    """The secret in a file; `name` is the setting's. Raises `SettingsError`."""
    try:
        return Secret(Path(path).read_text(encoding="utf-8").strip(), ours=ours)
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot be read: {type(error).__name__}"
        raise SettingsError(f"{PREFIX}{name}_FILE", problem) from None


def _is_half(letter: str) -> bool:
    return "\ud800" <= letter <= "\udfff"
