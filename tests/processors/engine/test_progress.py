"""Commits: only what is done without a gap from the front, whatever Kafka acknowledges first."""

import pytest
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.engine.batch import Batch, Record
from processors.engine.errors import CommitsLost
from processors.engine.progress import Progress

A, B = TP("a", 0), TP("b", 0)


def batch(tp: TP, first: int, last: int | None = None) -> Batch:
    """A batch of the records from `first` to `last`."""
    offsets = range(first, (first if last is None else last) + 1)
    return Batch(tp, [Record(None, b"", offset, None) for offset in offsets])


def begun(progress: Progress, *batches: Batch) -> None:
    for one in batches:
        progress.delivered(one)
        progress.begin(one)


def test_a_batch_in_flight_holds_back_every_later_one() -> None:
    """Committed 100, acknowledged 101 to 103 while 100 is in flight: nothing may be committed."""
    progress = Progress()
    before, hundred, *later = batches = [batch(A, offset) for offset in range(99, 104)]
    begun(progress, *batches)
    progress.settle(before)
    progress.committed(progress.committable([A]))
    for one in later:
        assert progress.settle(one) == []
        assert progress.committable([A]) == {}
    assert progress.in_flight == 4
    assert progress.settle(hundred) == [hundred, *later]
    assert progress.committable([A]) == {A: 104}
    assert progress.in_flight == 0


def test_what_is_committed_is_the_offset_after_the_batchs_last_record() -> None:
    progress = Progress()
    one = batch(A, 5, 11)
    begun(progress, one)
    assert progress.committable([A]) == {}
    assert progress.reached(A) == 5
    progress.settle(one)
    assert progress.committable([A]) == {A: 12}
    assert progress.reached(A) == 12
    progress.reset()
    assert progress.reached(A) is None


def test_a_commit_is_not_made_twice() -> None:
    progress = Progress()
    one, other = batch(A, 1), batch(A, 2)
    begun(progress, one, other)
    progress.settle(one)
    progress.committed(progress.committable([A]))
    assert progress.committable([A]) == {}
    progress.settle(other)
    assert progress.committable([A]) == {A: 3}


def test_a_commit_that_failed_is_made_again() -> None:
    progress = Progress()
    one = batch(A, 1)
    begun(progress, one)
    progress.settle(one)
    assert progress.committable([A]) == progress.committable([A]) == {A: 2}


def test_a_partition_of_another_worker_is_not_committed() -> None:
    progress = Progress()
    one, other = batch(A, 1), batch(B, 8)
    begun(progress, one, other)
    progress.settle(one)
    progress.settle(other)
    assert progress.committable([B]) == {B: 9}
    assert progress.committable([]) == {}


def test_after_a_rebalance_an_old_acknowledgement_commits_nothing() -> None:
    progress = Progress()
    old, new = batch(A, 100), batch(A, 90)
    begun(progress, old)
    progress.reset()
    assert progress.settle(old) == []
    begun(progress, new)
    assert progress.settle(old) == []
    assert progress.committable([A]) == {}
    assert progress.settle(new) == [new]
    assert progress.committable([A]) == {A: 91}


def test_after_a_rebalance_the_same_offset_is_committed_again() -> None:
    """Whoever held the partition meanwhile may have gone back."""
    progress = Progress()
    for _ in range(2):
        one = batch(A, 1)
        begun(progress, one)
        progress.settle(one)
        assert progress.committable([A]) == {A: 2}
        progress.committed({A: 2})
        progress.reset()


def test_a_commit_never_goes_back() -> None:
    """Whatever is done again behind the group's commit, it stays where it is."""
    progress = Progress()
    progress.start({A: 10})
    early, late = batch(A, 3), batch(A, 10)
    begun(progress, early)
    assert progress.committable([A], finished=[early]) == {}
    progress.settle(early)
    assert progress.committable([A]) == {}
    begun(progress, late)
    assert progress.committable([A], finished=[late]) == {A: 11}
    progress.settle(late)
    assert progress.committable([A]) == {A: 11}


def test_a_group_that_is_behind_its_commit_is_refused() -> None:
    """Over as many assignments as there were since; further on than it was, it may be."""
    progress = Progress()
    one = batch(A, 4)
    begun(progress, one)
    progress.settle(one)
    progress.committed(progress.committable([A]))
    progress.reset()
    progress.reset()
    progress.check({A: 5, B: 0})
    progress.check({A: 9})
    with pytest.raises(CommitsLost) as raised:
        progress.check({B: 0, A: 4})
    assert (raised.value.topic, raised.value.known, raised.value.found) == ("a", 5, 4)


def test_what_is_delivered_counts_until_it_is_done() -> None:
    """Memory is bounded by what was read, not only by what an agent has begun."""
    progress = Progress()
    one, other = batch(A, 1), batch(A, 2, 4)
    progress.delivered(one)
    progress.delivered(other)
    assert (progress.records, progress.in_flight) == (4, 0)
    progress.begin(one)
    progress.begin(other)
    progress.settle(other)
    assert (progress.records, progress.in_flight) == (4, 2)
    progress.settle(one)
    assert (progress.records, progress.bytes, progress.in_flight) == (0, 0, 0)


def test_behind_the_last_record_the_end_of_the_partition_is_committed() -> None:
    """Control markers take offsets: what is behind them has been read as well."""
    progress = Progress()
    progress.start({A: 5, B: 0})
    one = batch(A, 5, 6)
    begun(progress, one)
    progress.ended(A, 9)
    assert progress.committable([A, B]) == {}
    assert progress.committable([A], finished=[one]) == {A: 9}
    progress.settle(one)
    assert progress.committable([A, B]) == {A: 9}
    assert progress.reached(A) == 9


def test_an_end_without_records_is_reached_at_once() -> None:
    progress = Progress()
    progress.start({A: 5})
    progress.ended(A, 7)
    assert progress.committable([A]) == {A: 7}


def test_a_batch_behind_an_end_holds_it_back() -> None:
    """An end that was seen between two batches says nothing of the second one."""
    progress = Progress()
    one, other = batch(A, 0), batch(A, 3)
    begun(progress, one)
    progress.ended(A, 3)
    begun(progress, other)
    assert progress.committable([A], finished=[one]) == {A: 1}
    progress.settle(one)
    assert progress.committable([A]) == {A: 1}
    assert progress.committable([A], finished=[other]) == {A: 4}


@pytest.mark.parametrize("partitions", [1, 3])
@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_whatever_the_order_of_acknowledgements_only_an_unbroken_run_is_committed(
    partitions: int, data: st.DataObject
) -> None:
    """Batches of several partitions, begun one after the other, acknowledged in any order."""
    progress, begun_of, settled = Progress(), {}, set()
    tps = [TP("a", number) for number in range(partitions)]
    next_offset = dict.fromkeys(tps, 0)
    in_flight: list[Batch] = []
    committed = dict.fromkeys(tps, 0)
    for _ in range(data.draw(st.integers(1, 25))):
        if not in_flight or data.draw(st.booleans()):
            tp = data.draw(st.sampled_from(tps))
            # Offsets may be missing: compaction and control records use them up.
            first = next_offset[tp] + data.draw(st.integers(0, 2))
            one = batch(tp, first, first + data.draw(st.integers(0, 3)))
            next_offset[tp] = one.offset + 1
            begun(progress, one)
            begun_of.setdefault(tp, []).append(one)
            in_flight.append(one)
        else:
            one = in_flight.pop(data.draw(st.integers(0, len(in_flight) - 1)))
            settled.add(one)
            done = progress.settle(one)
            assert done == sorted(done, key=lambda each: each.offset)
        if data.draw(st.booleans()):
            offsets = progress.committable(tps)
            assert all(offset > committed[tp] for tp, offset in offsets.items())
            committed |= offsets
            progress.committed(offsets)
            for tp, ours in begun_of.items():
                run = 0
                for each in ours:
                    if each not in settled:
                        break
                    run = each.offset + 1
                assert committed[tp] == run
                assert progress.reached(tp) == (run or ours[0].first_offset)
