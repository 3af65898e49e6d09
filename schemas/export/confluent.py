"""What Confluent's registry says to a new version of a schema, by its rule BACKWARD (the default).

The rule asks whether the new schema takes all that the old one does. To an object that may have
fields which its schema does not name it lets no named field be added, as an old record may have had
one of that name and another form. Our readers pass by what they do not know, and no name is used
twice: our own gate (`compatibility`) lets fields be added, and this only warns of what it lets by.
A bound that was not told before is refused as well, also that of 64 bits, which no integer of ours
was ever beyond.
It knows the words that our schemas use, and whatever both gates refuse the other one has told.

Source: `SchemaDiff`, `ObjectSchemaDiff`, `CombinedSchemaDiff`, `ArraySchemaDiff` and
`NumberSchemaDiff` of Confluent's schema-registry, whose names of differences and paths these are.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.export.json_schema import TELLING, unfolded

Schema = Mapping[str, Any]

_ADDED: Final = "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL"
_NOT_COVERED: Final = "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
_CHANGED: Final = "TYPE_CHANGED"
_SUBSCHEMAS: Final = "COMBINED_TYPE_SUBSCHEMAS_CHANGED"


def refused(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> list[str]:
    """What the rule refuses, each with topic, path and difference; both map a file to its schema.

    Topics that are only in one of the two are no version of anything.
    """
    return [
        f"{name.removesuffix('.schema.json')}: {path}: {difference}"
        for name, before in old.items()
        if name in new
        for path, difference in _Comparison(before, new[name]).differences(before, new[name], "#")
    ]


class _Comparison:
    """Two whole schemas, whose parts are compared; a part that is met again inside is not."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._under_way: set[tuple[str, str]] = set()

    def differences(self, old: Schema, new: Schema, at: str) -> Iterator[tuple[str, str]]:
        pair = (old.get("$ref", ""), new.get("$ref", ""))
        if all(pair):
            if pair in self._under_way:
                return
            self._under_way.add(pair)
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if "anyOf" in old and "anyOf" in new:
            yield from self._choices(old["anyOf"], new["anyOf"], at)
        elif "anyOf" in new:
            yield from self._nearest(old, new["anyOf"], at)
        elif "anyOf" in old and len(old["anyOf"]) == 1:
            yield from self.differences(old["anyOf"][0], new, at)
        elif not _takes_all(new):
            if _kind(old) != _kind(new):
                yield at, _CHANGED
            else:
                yield from _bounds(old, new, at)
                yield from self._fields(old, new, at)
                yield from self._inner(old, new, at)
        self._under_way.discard(pair)

    def _choices(self, old: list[Schema], new: list[Schema], at: str) -> Iterator[tuple[str, str]]:
        """Each alternative of before has one that takes all of it; else the nearest tells why."""
        told: list[tuple[str, str]] = []
        for number, one in enumerate(old):
            told += self._nearest(one, new, f"{at}/anyOf/{number}")
        yield from told
        if told:
            yield at, _SUBSCHEMAS

    def _nearest(self, old: Schema, new: list[Schema], at: str) -> list[tuple[str, str]]:
        each = [list(self.differences(old, one, at)) for one in new]
        # Of those that do not take it the one of its own kind: the others differ in all.
        return min(each, key=lambda found: (bool(found), (at, _CHANGED) in found, len(found)))

    def _fields(self, old: Schema, new: Schema, at: str) -> Iterator[tuple[str, str]]:
        before, after = old.get("properties", {}), new.get("properties", {})
        more = old.get("additionalProperties", True)
        for name, part in after.items():
            path = f"{at}/properties/{name}"
            if name in before:
                yield from self.differences(before[name], part, path)
            elif more is True and not _takes_all(part):
                yield path, _ADDED
            elif isinstance(more, Mapping):
                inner = list(self.differences(more, part, path))
                yield from [*inner, (path, _NOT_COVERED)] if inner else ()

    def _inner(self, old: Schema, new: Schema, at: str) -> Iterator[tuple[str, str]]:
        for word in ("items", "additionalProperties"):
            before, after = old.get(word), new.get(word)
            if isinstance(before, Mapping) and isinstance(after, Mapping):
                yield from self.differences(before, after, f"{at}/{word}")


def _bounds(old: Schema, new: Schema, at: str) -> Iterator[tuple[str, str]]:
    """A bound that came, or came nearer; without one there is none, also for an integer."""
    for word, tighter, sign in (("maximum", "DECREASED", -1), ("minimum", "INCREASED", 1)):
        if word in new and word not in old:
            yield f"{at}/{word}", f"{word.upper()}_ADDED"
        elif word in new and sign * new[word] > sign * old[word]:
            yield f"{at}/{word}", f"{word.upper()}_{tighter}"


def _kind(part: Schema) -> str:
    """What Confluent's library makes of a part: only two of one kind are compared at all."""
    kind = next((word for word in ("const", "enum") if word in part), part.get("type", ""))
    return "number" if kind == "integer" else kind


def _takes_all(part: Schema) -> bool:
    """Whether a part has no word that says anything of a value."""
    return not part.keys() - TELLING


def _resolved(part: Schema, root: Schema) -> Schema:
    if "$ref" not in part:
        return unfolded(part)
    found: Schema = root["$defs"][part["$ref"].rpartition("/")[2]]
    return found
