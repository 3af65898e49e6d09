"""Whether readers of one schema can read what was written to another: the gate before a release.

It knows the words that our own schemas use and refuses to judge any other. A field that a reader
does not know is ignored, and no name is ever used again for something else: so a new field that
need not be there is no change for anybody.

An integer whose bounds are not told has those of 64 bits. Schemas before 0.2.0 told none, but no
worker ever wrote another: what a venue or a header says is checked, and Kafka's offsets have 64
bits. So telling the bounds is no change, and a tighter one still is.
"""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, Final

from schemas.export.json_schema import INT64_MAX, INT64_MIN, TELLING, unfolded

Schema = Mapping[str, Any]

_KNOWN: Final = frozenset(
    {
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "enum",
        "items",
        "maximum",
        "minimum",
        "pattern",
        "properties",
        "required",
        "type",
    }
)
# How wide an integer is says no more than its bounds; any other format is not known here.
_WIDTHS: Final = frozenset({"int32", "int64"})
_INTEGERS_ARE_NUMBERS: Final = {"integer": {"integer", "number"}}


def incompatible(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> list[str]:
    """What stands between two versions, by topic: each must be able to read what the other wrote.

    Both map a topic's file to its schema. A topic that is only in `new` is no difference.
    """
    found = []
    for name, before in old.items():
        after = new.get(name)
        if after is None:
            found.append(f"{name}: is gone")
            continue
        found += [f"{name}: old readers: {problem}" for problem in unreadable(after, before)]
        found += [f"{name}: old records: {problem}" for problem in unreadable(before, after)]
    return found


def unreadable(written: Schema, read: Schema) -> list[str]:
    """Why a reader of `read` may fail on a document of `written`; empty where it cannot."""
    return list(_Comparison(written, read).differences(written, read, "$"))


class _Comparison:
    """Two whole schemas, whose parts are compared; a part that is met again inside is not."""

    def __init__(self, written: Schema, read: Schema) -> None:
        self._written = written
        self._read = read
        self._under_way: set[tuple[str, str]] = set()

    def differences(self, written: Schema, read: Schema, at: str) -> Iterator[str]:
        pair = (written.get("$ref", ""), read.get("$ref", ""))
        if all(pair):
            if pair in self._under_way:
                return
            self._under_way.add(pair)
        mixed = any(map(_is_mixed, (written, read)))
        written, read = _resolved(written, self._written), _resolved(read, self._read)
        unknown = (_words(written) | _words(read)) - _KNOWN - TELLING
        if mixed or any(map(_is_mixed, (written, read))):
            yield f"{at}: nobody has taught this check what a choice with more beside it means"
        elif unknown:
            yield f"{at}: nobody has taught this check what {', '.join(sorted(unknown))} means"
        elif "anyOf" in written:
            for one in written["anyOf"]:
                yield from self.differences(one, read, at)
        elif "anyOf" in read:
            yield from self._of_one(written, read["anyOf"], at)
        else:
            yield from self._same_kind(written, read, at)
        self._under_way.discard(pair)

    def _of_one(self, written: Schema, alternatives: list[Schema], at: str) -> Iterator[str]:
        """One of the alternatives must take all; the nearest tells what is wrong."""
        each = [list(self.differences(written, one, at)) for one in alternatives]
        yield from min(each, key=len)

    def _same_kind(self, written: Schema, read: Schema, at: str) -> Iterator[str]:
        yield from _kinds(written, read, at)
        yield from _bounds(written, read, at)
        yield from self._fields(written, read, at)
        for word, below in (("items", f"{at}[]"), ("additionalProperties", f"{at}.*")):
            inner = read.get(word, True)
            if inner is False and written.get(word, True) is not False:
                yield f"{at}: has fields that are refused"
            elif isinstance(inner, Mapping):
                outer = written.get(word, {})
                yield from self.differences({} if outer is True else outer or {}, inner, below)

    def _fields(self, written: Schema, read: Schema, at: str) -> Iterator[str]:
        always = set(written.get("required", ()))
        for name in read.get("required", ()):
            if name not in always:
                yield f"{at}.{name}: is needed, and may be missing"
        theirs, mine = written.get("properties", {}), read.get("properties", {})
        for name in theirs.keys() & mine.keys():
            yield from self.differences(theirs[name], mine[name], f"{at}.{name}")


def _kinds(written: Schema, read: Schema, at: str) -> Iterator[str]:
    kind, taken = written.get("type"), read.get("type")
    if taken is not None and taken not in _INTEGERS_ARE_NUMBERS.get(kind or "", {kind}):
        yield f"{at}: is {kind or 'anything'}, not {taken}"
    values, allowed = _values(written), _values(read)
    if allowed is not None and (values is None or not set(values) <= set(allowed)):
        more = "anything" if values is None else sorted(set(values) - set(allowed), key=str)
        yield f"{at}: may be {more}"


def _values(part: Schema) -> list[Any] | None:
    return [part["const"]] if "const" in part else part.get("enum")


def _bounds(written: Schema, read: Schema, at: str) -> Iterator[str]:
    if "pattern" in read and written.get("pattern") != read["pattern"]:
        yield f"{at}: has another form"
    whole = written.get("type") == "integer"
    lowest = written.get("minimum", INT64_MIN if whole else -inf)
    highest = written.get("maximum", INT64_MAX if whole else inf)
    if (least := read.get("minimum", -inf)) > lowest:
        yield f"{at}: may be less than {least}"
    if (most := read.get("maximum", inf)) < highest:
        yield f"{at}: may be more than {most}"


def _words(part: Schema) -> set[str]:
    is_told = part.get("type") in ("integer", "number") and part.get("format") in _WIDTHS
    # Of more kinds than one and null none of our schemas is.
    kinds = {"a type of several kinds"} if isinstance(part.get("type"), list) else set()
    return set(part) - ({"format"} if is_told else set()) | kinds


def _is_mixed(part: Schema) -> bool:
    """Whether a reference or a choice has something beside it that must be true as well."""
    judged = part.keys() & _KNOWN
    return len(judged) > 1 and bool(judged & {"$ref", "anyOf"})


def _resolved(part: Schema, root: Schema) -> Schema:
    if "$ref" not in part:
        return unfolded(part)
    found: Schema = root["$defs"][part["$ref"].rpartition("/")[2]]
    return found
