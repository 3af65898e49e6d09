"""From a picture of commits, offsets and identities to what is wrong and what is done: pure."""

import msgspec
import pytest

from headroom.base.known_topics import KnownTopic
from headroom.operate.resume.picture import Kind, Picture, Span
from headroom.operate.resume.plan import (
    CHOICES,
    Doubt,
    Go,
    Know,
    NoWay,
    Retell,
    What,
    plan,
    untouched,
    wrongs,
)
from headroom.operate.resume.show import as_json, report

RAW, BALANCES, SHARES, ORDERS, ROWS = "raw.sfox.balances.v1", "balances.v1", "shares", "orders", "t"
KINDS = {
    RAW: Kind.RAW,
    BALANCES: Kind.BALANCES,
    SHARES: Kind.CONTRIBUTIONS,
    ORDERS: Kind.ORDERS,
    ROWS: Kind.TABLE,
}
READ = Span(0, 10, 10)


def picture(**changed: object) -> Picture:
    """Two partitions of each topic, read to their ends; nothing is wrong."""
    spans = {(topic, number): READ for topic in KINDS for number in (0, 1)}
    return Picture(
        live="first",
        partitions=2,
        kinds=KINDS,
        found=dict.fromkeys(KINDS, "a") | changed.pop("found", {}),  # type: ignore[operator,arg-type]
        known={name: KnownTopic(name, "a") for name in KINDS} | changed.pop("known", {}),  # type: ignore[operator]
        spans=spans | changed.pop("spans", {}),  # type: ignore[operator]
    )


def at(topic: str, begin: int, end: int, commit: int | None) -> Picture:
    """The same, with the first partition of a topic otherwise."""
    return picture(spans={(topic, 0): Span(begin, end, commit)})


def whats(one: Picture) -> list[tuple[str, int, What]]:
    return [(wrong.topic, wrong.partition, wrong.what) for wrong in wrongs(one)]


def acts(one: Picture, choice: str, *topics: str) -> list[object]:
    return list(plan(one, wrongs(one), choice, topics))  # type: ignore[arg-type]


def test_nothing_is_wrong_with_what_is_read_and_where_nothing_ever_was() -> None:
    assert wrongs(picture()) == []
    for choice in CHOICES:
        assert acts(picture(), choice) == []
    # One that is behind, and one that expired when all of it had been read.
    assert wrongs(at(RAW, 3, 10, 5)) == []
    assert wrongs(at(RAW, 10, 10, 10)) == []
    fresh = {(topic, number): Span(0, 0) for topic in KINDS for number in (0, 1)}
    assert wrongs(picture(spans=fresh, known={})) == []
    waiting = picture(spans=fresh | {(RAW, 0): Span(0, 7)})
    assert wrongs(waiting) == []
    assert untouched(waiting) == []


def test_a_partition_in_which_nothing_ever_lay_is_stood_at_without_a_word() -> None:
    one = at(RAW, 0, 0, None)
    assert wrongs(one) == []
    assert untouched(one) == [Go((RAW, 0), 0)]


def test_raw_records_that_are_gone() -> None:
    one = at(RAW, 7, 10, 5)
    (wrong,) = wrongs(one)
    assert (wrong.what, set(wrong.ways)) == (What.GONE, {"beginning", "told"})
    assert "2 offsets were deleted before they were read" in wrong.words
    words = f"frames were deleted before they were read: {RAW}[0] from 5 to 7"
    for choice in ("beginning", "told"):
        assert acts(one, choice) == [Go((RAW, 0), 7), Doubt((RAW, 0), RAW, words, 5)]
    with pytest.raises(NoWay, match=r"deleted before they were read: --from beginning or --from"):
        acts(one, "end")


def test_a_raw_topic_that_lost_its_end_begins_another_incarnation_there() -> None:
    """Elsewhere it begins at the end: what lies before keeps its names, read or not."""
    one = picture(spans={(RAW, 0): Span(0, 8, 10), (RAW, 1): Span(0, 30, 20)})
    assert whats(one) == [(RAW, 0, What.SHORTENED)]
    go, doubt, know = acts(one, "end")
    # Frames may have come since: the outcomes tell.
    assert go == Go((RAW, 0))
    assert isinstance(doubt, Doubt)
    assert (doubt.place, doubt.start, doubt.by_user) == ((RAW, 0), 8, False)
    assert know == Know(KnownTopic(RAW, "a").shortened((8, 30)))
    with pytest.raises(NoWay, match="--from end or --from told"):
        acts(one, "beginning")


def test_a_raw_topic_that_nobody_knew_and_lost_its_end_is_known_from_then_on() -> None:
    one = at(RAW, 0, 8, 10)
    known = {name: topic for name, topic in one.known.items() if name != RAW}
    one = msgspec.structs.replace(one, known=known)
    assert acts(one, "end")[-1] == Know(KnownTopic(RAW, "a").shortened((8, 10)))


def test_a_raw_topic_that_was_made_again_begins_another_incarnation() -> None:
    """Whether the group forgot it, or stands somewhere that means nothing now."""
    spans = {(RAW, 0): Span(0, 4), (RAW, 1): READ}
    one = picture(found={RAW: "b"}, spans=spans)
    assert whats(one) == [(RAW, 0, What.REPLACED), (RAW, 1, What.REPLACED)]
    done = acts(one, "beginning")
    assert [act for act in done if isinstance(act, Go)] == [Go((RAW, 0), 0), Go((RAW, 1), 0)]
    doubts = [act for act in done if isinstance(act, Doubt)]
    assert [(one.place, one.by_user) for one in doubts] == [((RAW, 0), False), ((RAW, 1), False)]
    assert done[-1] == Know(KnownTopic(RAW, "b", 2, (0, 0)))
    assert acts(one, "told") == done
    with pytest.raises(NoWay, match="another topic now"):
        acts(one, "end")


def test_commits_that_are_missing_go_by_what_was_told() -> None:
    spans = {(t, n): Span(2, 10) for t, kind in KINDS.items() for n in (0, 1) if kind != "table"}
    one = picture(spans=spans)
    assert {what for *_, what in whats(one)} == {What.MISSING}
    assert set(acts(one, "told")) == {
        *(Go((topic, number)) for topic in (RAW, BALANCES, ORDERS) for number in (0, 1)),
        *(Go((SHARES, number), 10) for number in (0, 1)),
        *(Retell(number) for number in (0, 1)),
    }
    for choice in ("beginning", "end"):
        with pytest.raises(NoWay, match="--from told goes on"):
            acts(one, choice)
        assert acts(one, choice, ORDERS) == [Go((ORDERS, number)) for number in (0, 1)]


def test_a_commit_is_missed_where_the_tables_have_rows_and_nowhere_else() -> None:
    rows = {(ROWS, 0): Span(0, 5), (ROWS, 1): Span(0, 0)}
    some = picture(spans=rows | {(RAW, 0): Span(0, 9), (RAW, 1): Span(0, 9)})
    assert whats(some) == [(RAW, 0, What.MISSING)]
    sources = [topic for topic, kind in KINDS.items() if kind is not Kind.TABLE]
    none = picture(
        spans=rows | {(topic, number): Span(0, 9) for topic in sources for number in (0, 1)}
    )
    assert len(whats(none)) == 8


@pytest.mark.parametrize(
    ("begin", "end", "commit", "found", "stand", "doubts"),
    [
        (7, 10, 5, "a", 7, 1),
        (0, 8, 10, "a", 8, 0),
        (0, 4, None, "b", 0, 2),
    ],
)
def test_balances_are_read_from_where_they_are_and_lost_ones_leave_their_users_in_doubt(
    begin: int, end: int, commit: int | None, found: str, stand: int, doubts: int
) -> None:
    one = picture(found={BALANCES: found}, spans={(BALANCES, 0): Span(begin, end, commit)})
    done = acts(one, "told")
    assert done[0] == Go((BALANCES, 0), stand)
    cast = [act for act in done if isinstance(act, Doubt)]
    assert [act.by_user for act in cast] == [True] * doubts
    known = [act.topic for act in done if isinstance(act, Know)]
    # Nothing is named by it: it is the same incarnation.
    assert known == ([KnownTopic(BALANCES, "b")] if found == "b" else [])


@pytest.mark.parametrize(
    ("begin", "end", "commit", "found"),
    [(7, 10, 5, "a"), (0, 8, 10, "a"), (0, 4, None, "a"), (0, 4, 3, "b")],
)
def test_whatever_became_of_shares_they_are_told_again_behind_all_that_lies_there(
    begin: int, end: int, commit: int | None, found: str
) -> None:
    one = picture(found={SHARES: found}, spans={(SHARES, 0): Span(begin, end, commit)})
    for choice in CHOICES:
        done = acts(one, choice)
        assert Go((SHARES, 0), end) in done
        assert Retell(0) in done
        assert (Retell(1) in done) == (found == "b")


def test_orders_that_are_lost_and_tables_that_are_not_whole_are_for_a_replay() -> None:
    for one in (
        at(ORDERS, 7, 10, 5),
        picture(found={ORDERS: "b"}),
        at(ROWS, 3, 10, None),
        picture(found={ROWS: "b"}),
        picture(found={ROWS: None}),
    ):
        found = wrongs(one)
        assert found
        assert all(wrong.ways == {} for wrong in found)
        with pytest.raises(NoWay, match="`headroom replay` makes the tables anew"):
            acts(one, "told")
        assert "headroom replay" in report(one, found, [])


def test_a_topic_that_is_not_there_has_to_be_made_first() -> None:
    with pytest.raises(NoWay, match=f"{RAW} is not there: `headroom topics apply` makes it"):
        wrongs(picture(found={RAW: None}))


def test_one_goes_on_with_the_topics_that_are_named() -> None:
    one = picture(spans={(RAW, 0): Span(7, 10, 5), (ORDERS, 0): Span(0, 8, 10)})
    assert acts(one, "end", ORDERS) == [Go((ORDERS, 0), 8)]
    with pytest.raises(NoWay, match="no topic that the workers read"):
        acts(one, "end", "nonsense")


def test_the_report_names_every_partition_and_what_each_choice_does() -> None:
    one = picture(spans={(RAW, 0): Span(7, 10, 5)}, found={SHARES: "b"})
    told = report(one, wrongs(one), ["w1"])
    assert "its workers are running: w1" in told
    assert "!    0  from 7 to 10, read up to 5" in told
    assert "     1  from 0 to 10, read up to 10" in told
    assert f"{SHARES}: b, known as a" in told
    assert told.count("--from beginning") == 2
    assert "3 partitions are not what they were" in told
    found = msgspec.json.decode(as_json(one, wrongs(one), []))
    assert found["topics"][0]["partitions"][0] == {"begin": 7, "end": 10, "commit": 5}
    assert [wrong["what"] for wrong in found["wrong"]] == [
        "records_gone",
        "topic_replaced",
        "topic_replaced",
    ]
    assert "nothing is wrong" in report(picture(), [], [])
