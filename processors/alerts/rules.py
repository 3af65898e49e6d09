"""The rules file: what is to be told of, read strictly, all its mistakes told at once.

TOML, one table `[[rule]]` for each rule; docs/alerts.md shows each condition. Thresholds are texts,
so that no digit goes through a float.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec

from schemas.amounts import is_amount
from schemas.documents import Condition
from schemas.identity import is_user
from schemas.venues import VENUES

Names = Literal["all"] | Annotated[list[str], msgspec.Meta(min_length=1)]
Level = Literal["warning", "breach", "cleared"]
"""Of an alert: a threshold that is crossed, or that none is any more."""
Seconds = Annotated[int, msgspec.Meta(ge=0, le=7 * 24 * 60 * 60)]

OF_LIMITS: Final = frozenset({"utilisation_above", "headroom_below"})
OF_TIME: Final = "not_live_for"
_ABOVE: Final = frozenset({"utilisation_above", "held_above", OF_TIME})
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_LEVELS: Final = ("warning", "breach")
_HEADER: Final = re.compile(r"\s*\[\[\s*(?:rule|\"rule\"|'rule')\s*\]\]\s*(?:#.*)?")
_AT_LINE: Final = re.compile(r"(.*) \(at line ([0-9]+), column ([0-9]+)\)")
_QUOTED_MAX: Final = 60


class Mistake(msgspec.Struct, frozen=True):
    """What is wrong with a file; `line` counts from 1, `rule` is the rule's name or number."""

    line: int
    rule: str | None
    problem: str

    def __str__(self) -> str:
        where = "" if self.rule is None else f"rule {self.rule}: "
        return f"line {self.line}: {where}{self.problem}"


class Mark(msgspec.Struct, frozen=True):
    """A level's threshold, and the value at which the level is left again."""

    at: Decimal
    clear: Decimal


class Rule(msgspec.Struct, frozen=True):
    """One rule; what is None among the scopes is everything.

    Of limits, `assets` None is the account's own limit, and `every_asset` that of each asset.
    `for_seconds` is how long a threshold has to be crossed before the level is.
    """

    name: str
    condition: Condition
    warning: Mark | None
    breach: Mark | None
    for_seconds: int = 0
    users: frozenset[str] | None = None
    venues: frozenset[str] | None = None
    assets: frozenset[str] | None = None
    every_asset: bool = False
    base_currencies: frozenset[str] | None = None

    @property
    def is_above(self) -> bool:
        """Whether it is crossed upwards."""
        return self.condition in _ABOVE

    @property
    def is_of_account(self) -> bool:
        """Whether it is about the account's own limit."""
        return self.condition in OF_LIMITS and self.assets is None and not self.every_asset

    def mark(self, level: Level) -> Mark | None:
        """The threshold of a level; `cleared` has none."""
        return {"warning": self.warning, "breach": self.breach, "cleared": None}[level]

    def threshold(self, level: Level) -> str | None:
        """The same as an alert tells it."""
        mark = self.mark(level)
        return None if mark is None else format(mark.at, "f")

    def takes(self, user: str, venue: str) -> bool:
        """Whether it is about a user's account at a venue."""
        is_users = self.users is None or user in self.users
        return is_users and (self.venues is None or venue in self.venues)

    def takes_asset(self, asset: str) -> bool:
        """Whether it is about an asset."""
        return self.every_asset or (self.assets is not None and asset in self.assets)


def rules_for(rules: tuple[Rule, ...], user: str, venue: str) -> tuple[Rule, ...]:
    """The rules that take an account of this user at this venue, but those of time alone."""
    return tuple(one for one in rules if one.condition != OF_TIME and one.takes(user, venue))


def rules_of_time(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """The rules that no frame crosses, but time."""
    return tuple(one for one in rules if one.condition == OF_TIME)


def names_of_time(rules: tuple[Rule, ...], user: str, venue: str) -> frozenset[str]:
    """What those of them are called that take an account of this user at this venue."""
    return frozenset(one.name for one in rules_of_time(rules) if one.takes(user, venue))


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    condition: Condition
    warning: str | None = None
    warning_clear: str | None = None
    breach: str | None = None
    breach_clear: str | None = None
    for_seconds: Seconds = 0
    users: Names = "all"
    venues: Names = "all"
    assets: Names | None = None
    base_currencies: Names = "all"


_FIELDS: Final = {one.name: one for one in msgspec.structs.fields(_Entry)}


def read_rules(data: bytes) -> list[Rule] | list[Mistake]:
    """The rules of a file, or, where anything is wrong, all mistakes in their order; never empty.

    Two lists of different kinds, told apart by `are_rules`.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return [Mistake(data[: error.start].count(b"\n") + 1, None, "is not UTF-8")]
    try:
        said = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return [_not_toml(text, str(error))]
    tables = said.get("rule")
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        return [Mistake(1, None, "no rule: each is a table [[rule]]"), *_strange(said, text)]
    mistakes = _strange(said, text)
    places, rules, seen = _Places(text, len(tables)), list[Rule](), dict[str, int]()
    for number, table in enumerate(tables):
        name = table.get("name")
        told = name if isinstance(name, str) and _NAME.fullmatch(name) else f"number {number + 1}"
        found = [
            Mistake(places.line(number, field), told, problem) for field, problem in _wrong(table)
        ]
        if told in seen:
            problem = f"another rule has this name, on line {seen[told]}"
            found.append(Mistake(places.line(number, "name"), told, problem))
        seen.setdefault(told, places.line(number, "name"))
        mistakes += found
        if not found:
            rules.append(_rule(msgspec.convert(table, _Entry)))
    if not mistakes:
        return rules or [Mistake(1, None, "no rule: each is a table [[rule]]")]
    return sorted(mistakes, key=lambda one: one.line)


def are_rules(found: list[Rule] | list[Mistake]) -> bool:
    """Whether a file was right."""
    return isinstance(found[0], Rule)


def mistakes_of(found: list[Rule] | list[Mistake]) -> list[Mistake]:
    """What is wrong with a file; nothing where it was right."""
    return [one for one in found if isinstance(one, Mistake)]


def rules_of(found: list[Rule] | list[Mistake]) -> tuple[Rule, ...]:
    """The rules of a file that was right, in its order; else none."""
    return tuple(one for one in found if isinstance(one, Rule))


def _not_toml(text: str, why: str) -> Mistake:
    match = _AT_LINE.fullmatch(why)
    if match is None:  # "(at end of document)"
        return Mistake(text.count("\n") + 1, None, f"is not TOML: {why}")
    return Mistake(int(match[2]), None, f"is not TOML: {match[1]} (column {match[3]})")


def _strange(said: Mapping[str, Any], text: str) -> list[Mistake]:
    """Whatever stands beside the rules."""
    lines = text.split("\n")
    found = []
    for key in said:
        if key == "rule":
            continue
        begins = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}\b")
        line = next((i for i, one in enumerate(lines, 1) if begins.match(one)), 1)
        found.append(Mistake(line, None, f"{_quoted(key)} is unknown: each rule is a [[rule]]"))
    return found


class _Places:
    """On which lines rules and their fields stand; 1 where the file was written in another form."""

    def __init__(self, text: str, rules: int) -> None:
        self._lines = text.split("\n")
        heads = [i for i, line in enumerate(self._lines) if _HEADER.fullmatch(line.rstrip("\r"))]
        self._heads = heads if len(heads) == rules else []

    def line(self, number: int, field: str | None) -> int:
        """The line of a rule's field, or of the rule where the field is not there."""
        if not self._heads:
            return 1
        begin = self._heads[number]
        end = self._heads[number + 1] if number + 1 < len(self._heads) else len(self._lines)
        if field is not None:
            stands = re.compile(rf"\s*[\"']?{re.escape(field)}[\"']?\s*=")
            for line in range(begin, end):
                if stands.match(self._lines[line]):
                    return line + 1
        return begin + 1


def _wrong(table: Mapping[str, Any]) -> Iterator[tuple[str | None, str]]:
    """Each mistake of a rule, with the field that it is about."""
    bad = set()
    for field in table.keys() - _FIELDS.keys():
        yield field, f"{_quoted(field)} is no field: {', '.join(_FIELDS)}"
    for name, info in _FIELDS.items():
        if name not in table:
            if info.required:
                bad.add(name)
                yield None, f"{name} is missing"
            continue
        try:
            msgspec.convert(table[name], info.type)
        except msgspec.ValidationError as error:
            bad.add(name)
            yield name, f"{name}: {_why(name, str(error))}"
    # What is wrong in itself is still given.
    values = {name: None if name in bad else value for name, value in table.items()}
    for check in _CHECKS:
        yield from check(values)


def _why(name: str, why: str) -> str:
    # Whoever leaves a field out does not write null: TOML has none.
    why = why.replace(" | null", "")
    is_amount_field = name.removesuffix("_clear") in _LEVELS
    return f"{why} (a text between quotes: no digit is lost)" if is_amount_field else why


def _check_name(values: Mapping[str, Any]) -> Iterator[tuple[str | None, str]]:
    name = values.get("name")
    if name is not None and _NAME.fullmatch(name) is None:
        yield "name", f"{_quoted(name)} is no name: a-z, 0-9 and -, 64 at most"


def _check_levels(values: Mapping[str, Any]) -> Iterator[tuple[str | None, str]]:
    """Thresholds are amounts, and each is left on its safe side."""
    amounts = dict[str, Decimal]()
    for level in _LEVELS:
        for name in (level, f"{level}_clear"):
            text = values.get(name)
            if text is not None and is_amount(text):
                amounts[name] = Decimal(text)
            elif text is not None:
                yield name, f"{name}: {_quoted(text)} is no plain decimal"
    if not any(level in values for level in _LEVELS):
        yield None, "neither warning nor breach is given"
    condition = values.get("condition")
    sign = 1 if condition in _ABOVE else -1
    for level in _LEVELS:
        at, clear = amounts.get(level), amounts.get(f"{level}_clear")
        if f"{level}_clear" in values and level not in values:
            yield f"{level}_clear", f"{level}_clear without {level}"
        if at is not None and clear is not None and condition and (clear - at) * sign > 0:
            side = "above" if sign > 0 else "below"
            yield f"{level}_clear", f"{level}_clear must not lie {side} {level}"
    warning, breach = amounts.get("warning"), amounts.get("breach")
    if warning is not None and breach is not None and condition and (breach - warning) * sign <= 0:
        side = "above" if sign > 0 else "below"
        yield "breach", f"breach must lie {side} warning"


def _check_scopes(values: Mapping[str, Any]) -> Iterator[tuple[str | None, str]]:
    for name, is_one, what in _SCOPES:
        given = values.get(name, "all")
        if isinstance(given, list):
            for one in given:
                if not is_one(one):
                    yield name, f"{name}: {_quoted(one)} is no {what}"


def _check_condition(values: Mapping[str, Any]) -> Iterator[tuple[str | None, str]]:
    """What a condition has no use for is not passed over in silence."""
    condition = values.get("condition")
    if condition is None:
        return
    if condition not in OF_LIMITS and "base_currencies" in values:
        yield "base_currencies", f"{condition} knows no base currency"
    if condition == OF_TIME:
        for name in ("assets", "for_seconds", "warning_clear", "breach_clear"):
            if name in values:
                yield name, f"{condition} has no {name}"
        for level in _LEVELS:
            text = values.get(level)
            if text is not None and is_amount(text) and Decimal(text) < 0:
                yield level, f"{level}: seconds are 0 at least"


_Check = Callable[[Mapping[str, Any]], Iterable[tuple[str | None, str]]]
_CHECKS: Final[tuple[_Check, ...]] = (_check_name, _check_levels, _check_scopes, _check_condition)
_SCOPES: Final[tuple[tuple[str, Callable[[str], bool], str], ...]] = (
    ("users", is_user, "user"),
    ("venues", VENUES.__contains__, f"venue: {', '.join(VENUES)}"),
    ("assets", lambda text: text == text.upper(), "asset: they are upper case"),
    ("base_currencies", lambda text: text == text.upper(), "base currency: they are upper case"),
)


def _rule(entry: _Entry) -> Rule:
    return Rule(
        name=entry.name,
        condition=entry.condition,
        warning=_mark(entry.warning, entry.warning_clear),
        breach=_mark(entry.breach, entry.breach_clear),
        for_seconds=entry.for_seconds,
        users=_scope(entry.users),
        venues=_scope(entry.venues),
        assets=_scope(entry.assets or "all"),
        # Of balances all are meant where nothing is said, of limits the account's own.
        every_asset=entry.assets == "all"
        or (entry.assets is None and entry.condition not in OF_LIMITS),
        base_currencies=_scope(entry.base_currencies),
    )


def _mark(at: str | None, clear: str | None) -> Mark | None:
    return None if at is None else Mark(Decimal(at), Decimal(at if clear is None else clear))


def _scope(names: Names) -> frozenset[str] | None:
    return None if names == "all" else frozenset(names)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _QUOTED_MAX else text[:_QUOTED_MAX] + "…")
