"""The spool: what is in it survives a kill, a full disk, a damaged file and a wrong owner."""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.errors import SpoolForeign, SpoolInUse, SpoolNewer
from producers.spool import spool as module
from producers.spool.disk import Disk
from producers.spool.folder import Folder, Owner
from producers.spool.records import Group, Record
from producers.spool.spool import Spool

LOG = logging.getLogger("tests.producers")
OWNER = Owner("sfox", "raw.sfox.balances.v1", "k1", "c1")


def record(number: int, key: bytes | None = b"k", size: int = 10, **more: Any) -> Record:
    frame = (b"%d " % number).ljust(size, b"x")
    return Record(key, frame, "sfox", "f", 7, number, "2024-03-13T22:00:25.310000000Z", **more)


_open: list["Bench"] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _open:
        _open.pop().kill()


class Bench:
    """A spool, what it said of frames that went, and its clock."""

    def __init__(self, path: Path | None, *, bytes_max: int = 10**9, **owner: str) -> None:
        self.dropped = self.lost = 0
        self.now = 1_000.0
        folder = None
        if path is not None:
            folder = Folder(path, Owner(**{**vars_of(OWNER), **owner}), LOG)
        self.spool = Spool(
            folder,
            bytes_max=bytes_max,
            memory_bytes_max=bytes_max,
            log=LOG,
            clock_ns=time.time_ns,
            monotonic=lambda: self.now,
            dropped=self._dropped,
            lost=self._lost,
        )
        _open.append(self)
        try:
            self.found = self.spool.open()
        except BaseException:
            self.spool.close()
            raise
        self._end = 0

    def _dropped(self, count: int) -> None:
        self.dropped += count

    def _lost(self, count: int) -> None:
        self.lost += count

    def put(self, *records: Record) -> list[Group]:
        self._end += len(records)
        return self.spool.append(records, self._end)

    def waiting(self) -> list[int]:
        """The receipts of all that waits, as they would be sent."""
        found, number = [], self.spool.settled
        while groups := self.spool.after(number):
            found += [one.receipt for group in groups for one in group.records]
            number = groups[-1].number
        return found

    def kill(self) -> None:
        """What a kill leaves: nothing is written any more, and the lock is gone."""
        if self.spool._disk is not None:
            self.spool._disk.close()
        if self.spool._folder is not None:
            self.spool._folder.unlock()


def vars_of(owner: Owner) -> dict[str, str]:
    return {name: getattr(owner, name) for name in owner.__struct_fields__}


def test_what_was_written_is_there_after_a_kill_and_what_was_settled_is_not(
    tmp_path: Path,
) -> None:
    one = Bench(tmp_path)
    first = one.put(record(1), record(2))
    one.put(record(3))
    one.spool.settle(first[-1].number)
    one.put(record(4), record(5, key=None, redacted="2", several=True))
    one.kill()
    two = Bench(tmp_path)
    assert (two.found, two.waiting()) == (3, [3, 4, 5])
    assert two.spool.greatest_epoch == 7
    last = two.spool.after(two.spool.settled)[-1].records[-1]
    assert last == record(5, key=None, redacted="2", several=True)
    groups = two.put(record(6))
    assert two.waiting() == [3, 4, 5, 6]
    two.spool.settle(groups[-1].number)
    two.spool.close()
    assert Bench(tmp_path).found == 0


def test_what_is_settled_is_forgotten_while_nothing_comes_and_the_file_gets_small(
    tmp_path: Path,
) -> None:
    one = Bench(tmp_path)
    for number in range(40):
        groups = one.put(*(record(number * 10 + n, size=100_000) for n in range(10)))
    one.spool.settle(groups[-1].number)
    one.spool.tick(idle=True)
    assert one.spool.size_bytes == 0
    assert (tmp_path / "frames.db").stat().st_size < 1_000_000
    one.kill()
    assert Bench(tmp_path).found == 0


@pytest.mark.parametrize("on_disk", [True, False])
@settings(deadline=None, max_examples=50)
@given(
    frames=st.lists(
        st.tuples(st.sampled_from([b"a", b"b", b"c", None]), st.booleans()), max_size=60
    ),
    sizes=st.lists(st.integers(1, 7), min_size=1),
)
def test_the_oldest_obsolete_frame_goes_first_and_never_the_last_of_an_account(
    tmp_path_factory: pytest.TempPathFactory,
    on_disk: bool,  # noqa: FBT001 - a parameter of the test
    frames: list[tuple[bytes | None, bool]],
    sizes: list[int],
) -> None:
    one = Bench(tmp_path_factory.mktemp("spool") if on_disk else None, bytes_max=4_000)
    records = [
        record(number, key, size=150, several=several)
        for number, (key, several) in enumerate(frames)
    ]
    at = 0
    for size in (*sizes, *[5] * len(records)):
        if at < len(records):
            one.put(*records[at : at + size])
            at += size
    left = one.waiting()
    assert left == sorted(left)
    assert len(left) + one.dropped + one.lost == len(records)
    if not one.lost:
        gone = set(range(len(records))) - set(left)
        last = {r.key: r.receipt for r in records}
        for number in gone:
            key = records[number].key
            assert key is not None
            assert last[key] > number
            assert not records[number].several
    one.spool.close()


def test_what_nothing_makes_obsolete_may_take_more_and_then_is_lost_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = Bench(tmp_path, bytes_max=10_000)
    for number in range(200):
        one.put(record(number, key=b"u%d" % number, size=100))
        one.now += 10
    assert 0 < one.lost < 200
    assert one.dropped == 0
    assert len(one.waiting()) == 200 - one.lost
    assert one.spool.size_bytes <= 2 * 10_000
    assert caplog.text.count("the spool is full") == 1


def test_what_is_on_its_way_is_left_alone(tmp_path: Path) -> None:
    one = Bench(tmp_path, bytes_max=3_000)
    first = one.put(*(record(number, size=100) for number in range(5)))
    one.spool.sent = first[-1].number
    for number in range(5, 60):
        one.put(record(number, size=100))
    assert one.waiting()[:5] == [0, 1, 2, 3, 4]
    assert one.waiting()[-1] == 59


def test_the_oldest_go_first_and_no_more_than_is_needed(tmp_path: Path) -> None:
    one = Bench(tmp_path, bytes_max=20_000)
    number = 0
    while not one.dropped:
        one.put(record(number, size=800))
        number += 1
    left = one.waiting()
    assert left == list(range(one.dropped, number))
    assert one.dropped <= 4


def test_what_came_together_is_thinned_too(tmp_path: Path) -> None:
    one = Bench(tmp_path, bytes_max=3_000)
    one.put(*(record(number, key=b"%d" % (number % 2), size=500) for number in range(10)))
    assert one.waiting() == [8, 9]
    assert (one.dropped, one.lost) == (8, 0)


# -- a disk that fails


def failing(monkeypatch: pytest.MonkeyPatch, words: str) -> Callable[[], None]:
    """Have every write fail, until what is returned is called."""
    writes = Disk.write

    def write(self: Disk, groups: Iterable[Group], *, settled: int) -> int:
        raise sqlite3.OperationalError(words)

    monkeypatch.setattr(Disk, "write", write)
    return lambda: monkeypatch.setattr(Disk, "write", writes)


def test_a_full_disk_is_one_line_and_what_waits_goes_on_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = Bench(tmp_path)
    one.put(record(1))
    mended = failing(monkeypatch, "database or disk is full")
    for number in range(2, 6):
        one.put(record(number))
        one.now += 10
        one.spool.tick(idle=False)
    assert not one.spool.is_on_disk
    assert caplog.text.count("cannot be written (database or disk is full)") == 1
    assert one.waiting() == [1, 2, 3, 4, 5]
    mended()
    one.now += module.AGAIN_SECONDS
    one.spool.tick(idle=False)
    assert one.spool.is_on_disk
    assert "is written again" in caplog.text
    one.put(record(6))
    assert one.waiting() == [1, 2, 3, 4, 5, 6]
    one.kill()
    assert Bench(tmp_path).waiting() == [1, 2, 3, 4, 5, 6]


def test_a_folder_that_cannot_be_used_is_memory_and_what_lay_there_is_sent_once_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = Bench(tmp_path)
    before.put(record(1), record(2))
    before.kill()

    def unreadable(*_: object) -> Disk:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "open", unreadable)
        one = Bench(tmp_path)
        groups = one.put(record(11))
        assert one.waiting() == [11]
        one.put(record(12))
    one.spool.sent = groups[-1].number
    one.now += module.AGAIN_SECONDS
    one.spool.tick(idle=False)
    one.put(record(13))
    assert one.waiting() == [11, 12, 1, 2, 13]
    assert caplog.text.count("cannot be written") == 1


# -- who does not belong


def test_a_second_process_gets_one_clear_line(tmp_path: Path) -> None:
    one = Bench(tmp_path)
    with pytest.raises(SpoolInUse, match="another producer runs on the spool"):
        Bench(tmp_path)
    one.spool.close()
    Bench(tmp_path)


def test_a_spool_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    one = Bench(tmp_path)
    one.put(record(1))
    assert one.spool._disk is not None
    one.spool._disk.set_meta({"format": "2"})
    one.kill()
    with pytest.raises(SpoolNewer, match="newer version"):
        Bench(tmp_path)
    assert Disk(tmp_path / "frames.db").held().records == 1


@pytest.mark.parametrize("other", [{"venue": "hercle"}, {"topic": "t"}, {"cluster": "c2"}])
def test_frames_for_elsewhere_are_refused_and_an_empty_spool_is_anybodys(
    tmp_path: Path, other: dict[str, str]
) -> None:
    one = Bench(tmp_path)
    groups = one.put(record(1))
    one.kill()
    with pytest.raises(SpoolForeign, match=f"holds 1 frames for another {next(iter(other))}"):
        Bench(tmp_path, **other)
    two = Bench(tmp_path)
    two.spool.settle(groups[-1].number)
    two.spool.close()
    Bench(tmp_path, **other)


def test_frames_that_came_with_another_key_are_sent_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = Bench(tmp_path)
    one.put(record(1))
    one.kill()
    assert Bench(tmp_path, keys="k2").waiting() == [1]
    assert "received with other keys" in caplog.text


@pytest.mark.parametrize("share", [0.0005, 0.3, 0.7, 0.99])
def test_of_a_truncated_file_what_can_be_read_is_sent_and_the_rest_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, share: float
) -> None:
    one = Bench(tmp_path)
    for number in range(300):
        one.put(record(number, size=5_000))
    one.spool.close()
    path = tmp_path / "frames.db"
    whole = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(int(whole * share))
    two = Bench(tmp_path)
    left = two.waiting()
    assert left == sorted(left)
    assert len(left) == two.found < 300
    assert f"{two.found} frames of it can be read" in caplog.text
    [aside] = [p for p in tmp_path.iterdir() if "damaged" in p.name]
    assert aside.stat().st_size == int(whole * share)
    two.put(record(1_000))
    assert two.waiting() == [*left, 1_000]


def test_a_group_that_is_not_what_was_written_is_set_aside_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = Bench(tmp_path)
    for number in range(3):
        groups = one.put(record(number), record(number + 10))
    one.kill()
    db = sqlite3.connect(tmp_path / "frames.db")
    with db:
        db.execute(
            "UPDATE groups SET body = zeroblob(50) WHERE number = ?", (groups[0].number - 1,)
        )
    db.close()
    two = Bench(tmp_path)
    assert two.waiting() == [0, 10, 2, 12]
    assert two.lost == 2
    assert "2 frames in the spool are damaged" in caplog.text
    assert two.waiting() == [0, 10, 2, 12]
