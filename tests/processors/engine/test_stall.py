"""A hung agent is seen by offsets that do not move; not serving is counted."""

from faust.types import TP

from processors.engine.stall import NotServing, Stall

A, B = TP("t", 0), TP("t", 1)


def test_a_partition_that_stands_still_behind_is_named_after_a_while() -> None:
    """Not at the first look, not before the time, and no longer once it moves."""
    stall = Stall(after_seconds=10)
    assert stall.look(0, {A: 5}, {A: 7}) == []
    assert stall.look(9, {A: 6}, {A: 7}) == []
    assert stall.look(10, {A: 6}, {A: 7}) == [A]
    assert stall.look(11, {A: 5}, {A: 8}) == []
    assert stall.look(20, {A: 5}, {A: 8}) == []
    assert stall.look(21, {A: 5}, {A: 8}) == [A]


def test_a_partition_without_lag_may_stand_for_ever() -> None:
    """A quiet venue is no hung agent; the time counts from when there is something to read."""
    stall = Stall(after_seconds=10)
    assert stall.look(0, {A: 0}, {A: 7}) == []
    assert stall.look(100, {A: 0}, {A: 7}) == []
    assert stall.look(101, {A: 1}, {A: 7}) == []
    assert stall.look(110, {A: 1}, {A: 7}) == []
    assert stall.look(111, {A: 1}, {A: 7}) == [A]


def test_a_partition_of_which_nothing_was_ever_done_counts_too() -> None:
    """An agent that hangs on its first batch is seen; a partition given away is forgotten."""
    stall = Stall(after_seconds=10)
    assert stall.look(0, {A: 5, B: 5}, {A: None}) == []
    assert stall.look(10, {A: 5}, {A: None}) == [A]
    assert stall.look(11, {A: 5, B: 5}, {A: None}) == [A]


def test_a_worker_that_does_not_serve_is_counted_from_its_start_and_from_each_loss() -> None:
    not_serving = NotServing(100)
    assert not_serving.look(130, serving=False, progress=0) == 30
    assert not_serving.look(140, serving=True, progress=0) == 0
    assert not_serving.look(141, serving=False, progress=0) == 1
    assert not_serving.look(150, serving=False, progress=0) == 10


def test_a_restore_that_moves_on_is_no_standstill() -> None:
    """A million rows take as long as they take."""
    not_serving = NotServing(0)
    for second in range(1, 1_000):
        assert not_serving.look(second, serving=False, progress=second) == 0
    assert not_serving.look(1_030, serving=False, progress=999) == 31
