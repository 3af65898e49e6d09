"""Which frames go first where there are too many: those that a newer one makes obsolete. Pure.

Never the last one of an account, nor one of which nobody can tell whose it is, nor one that tells
of several accounts.
"""

from collections.abc import Iterable

from producers.spool.records import Group, Record


class Newest:
    """In which group the newest frame of each account lies."""

    def __init__(self) -> None:
        self._of: dict[bytes, int] = {}

    def note(self, group: Group) -> None:
        """Take a group that comes behind all before it."""
        number = group.number
        self._of.update({r.key: number for r in group.records if r.key is not None})

    def without_obsolete(self, group: Group) -> Group:
        """The group without what newer frames make obsolete; itself where there is nothing."""
        kept: list[Record] = []
        seen: set[bytes] = set()
        for record in reversed(group.records):
            key = record.key
            is_last = key is None or (
                key not in seen and self._of.get(key, group.number) <= group.number
            )
            if is_last or record.several:
                kept.append(record)
            if key is not None:
                seen.add(key)
        if len(kept) == len(group.records):
            return group
        return Group.of(group.number, group.end, kept[::-1])


def sweep(groups: Iterable[Group], newest: Newest, bytes_wanted: int) -> tuple[list[Group], int]:
    """What the oldest of these groups become, until so many bytes are free; and how many are."""
    changed: list[Group] = []
    freed = 0
    for group in groups:
        if freed >= bytes_wanted:
            break
        left = newest.without_obsolete(group)
        if left is not group:
            freed += group.size_bytes - left.size_bytes
            changed.append(left)
    return changed, freed
