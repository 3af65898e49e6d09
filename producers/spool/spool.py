"""Frames that Kafka does not have yet: on disk, or in memory where the disk takes nothing.

It belongs to one thread. Groups have ascending numbers; they are read in that order, and forgotten
up to a number.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from producers.spool.disk import Disk
from producers.spool.folder import Folder
from producers.spool.memory import Memory
from producers.spool.overflow import Newest
from producers.spool.records import AROUND_BYTES, Group, Record, Unsound

GROUP_BYTES_MAX: Final = 1024 * 1024
READ_BYTES_MAX: Final = 2 * 1024 * 1024
AGAIN_SECONDS: Final = 5.0
MEMORY_BYTES_MAX: Final = 48 * 1024 * 1024
"""What may wait in memory while the disk takes nothing."""
# What is freed at once, so that not each group sweeps all of the spool.
_FREED_SHARE: Final = 0.05
_TOGETHER: Final = 64
_UNREADABLE_SECONDS: Final = 60.0
# Frames that nothing makes obsolete may take more than was allowed: this much of it.
_LAST_ONES: Final = 1.0


class Spool:
    """All frames that wait; `folder` None: in memory only.

    `bytes_max` bounds what lies on disk. `dropped` is told how many frames went because newer ones
    of their accounts lie there, `lost` how many that nothing made obsolete did not fit.
    """

    def __init__(
        self,
        folder: Folder | None,
        *,
        bytes_max: int,
        memory_bytes_max: int = MEMORY_BYTES_MAX,
        log: logging.Logger,
        clock_ns: Callable[[], int],
        monotonic: Callable[[], float],
        dropped: Callable[[int], object] = lambda _: None,
        lost: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._memory_bytes_max = memory_bytes_max
        self._log = log
        self._clock_ns = clock_ns
        self._monotonic = monotonic
        self._on_dropped, self._on_lost = dropped, lost
        self._disk: Disk | None = None
        self._memory = Memory()
        self._disk_bytes = 0
        self._disk_last = 0
        self._writes = False
        self._lost_at: float | None = None
        self._newest: Newest | None = None
        self._again_at = 0.0
        self._forgotten = 0
        self._was_open = False
        self.last = 0
        self.settled = 0
        # Groups up to this number are on their way: they are left alone.
        self.sent = 0
        self.greatest_epoch = 0

    @property
    def is_on_disk(self) -> bool:
        """Whether what comes is written to disk."""
        return self._writes

    @property
    def size_bytes(self) -> int:
        """What waits, or was not forgotten yet."""
        return self._disk_bytes + self._memory.size_bytes

    # -- life

    def open(self) -> int:
        """Take the folder; how many frames lie there from before.

        Raises SpoolInUse, SpoolNewer, SpoolForeign. A disk that takes nothing is no error.
        """
        found = 0
        if self._folder is not None:
            try:
                self._folder.lock()
                self._disk = self._folder.open()
                held = self._disk.held()
            except (OSError, sqlite3.Error) as error:
                self._lose(error)
            else:
                found, self._writes, self._was_open = held.records, True, True
                self.last = self._disk_last = held.last
                self._disk_bytes, self.greatest_epoch = held.size_bytes, held.epoch
        self.last = max(self.last, self._clock_ns())
        if not found:
            self.settled = self._forgotten = self.sent = self.last
        return found

    def close(self) -> None:
        """Forget what is settled, and let go of the folder."""
        self._write(())
        self._close_disk()
        if self._folder is not None:
            self._folder.unlock()

    def tick(self, *, idle: bool) -> None:
        """What is due: the disk tried again; while nothing comes, what is settled forgotten."""
        if not self._writes:
            if self._folder is not None and self._monotonic() >= self._again_at:
                self._try_again(self._folder)
        elif idle and self._forgotten < self.settled:
            self._write(())
            if self._disk is not None and self.settled >= self._disk_last:
                try:
                    self._disk.give_back()
                except sqlite3.Error as error:
                    self._fail(error)

    # -- frames

    def append(self, records: Sequence[Record], end: int) -> list[Group]:
        """Keep records, which then are received; `end` counts up to the last of them.

        In groups as they lie there. Some may be missing: those that did not fit (`lost`).
        """
        groups = list(self._groups(records, end))
        if self._newest is not None:
            for group in groups:
                self._newest.note(group)
        groups = self._with_room(groups)
        if not self._write(groups):
            self._memory.write(groups)
        elif groups:
            self._disk_last = groups[-1].number
        return groups

    def _write(self, groups: Sequence[Group]) -> bool:
        """Write to disk, and forget what is settled; whether the disk took it."""
        if self._disk is None or not self._writes:
            return False
        try:
            grown = self._disk.write(groups, settled=self.settled)
        except (OSError, sqlite3.Error) as error:
            self._fail(error)
            return False
        self._disk_bytes += grown
        self._forgotten = self.settled
        return True

    def after(self, number: int) -> list[Group]:
        """The next groups behind a number; none where there are none, or none that can be read."""
        return self._read(number, bytes_max=READ_BYTES_MAX)

    def _read(self, number: int, *, bytes_max: int) -> list[Group]:
        while number < self._disk_last:
            if self._disk is None:
                return []  # what is in memory comes behind it
            try:
                groups = self._disk.after(number, bytes_max=bytes_max)
            except Unsound as error:
                words = "%d frames in the spool are damaged: they stay there, in `unsound`"
                self._log.error(words, error.count)
                self._on_lost(error.count)
                continue
            except (OSError, sqlite3.Error) as error:
                self._lose(error)
                return []
            if groups:
                return groups
            break
        return self._memory.after(number, bytes_max=bytes_max)

    def settle(self, number: int) -> None:
        """Kafka has all up to this number."""
        self.settled = number
        self._memory.settle(number)

    def _groups(self, records: Sequence[Record], end: int) -> Iterator[Group]:
        first, size = 0, 0
        for at, record in enumerate(records, start=1):
            size += len(record.frame) + len(record.key or b"") + AROUND_BYTES
            if size >= GROUP_BYTES_MAX or at == len(records):
                self.last += 1
                yield Group(self.last, end - len(records) + at, records[first:at], size)
                first, size = at, 0

    # -- too many

    def _with_room(self, groups: list[Group]) -> list[Group]:
        """Make room; what of these groups may be kept."""
        bound = self._bytes_max if self._writes else self._memory_bytes_max
        size = self._disk_bytes if self._writes else self._memory.size_bytes
        wanted = size + sum(group.size_bytes for group in groups) - bound
        if wanted <= 0:
            if self._newest is not None and size < bound // 2:
                self._newest = None
            return groups
        self._begin_overflow(groups, bound)
        freed = self._sweep(wanted + int(bound * _FREED_SHARE))
        if freed < wanted:
            groups, some = self._thinned(groups)
            freed += some
        if wanted - freed < bound * _LAST_ONES:
            return groups
        self._on_lost(sum(len(group.records) for group in groups))
        return []

    def _thinned(self, groups: list[Group]) -> tuple[list[Group], int]:
        """The same without what is obsolete among themselves, and how many bytes less that is."""
        newest = self._newest or Newest()
        left = [newest.without_obsolete(group) for group in groups]
        gone = sum(len(g.records) - len(k.records) for g, k in zip(groups, left, strict=True))
        if gone:
            self._on_dropped(gone)
        less = sum(g.size_bytes - k.size_bytes for g, k in zip(groups, left, strict=True))
        return [group for group in left if group.records], less

    def _begin_overflow(self, groups: list[Group], bound: int) -> None:
        if self._newest is not None:
            return
        words = "the spool is full (%d bytes): of each account the oldest frames go first"
        self._log.error(words, bound)
        self._newest = Newest()
        for group in (*self._waiting(self.settled), *groups):
            self._newest.note(group)

    def _sweep(self, bytes_wanted: int) -> int:
        """Free so many bytes, from the oldest on; how many were freed."""
        floor = self.sent if self._writes else max(self.sent, self._disk_last)
        freed, newest = 0, self._newest or Newest()
        while freed < bytes_wanted:
            changed: list[Group] = []
            gone = some = 0
            # Together, since each change is a commit.
            while some < bytes_wanted - freed and len(changed) < _TOGETHER:
                number = newest.oldest(floor)
                if number is None:
                    break
                for group in self._at(number):
                    left = newest.without_obsolete(group)
                    if left is not group:
                        changed.append(left)
                        some += group.size_bytes - left.size_bytes
                        gone += len(group.records) - len(left.records)
            if not changed or not self._replace(changed):
                break
            freed += some
            self._on_dropped(gone)
        return freed

    def _at(self, number: int) -> list[Group]:
        """The group of a number, if it is there."""
        return [one for one in self._read(number - 1, bytes_max=1) if one.number == number]

    def _replace(self, groups: list[Group]) -> bool:
        on_disk = [group for group in groups if group.number <= self._disk_last]
        if on_disk:
            if self._disk is None or not self._writes:
                return False
            try:
                self._disk_bytes += self._disk.replace(on_disk)
            except (OSError, sqlite3.Error) as error:
                self._fail(error)
                return False
        self._memory.replace([group for group in groups if group.number > self._disk_last])
        return True

    def _waiting(self, number: int) -> Iterator[Group]:
        while groups := self.after(number):
            yield from groups
            number = groups[-1].number

    # -- a disk that fails

    def _fail(self, error: Exception) -> None:
        """Go on in memory; what lies on disk may still be read."""
        if self._writes or self._again_at == 0.0:
            where = "" if self._folder is None else f" {self._folder.path}"
            words = "the spool%s cannot be written (%s): frames that wait for Kafka are kept in "
            words += "memory, and a kill would lose them; it is tried again"
            self._log.error(words, where, error)
            self._newest = None
        self._writes = False
        self._again_at = self._monotonic() + AGAIN_SECONDS

    def _lose(self, error: Exception) -> None:
        """The same where it cannot even be read."""
        self._close_disk()
        self._lost_at = self._monotonic()
        self._fail(error)

    def _close_disk(self) -> None:
        if self._disk is not None:
            self._disk.close()
            self._disk = None

    def _try_again(self, folder: Folder) -> None:
        try:
            folder.lock()
            if self._disk is None:
                self._disk = folder.open()
            self._take_up(self._disk)
        except sqlite3.OperationalError as error:
            self._fail(error)
        except (OSError, sqlite3.Error) as error:
            self._lose(error)
        else:
            self._again_at = 0.0
            self._log.warning("the spool %s is written again", folder.path)
            return
        lost_at = self._monotonic() if self._lost_at is None else self._lost_at
        is_lost = self._disk is None and self._monotonic() - lost_at > _UNREADABLE_SECONDS
        if is_lost and self._disk_last:
            words = "the spool %s cannot be read: what waits there is sent once it can be"
            self._log.error(words, folder.path)
            self._disk_last, self._was_open = 0, False

    def _take_up(self, disk: Disk) -> None:
        """Have on disk what waits in memory, behind what waits on disk already."""
        if not self._was_open:
            # It was not there when this process began: what lies there comes now.
            self.last = disk.move_behind(self.last)
        disk.write(self._memory.groups, settled=self.settled)
        self._writes = self._was_open = True
        held = disk.held()
        self._disk_bytes, self._disk_last = held.size_bytes, max(held.last, self._disk_last)
        self._memory.clear()
