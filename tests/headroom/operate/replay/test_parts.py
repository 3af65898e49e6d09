"""The parts of a replay that need no Kafka: what is carried, what differs, how fast it is."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from rich.console import Console

from headroom.base import known_topics
from headroom.base.clients import Place
from headroom.base.reading import Outside
from headroom.operate.generations.book import Book, Unknown, entry, no_entry
from headroom.operate.generations.kind import (
    FIRST,
    BadName,
    Live,
    app_name,
    check_name,
    names_of,
    topics_of,
)
from headroom.operate.replay import promote, show
from headroom.operate.replay.alone import Stopped
from headroom.operate.replay.asked import Asked
from headroom.operate.replay.begin import LiveBehind, OtherRaw, caught_up, known, same_raw
from headroom.operate.replay.carry import carried_state, reader, records_of
from headroom.operate.replay.compare import Compared, Comparison, Difference
from headroom.operate.replay.rebuild import Pace, _Run, job_of
from processors.ledger.users import Confirmed, UserState
from schemas.codec import decode
from schemas.documents import BalanceSnapshot, Source, UserBalances
from schemas.feeds import UnconfirmedAccount
from schemas.incarnations import Incarnation
from tests.headroom.operate.replay.made import RAW, generation
from tests.processors.ledger.doubted import unread
from tests.processors.ledger.snapshots import snapshot


def of(account: str, offset: int, venue: str = "sfox") -> BalanceSnapshot:
    return snapshot(1, 1, offset, account=account, venue=venue, assets={"BTC": "1"}, offset=offset)


def of_topic(topic: str, offset: int) -> BalanceSnapshot:
    one = of("a", offset)
    return msgspec.structs.replace(one, source=Source(topic, 0, offset))


def test_what_a_generation_tells_and_what_lies_behind_it_goes_by_the_incarnation() -> None:
    """It begins at 12: what lies before is of the first, and was read too."""
    one = generation(incarnations={RAW: (Incarnation(2, (12,)),)})
    second = f"{RAW}~2"
    assert [one.tells(RAW, 0, offset) for offset in (9, 10, 11, 12)] == [False, True, True, False]
    assert [one.tells(second, 0, offset) for offset in (11, 12, 20)] == [False, True, False]
    assert not one.is_behind(RAW, 0, 25)
    assert one.is_behind(second, 0, 25)
    assert one.is_behind(f"{RAW}~3", 0, 15)


def test_a_generation_of_topics_that_were_made_again_since_is_not_gone_on_with() -> None:
    book, one = Book(), generation()
    book.take(*entry(one))
    same_raw(book, one)
    book.take(*known_topics.entry(known_topics.KnownTopic(RAW, "a").replaced("b", 1)))
    with pytest.raises(OtherRaw, match="drop it"):
        known(book, "g", Asked())
    with pytest.raises(OtherRaw, match="generation g: raw topics"):
        promote._promotable(book, "g")


@pytest.mark.parametrize(
    ("one", "accounts", "read"),
    [
        (of_topic(RAW, 15), None, False),  # of the topic of before
        (of_topic(f"{RAW}~2", 9), None, False),
        (of_topic(f"{RAW}~2", 15), None, True),
        (of_topic(f"{RAW}~3", 2), None, True),  # of one that came later
    ],
)
def test_an_account_is_carried_if_its_newest_frame_is_of_a_topic_that_is_gone(
    one: BalanceSnapshot, accounts: list[str] | None, *, read: bool
) -> None:
    again = generation(accounts={"sfox": accounts}, incarnations={RAW: (Incarnation(2, (0,)),)})
    assert reader(again)(one) == read


@pytest.mark.parametrize(
    ("one", "accounts", "read"),
    [
        (of("a", 9), None, False),
        (of("a", 10), None, True),
        (of("a", 25), None, True),  # later than its end: it goes on to there
        (of("a", 15), ["a"], True),
        (of("b", 15), ["a"], False),
        (of("a", 9), ["a"], False),
    ],
)
def test_an_account_is_carried_if_its_newest_frame_is_not_read(
    one: BalanceSnapshot, accounts: list[str] | None, *, read: bool
) -> None:
    assert reader(generation(accounts={"sfox": accounts}))(one) == read


def test_the_accounts_of_a_venue_that_is_not_read_are_carried() -> None:
    assert not reader(generation(accounts={"sfox": None}))(of("a", 3, "hercle"))


def test_a_carried_row_has_the_carried_accounts_alone_and_what_follows_from_it() -> None:
    accounts = {"hercle:b": of("b", 1, "hercle"), "sfox:a": of("a", 9), "sfox:c": of("c", 12)}
    state = UserState("u", 7, accounts, ["BTC", "ETH"], ["EUR"])
    reads = reader(generation(accounts={"sfox": None}))
    carried = carried_state(state, reads)
    assert carried is not None
    assert list(carried.accounts) == ["hercle:b", "sfox:a"]
    assert (carried.version, carried.assets, carried.bases) == (7, ["BTC", "ETH"], ["EUR"])
    assert carried_state(carried, lambda _: True) is None
    told = {
        topic: (partition, key, value)
        for topic, partition, key, value, _ in records_of(carried, "g", 4)
    }
    own = "headroom-generation.g."
    assert set(told) == {
        "headroom-generation.g-users-changelog",
        f"{own}balances.latest.v1",
        f"{own}exposure.user.v1",
        f"{own}headroom-contributions.v1",
    }
    assert told["headroom-generation.g-users-changelog"][0] == 4
    latest = told[f"{own}balances.latest.v1"]
    assert latest[:2] == (None, b"u")
    assert [one.account for one in decode(latest[2] or b"", UserBalances).accounts] == ["b", "a"]


def test_a_doubt_is_carried_with_its_account_unless_its_frame_is_read() -> None:
    accounts = {"sfox:a": of("a", 9), "sfox:b": of("b", 8), "sfox:c": of("c", 12)}
    sources = {"a": 9, "b": 11, "c": 13}
    doubts = {
        f"sfox:{name}": msgspec.structs.replace(
            unread(20, account=name, user="u"), source=Source(RAW, 0, offset)
        )
        for name, offset in sources.items()
    }
    again = {name: Confirmed(1, 15, one.received_time) for name, one in accounts.items()}
    state = UserState("u", 7, accounts, ["BTC"], [], unread=doubts, confirmed=again)
    carried = carried_state(state, reader(generation(accounts={"sfox": None})))
    assert carried is not None
    assert list(carried.accounts) == list(carried.confirmed) == ["sfox:a", "sfox:b"]
    assert carried.unread == {"sfox:a": doubts["sfox:a"]}
    (told,) = [out for out in records_of(carried, "g", 4) if out[0].endswith("unconfirmed.v1")]
    topic, partition, key, value, _ = told
    assert (topic, partition, key) == (*("headroom-generation.g.unconfirmed.v1", None, b"sfox:a"),)
    assert decode(value or b"", UnconfirmedAccount).user == "u"


def test_a_generation_tells_of_its_frames_and_knows_what_lies_behind() -> None:
    one = generation()
    assert [one.tells(RAW, 0, offset) for offset in (9, 10, 19, 20)] == [False, True, True, False]
    assert [one.is_behind(RAW, 0, offset) for offset in (9, 19, 20)] == [False, False, True]
    assert not one.tells(RAW, 1, 10)
    assert not one.tells("raw.third.balances.v1", 0, 10)
    assert one.is_behind("raw.third.balances.v1", 0, 10)
    demoted = generation(told_from={RAW: [15]})
    assert [demoted.tells(RAW, 0, offset) for offset in (14, 15)] == [False, True]
    assert not one.is_whole
    whole = generation(starts={RAW: [0, 0]})
    assert whole.is_whole
    assert not generation(starts={RAW: [0]}, accounts={"sfox": None}).is_whole


def test_names_keep_generations_apart() -> None:
    assert app_name(FIRST) == "headroom"
    assert app_name("g") == "headroom-generation.g"
    live, beside = names_of("g", live=True), names_of("g", live=False)
    assert live.output("balances.v1") == "balances.v1"
    assert beside.output("balances.v1") == "headroom-generation.g.balances.v1"
    assert live.contributions == beside.contributions != names_of(FIRST, live=True).contributions
    assert live.source("raw") == beside.source("raw") == "raw"
    assert not set(topics_of("a")) & set(topics_of("a-b"))
    assert not any(
        name in topics_of(FIRST) for name in ("balances.v1", "headroom-contributions.v1")
    )
    for bad in ("", "A", "a.b", "a_b", "-a", "a" * 41, "a b", "ä"):
        with pytest.raises(BadName):
            check_name(bad)


def test_the_book_says_what_was_written_last() -> None:
    book, one = Book(), generation()
    assert book.live == Live(FIRST)
    for said in (one, generation(carried=3), Live("g", promoting="h")):
        book.take(*entry(said))
    assert book.find("g").carried == 3
    assert book.live == Live("g", promoting="h")
    book.take(*no_entry("g"))
    with pytest.raises(Unknown, match="there is no generation 'g'; there are: g"):
        book.find("g")
    book.take(b"what a later version says", b"{}")


def test_what_is_asked_for_is_made_of_accounts() -> None:
    assert Asked().accounts() == {"sfox": None, "hercle": None}
    assert Asked(venue="sfox").accounts() == {"sfox": None}
    assert Asked(user="hercle:a:b").accounts() == {"hercle": ["a:b"]}
    for asked in (Asked(user="x"), Asked(user="third:a"), Asked(venue="sfox", user="hercle:a")):
        with pytest.raises(Outside):
            asked.accounts()


def test_a_rate_is_that_of_the_last_ten_seconds() -> None:
    rate = show.Rate()
    assert rate.take(Pace(0, 100, 0.0)) == 0.0
    assert rate.take(Pace(50, 100, 5.0)) == 10.0
    assert rate.take(Pace(50, 100, 10.0)) == 5.0
    assert rate.take(Pace(90, 100, 20.0)) == 4.0


def test_who_does_the_folding_alone_knows_no_rate() -> None:
    assert Pace(9, 9, 4.0).rate_since(Pace(9, 9, 1.0)) == 0.0
    assert Pace(9, 9, 4.0).rate_since(Pace(0, 9, 4.0)) == 0.0


class _Folding(_Run):
    """A run whose frames are done at once, and what follows from them a good while later."""

    def __init__(self) -> None:
        self._job = job_of(generation())
        self.folded = False

    async def _serving(self, stop: asyncio.Event) -> None:
        """It serves."""

    async def _paces(self, stop: asyncio.Event) -> AsyncIterator[Pace]:
        yield Pace(self._job.total, self._job.total, 0.0)

    async def _folded(self, stop: asyncio.Event) -> bool:
        self.folded = not stop.is_set()
        return self.folded


def test_the_last_pace_is_told_once_all_is_folded() -> None:
    run, told = _Folding(), list[tuple[int, bool]]()
    stop = asyncio.Event()
    assert asyncio.run(run._watched(lambda pace: told.append((pace.done, run.folded)), stop))
    assert told == [(15, False), (15, True)]


def test_where_two_documents_differ() -> None:
    here = {"a": [1, {"b": "x"}], "c": 1, "d": [1]}
    there = {"a": [1, {"b": "y"}], "c": 1, "d": [1, 2], "e": None, "f": 0}
    assert list(show.unlike(here, there)) == [
        ("a[1].b", "x", "y"),
        ("d", [1], [1, 2]),
        ("f", None, 0),
    ]


def test_a_comparison_is_shown_whole_and_without_what_moves_a_terminal() -> None:
    comparison = Comparison(
        [Compared("balances.latest.v1", 5, 1, 0, 24, 2)], versions_compared=False
    )
    comparison.differences.append(Difference("balances.latest.v1", "\x1b[2Ju", {"a": 1}, {"a": 2}))
    comparison.differences.append(Difference("balances.latest.v1", "v", None, {"a": 2}))
    comparison.differences.append(Difference("balances.latest.v1", "w", {"a": 2}, None))
    out = io.StringIO()
    console = Console(file=out, width=80)
    for each in show.tables(generation(carried=9), FIRST, comparison):
        console.print(each, markup=False, highlight=False)
    text = out.getvalue()
    assert "balances.latest.v1" in text
    assert "a: 1 here, 2 there" in text
    assert "v: only there" in text
    assert "w: only here" in text
    assert "and 22 more" in text
    assert "9 accounts were carried over from first" in text
    assert "versions were not compared" in text
    assert "\x1b" not in text


class _Behind:
    """Live tables that are behind in raw for some looks, and then in the snapshots for some."""

    def __init__(self, raw_looks: int, snapshot_looks: int) -> None:
        self.looks = {"raw": raw_looks, "balances.v1": snapshot_looks}

    def ends(self, topics: list[str], partitions: int) -> dict[Place, int]:
        return {(topic, number): 7 for topic in topics for number in range(partitions)}

    def committed(self, group: str, topics: Sequence[str], partitions: int) -> dict[Place, int]:
        assert group == "headroom"
        kind = "balances.v1" if "balances.v1" in topics else "raw"
        self.looks[kind] -= 1
        if self.looks[kind] >= 0:
            return {}
        return {(topic, number): 20 for topic in topics for number in range(partitions)}

    def wait(self, accounts: dict[str, list[str] | None], seconds_max: float = 30.0) -> None:
        clients: Any = self
        one = generation(origin=FIRST, accounts=accounts)
        asyncio.run(caught_up(clients, one, partitions=1, seconds_max=seconds_max))


def test_who_reads_a_part_waits_for_the_live_tables_which_have_the_rest() -> None:
    behind = _Behind(2, 1)
    behind.wait({"sfox": None})
    assert behind.looks == {"raw": -1, "balances.v1": -1}
    for looks in ((1, 0), (0, 1)):
        with pytest.raises(LiveBehind, match="records behind"):
            _Behind(*looks).wait({"sfox": None}, seconds_max=-1.0)
    # Who reads everything needs nobody.
    _Behind(9, 9).wait({"sfox": None, "hercle": None}, seconds_max=-1.0)


def test_a_promotion_is_over_where_its_work_was_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcomes = [True, False]

    async def rebuild(*_: object) -> bool:
        return outcomes.pop(0)

    monkeypatch.setattr(promote, "rebuild", rebuild)
    settings: Any = SimpleNamespace(partitions=1)
    nobody: Any = None
    one = promote._Promotion(settings, nobody, Book(), generation(), asyncio.Event())
    asyncio.run(one._work(job_of(generation()), "finish", tmp_path, "me"))
    with pytest.raises(Stopped):
        asyncio.run(one._work(job_of(generation()), "finish", tmp_path, "me"))
