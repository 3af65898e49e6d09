"""What is wrong with settings, gathered: all of it is told at once, not the first alone.

A program whose operator mends one line, starts it, and is told of the next has an operator who does
that ten times.
"""

from collections.abc import Callable
from typing import TypeVar

from headroom.base.errors import SettingsError, SettingsErrors
from producers.errors import ConfigurationError

T = TypeVar("T")
_FILE = "_FILE"


def name_of(error: SettingsError | ConfigurationError) -> str:
    """The setting that an error tells of, by its whole name."""
    return error.name if isinstance(error, SettingsError) else error.setting


class Mistakes:
    """The mistakes of settings, each setting's first one; whoever reads on has a stand-in."""

    def __init__(self) -> None:
        self._found: dict[str, SettingsError | ConfigurationError] = {}

    @property
    def each(self) -> tuple[SettingsError | ConfigurationError, ...]:
        """One for each setting, in the order in which they were found."""
        return tuple(self._found.values())

    def note(self, error: SettingsError | ConfigurationError) -> None:
        """Keep a mistake; a later one of the same setting may well follow from it."""
        for one in error.each:
            if not isinstance(one, SettingsError | ConfigurationError):
                raise one
            # A secret whose file cannot be read is not set, either.
            self._found.setdefault(name_of(one).removesuffix(_FILE), one)

    def of(self, read: Callable[[], T]) -> T | None:
        """What is read; None where that is a mistake, which is kept."""
        try:
            return read()
        except (SettingsError, ConfigurationError) as error:
            self.note(error)
            return None

    def refuse(self) -> None:
        """Raise what was found: the one as it is, of several `SettingsErrors`."""
        if len(self._found) == 1:
            raise self.each[0]
        if self._found:
            raise SettingsErrors(self.each, name_of(self.each[0]))

    def whole(self, value: T | None) -> T:
        """What was read, where nothing is wrong; raises as `refuse` does."""
        self.refuse()
        if value is None:
            raise TypeError("nothing is wrong, and nothing was read")
        return value
