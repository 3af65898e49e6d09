"""A venue's numbers: what was missed, came late, came again, or is counted anew."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.sequences import (
    REMEMBERED_MAX,
    SKIPPED_MAX,
    Counting,
    Memory,
    Numbered,
    Order,
    judge,
)

ALL = Counting(every=True)
NEWEST = Counting(every=False)


def orders(counting: Counting, *told: tuple[int, object] | tuple[int, object, str]) -> list[str]:
    memory, found = Memory(), []
    for number, content, *time in told:
        message = Numbered(number, time[0] if time else None, content)
        order = judge(counting, memory, message)
        memory.take(message, order)
        found.append(str(order))
    return found


@given(st.integers(-5, 5), st.lists(st.sampled_from("nnnnrgl"), max_size=40))
def test_a_stream_is_judged_as_it_was_made(first: int, steps: list[str]) -> None:
    """The oracle makes the stream, and so knows of each message what it is.

    n: the next number; r: the newest frame again; g: one is kept back; l: the one kept back comes.
    """
    memory = Memory()
    told = Numbered(first, None, ("c", first))
    assert judge(ALL, memory, told) is Order.FIRST
    memory.take(told, Order.FIRST)
    greatest, kept = first, list[int]()
    for step in steps:
        if step == "n":
            number, expected = greatest + 1, Order.NEXT
        elif step == "r":
            number, expected = greatest, Order.REPEATED
        elif step == "g":
            kept.append(greatest + 1)
            number, expected = greatest + 2, Order.GAP
        elif kept:
            number, expected = kept.pop(0), Order.LATE
        else:
            continue
        # A late frame claims to be the newest of all: its number says otherwise.
        time = "9999" if expected is Order.LATE else f"{number:04}"
        told = Numbered(number, time, ("c", number))
        assert judge(ALL, memory, told) is expected
        memory.take(told, expected)
        greatest = max(greatest, number)


@given(st.integers(3, 50), st.booleans())
def test_counted_anew_is_noticed_at_the_first_number_that_was_used(
    length: int,
    timed: bool,  # noqa: FBT001 - drawn
) -> None:
    run = [(number, ("old", number), "1") for number in range(1, length)]
    again = [(number, ("new", number), "2") for number in range(1, length)]
    told = [one if timed else one[:2] for one in (*run, *again)]
    found = orders(ALL, *told)
    assert found[length - 1] == "anew"
    assert set(found[length:]) <= {"next"}


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), max_size=30), st.booleans())
def test_what_was_told_last_is_never_set_back_by_a_number_without_a_word(
    stream: list[tuple[int, int]],
    every: bool,  # noqa: FBT001 - drawn
) -> None:
    """Whatever falls below the greatest number is late, repeated, anew or unclear: never next."""
    memory, greatest = Memory(), None
    for number, content in stream:
        message = Numbered(number, None, content)
        order = judge(Counting(every=every), memory, message)
        assert order is judge(Counting(every=every), memory, message)
        if greatest is not None and number < greatest:
            assert order in {Order.LATE, Order.REPEATED, Order.ANEW, Order.UNCLEAR}
        memory.take(message, order)
        if order is Order.ANEW or greatest is None:
            greatest = number
        elif order is not Order.UNCLEAR:
            greatest = max(greatest, number)
        assert memory.greatest == greatest


def test_an_answer_that_fell_is_unclear_until_another_one_bears_it_out() -> None:
    assert orders(NEWEST, (5000, "a"), (1, "b"), (2, "c"), (3, "d")) == [
        "first",
        "unclear",
        "anew",
        "next",
    ]
    assert orders(NEWEST, (5000, "a"), (1, "b"), (1, "b")) == ["first", "unclear", "anew"]
    assert orders(NEWEST, (5000, "a"), (4, "b"), (5001, "c"), (4, "b")) == [
        "first",
        "unclear",
        "next",
        "unclear",
    ]


def test_an_old_copy_is_no_new_count() -> None:
    told = (5, "a"), (6, "b"), (5, "a"), (5, "a"), (6, "b"), (6, "c")
    assert orders(NEWEST, *told) == ["first", "next", "late", "late", "repeated", "revised"]


@pytest.mark.parametrize(
    ("time", "order"), [("3", "anew"), ("2", "unclear"), ("1", "unclear"), (None, "unclear")]
)
def test_a_number_whose_contents_are_forgotten_needs_a_newer_time_to_be_anew(
    time: str | None, order: str
) -> None:
    run = [(number, number, "2") for number in range(REMEMBERED_MAX + 2)]
    assert orders(ALL, *run, (0, "other", time))[-1] == order


def test_below_what_the_venue_spent_on_answers_nothing_can_be_late() -> None:
    memory = Memory()
    memory.started_behind = 2
    memory.take(Numbered(10, None, "a"), Order.FIRST)
    assert judge(ALL, memory, Numbered(2, None, "b")) is Order.ANEW
    assert judge(ALL, memory, Numbered(3, None, "b")) is Order.UNCLEAR


def test_what_was_passed_over_is_bounded_and_then_unclear() -> None:
    memory = Memory()
    memory.take(Numbered(0, None, 0), Order.FIRST)
    for number in range(2, 2 * SKIPPED_MAX + 4, 2):
        memory.take(Numbered(number, None, number), Order.GAP)
    assert judge(ALL, memory, Numbered(1, "9", "late")) is Order.UNCLEAR
    assert judge(ALL, memory, Numbered(2 * SKIPPED_MAX + 1, "9", "late")) is Order.LATE


@settings(max_examples=50)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=50))
def test_any_numbers_are_judged(numbers: list[int]) -> None:
    for counting in (ALL, NEWEST):
        orders(counting, *((number, number) for number in numbers))
