"""Texts that have a form, as amounts and times do: told in the schema, checked all at once.

A document holds dozens of amounts, and msgspec would call a pattern for each of them, which costs
several times what the rest of a document does. Here they are gathered first, and one pattern looks
at all that differ.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any, Final, cast

import msgspec
from msgspec import inspect

_flat = chain.from_iterable

Texts = set[str | None]
# Takes values of one type together: a document of many assets is gathered column by column.
_Gather = Callable[[Iterable[Any], Texts], None]


class Form:
    """The form of a text, for `Annotated[str, form.meta]`; `pattern` stands from `^` to `$`."""

    def __init__(self, pattern: str, description: str) -> None:
        self.meta = msgspec.Meta(description=description, extra_json_schema={"pattern": pattern})
        # Groups that are not kept, and nothing tried twice: the same language, in half the time.
        one = pattern.removeprefix("^").removesuffix("$").replace("(", "(?:").replace("]+", "]++")
        self._lines = re.compile(rf"{one}(?:\n{one})*+")
        _FORMS[pattern] = self

    def fits(self, texts: Texts) -> bool:
        """Whether all of these texts have it; what is None is none."""
        texts.discard(None)
        if not texts:
            return True
        lines = "\n".join(cast("set[str]", texts))
        # A text that holds a line feed must not pass for two.
        return self._lines.fullmatch(lines) is not None and lines.count("\n") == len(texts) - 1


_FORMS: Final[dict[str, Form]] = {}


def is_well_formed(document: msgspec.Struct) -> bool:
    """Whether every text of a document has its form."""
    for form, gather in _gatherers(type(document)):
        texts: Texts = set()
        gather((document,), texts)
        if not form.fits(texts):
            return False
    return True


@cache  # by kind of document
def _gatherers(kind: type) -> list[tuple[Form, _Gather]]:
    described = inspect.type_info(kind)
    patterns = dict.fromkeys(_patterns(described))  # in the order in which they stand
    return [(_FORMS[one], gather) for one in patterns if (gather := _of(described, one))]


def _patterns(kind: inspect.Type) -> Iterator[str]:
    match kind:
        case inspect.Metadata(extra_json_schema={"pattern": str() as pattern}):
            yield pattern
        case inspect.StructType(fields=fields):
            for field in fields:
                yield from _patterns(field.type)
        case inspect.Metadata(type=part) | inspect.ListType(item_type=part):
            yield from _patterns(part)
        case inspect.DictType(value_type=part):
            yield from _patterns(part)
        case inspect.UnionType(types=parts):
            for one in parts:
                yield from _patterns(one)
        case _:
            pass


def _of(kind: inspect.Type, pattern: str) -> _Gather | None:
    """What puts the texts of a form that are in some values into a set; None if there are none."""
    if pattern not in _patterns(kind):
        return None
    match kind:
        case inspect.StructType(fields=fields):
            columns = [(attrgetter(field.name), _of(field.type, pattern)) for field in fields]
            return _of_structs([(get, gather) for get, gather in columns if gather is not None])
        case inspect.DictType(value_type=part):
            inner = cast("_Gather", _of(part, pattern))
            return lambda values, texts: inner(_flat(map(dict.values, values)), texts)
        case inspect.ListType(item_type=part):
            inner = cast("_Gather", _of(part, pattern))
            return lambda values, texts: inner(_flat(values), texts)
        case inspect.UnionType(types=parts):
            (inner,) = [found for one in parts if (found := _of(one, pattern))]
            return lambda values, texts: inner([x for x in values if x is not None], texts)
        case _:
            return lambda values, texts: texts.update(values)


def _of_structs(columns: list[tuple[Callable[[Any], Any], _Gather]]) -> _Gather:
    def gather_columns(values: Iterable[Any], texts: Texts) -> None:
        structs = list(values)
        if structs:
            for get, gather in columns:
                gather(map(get, structs), texts)

    return gather_columns
