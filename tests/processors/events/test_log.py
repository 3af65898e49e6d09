"""The log of what changed: whoever resumes misses nothing, and is told nothing older after newer.

Against a model that keeps every version that ever was.
"""

from collections.abc import Iterator

from hypothesis import example, given
from hypothesis import strategies as st

from processors.http.events.log import NOWHERE, Log, Place, places_of, told

KINDS = ("balances", "freshness")
KEYS = tuple(b"abcdef")
kinds, keys = st.sampled_from(KINDS), st.sampled_from(KEYS).map(lambda one: bytes([one]))
abouts = st.sampled_from((b"", b"x", b"y"))
things = st.tuples(kinds, keys, abouts)
changes = st.lists(things, max_size=40)
wanted_kinds = st.frozensets(kinds, min_size=1)
wanted_keys = st.none() | st.frozensets(keys)


def versions(done: list[tuple[str, bytes, bytes]]) -> dict[tuple[str, bytes, bytes], int]:
    """How often each thing has changed."""
    return {one: done.count(one) for one in done}


@given(
    st.lists(st.one_of(things, st.integers(1, 5)), max_size=60),
    wanted_kinds,
    wanted_keys,
)
def test_a_reader_of_any_speed_ends_with_the_newest_of_all(
    steps: list[tuple[str, bytes, bytes] | int],
    of_kinds: frozenset[str],
    of_keys: frozenset[bytes] | None,
) -> None:
    """A number is the reader taking so many; each thing is told as it is when it is told."""
    log, done = Log("a", most=1_000), list[tuple[str, bytes, bytes]]()
    place, known = log.place(), dict[tuple[str, bytes, bytes], int]()

    def read(count: int) -> bool:
        nonlocal place
        found, seq = log.since(place.seq, of_kinds, of_keys, count)
        assert len(found) <= count
        assert seq >= place.seq
        now = versions(done)
        for one in found:
            name = one.kind, one.key, one.about
            assert now[name] > known.get(name, 0), "told what was known"
            known[name] = now[name]
        is_done = not found and seq == log.head
        place = Place(log.life, seq)
        return is_done

    for step in steps:
        if isinstance(step, int):
            read(step)
        else:
            done.append(step)
            log.enter(*step)
    while not read(3):
        pass
    assert known == {
        name: version
        for name, version in versions(done).items()
        if name[0] in of_kinds and (of_keys is None or name[1] in of_keys)
    }


@given(changes, st.integers(0, 50), st.integers(1, 5))
@example([("balances", b"a", b""), ("balances", b"b", b"")], 0, 1)
def test_whoever_resumes_misses_nothing_or_is_told_that_it_cannot(
    done: list[tuple[str, bytes, bytes]], at: int, most: int
) -> None:
    log, entered = Log("a", most=most), list[tuple[str, bytes, bytes]]()
    for one in done:
        log.enter(*one)
        entered.append(one)
        assert len(log) <= most
        assert sum(map(len, log._abouts.values())) <= most
    why = log.why_not(Place("a", at))
    missed = set(entered[at:])
    if at > len(entered):
        assert why == "another_life"
    elif why is None:
        found, _ = log.since(at, frozenset(KINDS), None, 100)
        assert {(one.kind, one.key, one.about) for one in found} == missed
    else:
        assert why == "too_old"
        # Something that it was not told of is forgotten: it had to be refused.
        assert len(log) < len(missed) or log.floor > at


def test_another_life_and_no_place_prove_nothing() -> None:
    log = Log("a", most=10)
    assert log.why_not(log.place()) is None
    assert log.why_not(Place("b", 0)) == "another_life"
    assert log.why_not(None) == "unknown_place"


@given(
    st.dictionaries(
        st.integers(0, 999_999),
        st.builds(
            Place, st.from_regex(r"[0-9a-f]{1,10}", fullmatch=True), st.integers(0, 10**15 - 1)
        ),
        max_size=20,
    )
)
def test_an_id_says_what_it_was_made_of(places: dict[int, Place]) -> None:
    text = told(places)
    assert places_of(text) == places
    assert text.isascii()
    assert not set(text) & set("\n\r\0 ")


def bad_ids() -> Iterator[str]:
    yield from ("", NOWHERE, "0", "0.a", "0.a.1_", "_", "0.a.1 ", "0.A.1", "\u0661.a.1", "0.a.-1")
    yield from ("9" * 5_000, "0.a." + "9" * 5_000, "0.a.1_" * 5_000, "\ud800", "0.a.1\n")


@given(st.one_of(st.sampled_from(list(bad_ids())), st.text()))
def test_an_id_that_is_none_of_ours_says_nothing(text: str) -> None:
    places = places_of(text)
    assert places == {} or places_of(told(places)) == places
