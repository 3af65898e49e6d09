"""Topics beside the work, and the book itself: what is wrong, and what is written again: pure."""

import msgspec
import pytest

from headroom.base.known_topics import KnownTopic
from headroom.operate.deadletters.letter import Place
from headroom.operate.resume import plan, small
from headroom.operate.resume.book import NotLive, check_live, incarnations_seen, known_raw
from headroom.operate.resume.picture import Kind, Picture, Small, Span
from headroom.operate.resume.plan import CHOICES, Go, NoWay, What, wrongs
from processors.engine.marks import Commit
from schemas.incarnations import number_at
from schemas.topics import ACCOUNTS, BALANCES_LATEST, FEEDS, RETRIES

RAW = "raw.sfox.balances.v1"


def picture(known: dict[str, KnownTopic], **found: Small) -> Picture:
    topics = {"accounts": ACCOUNTS, "retries": RETRIES, "feeds": FEEDS, "latest": BALANCES_LATEST}
    return Picture("first", 2, {}, {}, known, {}, small={topics[k]: v for k, v in found.items()})


def told(one: Picture) -> list[tuple[str, int, What, str]]:
    return [(w.topic, w.partition, w.what, w.words) for w in small.wrongs(one)]


def test_bindings_that_were_cut_or_made_again() -> None:
    known = {ACCOUNTS: KnownTopic(ACCOUNTS, "a")}
    assert told(picture(known, accounts=Small("a", (0, 0)))) == []
    cut = picture(known, accounts=Small("a", (0, 7)))
    words = f"{ACCOUNTS}[1] begins at offset 7: records were deleted from it, and what they said"
    assert told(cut) == [(ACCOUNTS, 1, What.CUT, f"{words} is lost")]
    replaced = picture(known, accounts=Small("b", (0, 0)))
    assert [one[:3] for one in told(replaced)] == [(ACCOUNTS, 0, What.REPLACED)]
    for one, after in ((cut, Small("a", (0, 7))), (replaced, Small("b", (0, 0)))):
        (wrong,) = small.wrongs(one)
        assert set(wrong.ways) == set(CHOICES)
        (know,) = small.acts(one, [wrong])
        # What was made good is known: nothing is wrong with it any more.
        assert told(picture({ACCOUNTS: know.topic}, accounts=after)) == []
        assert know.topic.history == ()
    deeper = picture(
        {ACCOUNTS: KnownTopic(ACCOUNTS, "a", begins=(0, 7))}, accounts=Small("a", (1, 7))
    )
    assert [one[:2] for one in told(deeper)] == [(ACCOUNTS, 0)]


def test_a_topic_that_nobody_knew_says_nothing_and_one_that_went_is_made_first() -> None:
    assert told(picture({}, feeds=Small("a"), latest=Small(None))) == []
    with pytest.raises(NoWay, match="`headroom topics apply` makes it"):
        small.wrongs(picture({FEEDS: KnownTopic(FEEDS, "a")}, feeds=Small(None)))


def test_what_each_way_does_is_said() -> None:
    known = {name: KnownTopic(name, "a") for name in (FEEDS, RETRIES, BALANCES_LATEST)}
    one = picture(known, feeds=Small("b"), retries=Small("b", (0, 0)), latest=Small("b"))
    does = {wrong.topic: wrong.ways["told"] for wrong in small.wrongs(one)}
    assert "tell all of it again" in does[FEEDS]
    assert "raw tells" in does[RETRIES]
    assert "tables tell" in does[BALANCES_LATEST]
    # Nothing of it is a place that the group stands at.
    assert plan.plan(one, small.wrongs(one), "told") == []


def test_a_commit_that_is_none_of_ours_and_wrong_goes_where_the_outcomes_say() -> None:
    place = (RAW, 0)
    one = Picture(
        "first",
        1,
        {RAW: Kind.RAW},
        {RAW: "a"},
        {RAW: KnownTopic(RAW, "a")},
        {place: Span(0, 10, 4)},
        strange={place: Commit(4, left_rows=False, ours=False)},
    )
    assert wrongs(one) == []
    one = msgspec.structs.replace(one, moved={place: "what lies behind it was read"})
    (wrong,) = wrongs(one)
    assert (wrong.what, set(wrong.ways)) == (What.MOVED, {"told"})
    assert "offset 4 of raw.sfox.balances.v1[0], where no worker has put it" in wrong.words
    assert plan.plan(one, [wrong], "told") == [Go(place, None)]
    with pytest.raises(NoWay, match="--from told"):
        plan.plan(one, [wrong], "beginning")
    # A commit outside of what there is says so first.
    gone = msgspec.structs.replace(one, spans={place: Span(5, 10, 4)})
    assert [wrong.what for wrong in wrongs(gone)] == [What.GONE]


# The book.


def test_whoever_was_live_last_has_read_furthest() -> None:
    stands = {"first": {(RAW, 0): 5}, "anew": {(RAW, 0): 9}}
    check_live("anew", stands)
    with pytest.raises(NotLive, match=r"first was not the live one: .* up to 5, and anew up to 9"):
        check_live("first", stands)
    with pytest.raises(NotLive, match="there are: anew, first"):
        check_live("other", stands)
    with pytest.raises(NotLive):
        check_live("anew", stands | {"third": {(RAW, 1): 1}})


def test_no_name_that_was_told_is_used_again() -> None:
    """Whatever the book had said of a raw topic: what comes next is of another incarnation."""
    seen = incarnations_seen(
        [Place(RAW, 0, 3), Place(RAW, 0, 2), Place(RAW, 1, 0), Place(RAW, 0, 4, incarnation=2)]
    )
    assert seen == {RAW: {1: {(RAW, 0): 2, (RAW, 1): 0}, 2: {(RAW, 0): 4}}}
    stands = {(RAW, 0): 7, (RAW, 1): 5}
    found = known_raw(RAW, "a", seen, stands, 2)
    assert (found.incarnation, found.begins) == (3, (7, 5))
    numbers = [number_at(found.history, 0, offset) for offset in range(9)]
    assert numbers == [1, 1, 1, 1, 2, 2, 2, 3, 3]
    # Of the second one nothing was told there: what lies before is of the first.
    assert [number_at(found.history, 1, offset) for offset in (0, 4, 5)] == [1, 1, 3]
    first = known_raw(RAW, "a", {}, {}, 2)
    assert (first.incarnation, first.begins, first.earlier) == (2, (0, 0), ())
