"""The rules file of the workers: read whole, or refused with all that is wrong with it."""

from pathlib import Path
from typing import Final

from headroom.base.errors import OperatorError, SettingsError
from headroom.base.printable import printable
from processors.alerts.rules import Rule, mistakes_of, read_rules, rules_of

_SETTING: Final = "HEADROOM_ALERTS_FILE"


class RulesWrong(OperatorError):
    """A rules file is not right; what is wrong was told, line by line."""


def load_rules(path: Path | None) -> tuple[Rule, ...]:
    """The rules that a worker judges by; none without a file.

    Raises `SettingsError` for a file that is not wholly right.
    """
    if path is None:
        return ()
    found = read_rules(_read(path, _SETTING))
    mistakes = mistakes_of(found)
    if mistakes:
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        way = f"`headroom alerts check {path}` tells all"
        raise SettingsError(_SETTING, f"{printable(str(mistakes[0]))}{more}: {way}")
    return rules_of(found)


def read_file(path: Path) -> tuple[Rule, ...] | list[str]:
    """The rules of a file, or a line for each mistake; raises `OperatorError`."""
    found = read_rules(_read(path, "the rules file"))
    return [printable(str(one)) for one in mistakes_of(found)] or rules_of(found)


def summary(rule: Rule) -> str:
    """A rule on one line."""
    marks = [
        f"{level} at {mark.at:f} (until {mark.clear:f})"
        for level, mark in (("warning", rule.warning), ("breach", rule.breach))
        if mark is not None
    ]
    lasting = f", for {rule.for_seconds} s" if rule.for_seconds else ""
    scopes = [
        f"{name} {', '.join(sorted(names))}"
        for name, names in (
            ("users", rule.users),
            ("venues", rule.venues),
            ("assets", rule.assets),
            ("base currencies", rule.base_currencies),
        )
        if names is not None
    ]
    of = f": {'; '.join(scopes)}" if scopes else ": all"
    return printable(f"{rule.name}  {rule.condition} {', '.join(marks)}{lasting}{of}")


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(what, f"cannot be read: {error.strerror}: {path}") from None
