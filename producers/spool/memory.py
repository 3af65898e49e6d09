"""Groups of frames in memory, for as long as the disk takes nothing. See `disk.py`."""

from collections.abc import Iterable, Iterator

from producers.spool.records import Group


class Memory:
    """The groups, by their number in ascending order."""

    def __init__(self) -> None:
        self._groups: dict[int, Group] = {}
        self.size_bytes = 0

    @property
    def groups(self) -> list[Group]:
        """All of them."""
        return list(self._groups.values())

    def write(self, groups: Iterable[Group]) -> int:
        """Keep groups; the bytes that came in."""
        before = self.size_bytes
        for group in groups:
            self._groups[group.number] = group
            self.size_bytes += group.size_bytes
        return self.size_bytes - before

    def settle(self, number: int) -> None:
        """Forget the groups up to a number."""
        while self._groups and (first := next(iter(self._groups))) <= number:
            self.size_bytes -= self._groups.pop(first).size_bytes

    def replace(self, groups: Iterable[Group]) -> None:
        """Have other records in place of a group's; of none is left nothing."""
        for group in groups:
            self.size_bytes -= self._groups[group.number].size_bytes
            if group.records:
                self._groups[group.number] = group
                self.size_bytes += group.size_bytes
            else:
                del self._groups[group.number]

    def after(self, number: int, *, bytes_max: int) -> list[Group]:
        """The next groups behind a number, at least one where there is one."""
        found: list[Group] = []
        size = 0
        for group in self._behind(number):
            found.append(group)
            size += group.size_bytes
            if size >= bytes_max:
                break
        return found

    def _behind(self, number: int) -> Iterator[Group]:
        # Most ask for the one with the next number.
        one = self._groups.get(number + 1)
        while one is not None:
            yield one
            number = one.number
            one = self._groups.get(number + 1)
        for group in list(self._groups.values()):
            if group.number > number:
                yield group

    def clear(self) -> None:
        """Forget all."""
        self._groups.clear()
        self.size_bytes = 0
