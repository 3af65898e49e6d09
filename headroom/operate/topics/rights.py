"""Whether Kafka lets a program do what it is there for: all that lacks is told at once."""

from collections.abc import Sequence
from typing import Final

from headroom.base.errors import OperatorError
from headroom.operate.topics.acls import Right
from headroom.operate.topics.admin import Admin

# What a topic that is there is used for; to create one, and to look at its settings, is tried.
_ASKED: Final = frozenset({"Read", "Write", "Describe"})


class RightsMissing(OperatorError):
    """Kafka does not let this program do what it has to."""

    def __init__(self, program: str, missing: Sequence[Right]) -> None:
        each = ", ".join(map(str, missing))
        super().__init__(f"not allowed in Kafka: {each}: see `headroom topics acls {program}`")
        self.missing = tuple(missing)


async def require_rights(admin: Admin, program: str, rights: Sequence[Right]) -> None:
    """Raise `RightsMissing` where Kafka says that some of these are not given.

    Of what is not there yet, and of transactional ids, Kafka says nothing before it is used.
    """
    asked = [one for one in rights if one.operation in _ASKED and not one.prefixed]
    given = await admin.rights({one.name for one in asked if one.kind == "topic"})
    missing = [
        one
        for one in asked
        if one.kind == "topic"
        and one.name in given
        and one.operation.upper() not in given[one.name]
    ]
    for one in asked:
        if one.kind == "group" and one.operation == "Read":
            allowed = await admin.rights_in(one.name)
            if allowed is not None and "READ" not in allowed:
                missing.append(one)
    if missing:
        raise RightsMissing(program, missing)
