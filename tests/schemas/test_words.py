"""What comes again and again is said now and then, and nothing is kept without bound."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from schemas.words import Words, kind_of


def test_words_that_differ_in_a_number_only_are_one_kind() -> None:
    """Ninety-seven errors with an id, ten a second: one line, and another a minute later."""
    words = Words()
    said = [
        words.say(
            f"the venue says: request {number:x}f-{number} failed at 10:00:{number:02}.5Z", now
        )
        for number, now in ((number, number // 10) for number in range(97))
    ]
    assert said[0] == "the venue says: request 0f-0 failed at 10:00:00.5Z"
    assert said[1:] == [None] * 96
    assert words.say("the venue says: request 7 failed at 1", 60) == (
        "the venue says: request 7 failed at 1 (and 96 more like it)"
    )
    assert words.say("the venue says: request 8 failed at 2", 119) is None
    assert words.say("the venue says: request 9 failed at 3", 120) is not None


def test_kinds() -> None:
    alike = [
        "order 7 of user-0001: 8c0f9bd2-54f5-4f3c-9a0a-5a4a3a2a1a0f at 2026-11-25T10:00:00.123Z",
        "order 123 of user-9: 00000000-54f5-1111-9a0a-5a4a3a2a1a00 at 2026-11-26T11:00:00Z",
    ]
    assert kind_of(alike[0]) == kind_of(alike[1])
    assert kind_of("1008 api key expired") != kind_of("1008 session expired")
    assert kind_of("no number") == "no number"
    assert kind_of("0xdeadbeef1") == kind_of("77")


def test_each_kind_is_said_and_beyond_the_bound_one_line() -> None:
    words = Words(kinds_max=3)
    kinds = ["a", "b", "c", "d", "e", "f"]
    said = [words.say(kind, 0) for kind in kinds]
    assert said[:3] == ["a", "b", "c"]
    assert said[3] == "more than 3 kinds of words: new ones are not told"
    assert said[4:] == [None, None]
    assert words.say("b", 30) is None
    # A minute later the oldest gives way; what was left out is told.
    assert words.say("g", 60) == "g"
    assert words.say("b", 60) == "b (and 1 more like it)"
    assert words.say("h", 60) == "h"
    assert words.say("i", 60) == (
        "more than 3 kinds of words: new ones are not told (and 2 more like it)"
    )


@given(
    st.lists(st.tuples(st.text("ab1 ", max_size=4), st.integers(0, 50)), max_size=60),
    st.integers(1, 5),
)
def test_never_more_lines_than_there_are_kinds_and_minutes(
    texts: list[tuple[str, int]], kinds_max: int
) -> None:
    words, now, said = Words(kinds_max=kinds_max), 0, []
    for text, later in texts:
        now += later
        if (line := words.say(text, now)) is not None:
            said.append((kind_of(text), now, line))
        assert len(words._said) <= kinds_max
    told = [one for one in said if not one[2].startswith("more than")]
    for kind in {one[0] for one in told}:
        times = [time for one, time, _ in told if one == kind]
        assert all(after - before >= 60 for before, after in pairwise(times))
    for _, begins, _ in said:
        within = [one for one in said if begins <= one[1] < begins + 60]
        assert len(within) <= 2 * kinds_max + 1
