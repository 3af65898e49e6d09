"""Which frames go first where there are too many: those that a newer one makes obsolete. Pure.

Never the last one of an account, nor one of which nobody can tell whose it is, nor one that tells
of several accounts.
"""

import heapq

from producers.spool.records import Group, Record


class Newest:
    """In which group the newest frame of each account lies, and which groups hold older ones."""

    def __init__(self) -> None:
        self._of: dict[bytes, int] = {}
        self._stale: list[int] = []
        self._known: set[int] = set()

    def note(self, group: Group) -> None:
        """Take a group that comes behind all before it."""
        number, of = group.number, self._of
        for record in group.records:
            if record.key is None:
                continue
            before = of.get(record.key)
            of[record.key] = number
            if before is not None and before not in self._known:
                self._known.add(before)
                heapq.heappush(self._stale, before)

    def oldest(self, behind: int) -> int | None:
        """The first group behind a number that may hold what is obsolete; each is told once."""
        while self._stale:
            number = heapq.heappop(self._stale)
            self._known.discard(number)
            if number > behind:
                return number
        return None

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
