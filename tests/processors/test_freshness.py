"""The state of an account: every row of the table, and an oracle that is written another way."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.freshness import (
    RANK,
    STATES,
    Connections,
    Held,
    Now,
    Told,
    held_of,
    user_freshness,
)
from processors.ledger.users import Confirmed, Unread, UserState
from schemas.documents import Source
from schemas.feeds import Doubt, FeedStatus
from schemas.times import time_ns_of
from tests.processors.connections import (
    DOUBTS,
    LISTENED_SECONDS,
    MANY_STATUSES,
    NOW_SECONDS,
    STALE_AFTER_SECONDS,
    at,
    connections,
    doubt,
    set_ahead,
    status,
)
from tests.processors.ledger.snapshots import last, snapshot
from tests.schemas.strategies import MANY, PROPERTY

OLD = NOW_SECONDS - STALE_AFTER_SECONDS - 1


def held(epoch: int = 1, receipt: int = 5, *, account: str = "a", by: Doubt | None = None) -> Held:
    return Held("sfox", account, epoch, receipt, at(950.0), by)


def said(*statuses: FeedStatus, of: Held | None = None, known: bool = True) -> tuple[str, str]:
    found = connections(*statuses, known=known).freshness(of or held())
    return found.state, found.cause or ""


# -- each row of the table


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([status(1)], ("live", "")),
        ([status(1, vouches_from=5)], ("live", "")),
        ([status(1, vouches_from=6)], ("unconfirmed", "reconnected")),
        ([status(1, vouches_from=6, by=doubt("gap"))], ("unconfirmed", "gap")),
        ([status(1, doubt=doubt("unanswered"))], ("unconfirmed", "unanswered")),
        ([status(1, accounts=["a"])], ("live", "")),
        ([status(1, accounts=["b"])], ("unconfirmed", "untold")),
        ([status(1, accounts=[])], ("unconfirmed", "untold")),
        ([status(1, told=OLD)], ("stale", "not_heard")),
        ([status(1, confirmed=OLD)], ("stale", "not_heard")),
        ([status(1, confirmed=OLD, doubt=doubt("unanswered"))], ("stale", "unanswered")),
        ([status(1, state="disconnected")], ("disconnected", "connection_lost")),
        ([status(1, state="refused")], ("refused", "key_refused")),
        ([status(1, state="refused", told=OLD)], ("refused", "key_refused")),
        ([status(2, vouches_from=1)], ("unconfirmed", "reconnected")),
        ([status(2, state="disconnected")], ("disconnected", "connection_lost")),
        ([status(2, told=OLD)], ("stale", "not_heard")),
        ([status(0)], ("unconfirmed", "superseded")),
        ([status(None)], ("unconfirmed", "reconnected")),
        ([status(None, state="disconnected")], ("disconnected", "connection_lost")),
        ([status(2, accounts=["b"])], ("disconnected", "no_connection")),
        ([status(2, venue="hercle")], ("disconnected", "no_connection")),
        ([status(1, venue="hercle")], ("disconnected", "no_connection")),
        ([], ("disconnected", "no_connection")),
        # Another connection that is up says more than its own that is down.
        (
            [status(1, state="disconnected"), status(2, connection="2")],
            ("unconfirmed", "reconnected"),
        ),
        (
            [status(1, state="refused"), status(2, connection="2", accounts=["b"])],
            ("refused", "key_refused"),
        ),
        # One account's connection says nothing of another's.
        (
            [status(1, accounts=["a"], state="refused"), status(2, connection="2", accounts=["b"])],
            ("refused", "key_refused"),
        ),
    ],
)
def test_every_row(statuses: list[FeedStatus], expected: tuple[str, str]) -> None:
    assert said(*statuses) == expected
    assert said(*reversed(statuses)) == expected


def test_an_accounts_own_doubt_makes_it_unconfirmed_and_nothing_better() -> None:
    own = doubt("unreadable", 970.0)
    assert said(status(1), of=held(by=own)) == ("unconfirmed", "unreadable")
    assert said(status(1, state="refused"), of=held(by=own)) == ("refused", "key_refused")
    found = connections(status(1)).freshness(held(by=own))
    assert (found.reason, found.since) == (own.reason, own.since)


def test_before_the_statuses_were_read_nothing_is_known() -> None:
    found = connections(status(1), known=False).freshness(held())
    assert (found.state, found.cause, found.since) == ("unconfirmed", "unknown", None)


def test_reasons_are_sentences_and_say_when() -> None:
    again = Doubt("reconnected", "connected again at 22:00:25", at(900.0))
    found = connections(status(2, vouches_from=1, by=again)).freshness(held())
    assert found.reason == "connected again at 22:00:25; no frame of this account since"
    assert found.since == at(900.0)
    lost = connections(status(1, state="disconnected", since=900.0)).freshness(held())
    assert (lost.reason, lost.since) == ("not connected since 00:15:00", at(900.0))
    live = connections(status(1)).freshness(held())
    assert (live.cause, live.reason, live.since) == (None, None, None)


# -- how old


@pytest.mark.parametrize(
    ("one", "of", "age_seconds"),
    [
        (status(1, confirmed=999.0), held(), 1.0),
        (status(1, confirmed=None), held(), 50.0),
        # Younger than the connection's last word: the frame itself was that word.
        (status(1, confirmed=900.0), held(), 50.0),
        # Down: the number was right when the connection last confirmed it.
        (status(1, state="disconnected", confirmed=980.0), held(), 20.0),
        # What a connection confirms says nothing of an account that it does not vouch for.
        (status(1, vouches_from=6), held(), 50.0),
        (status(1, accounts=["b"]), held(), 50.0),
        (status(2), held(), 50.0),
        # It was right until the frame that could not be read.
        (status(1), held(by=doubt("unreadable", 970.0)), 30.0),
        (status(1, confirmed=1_010.0), held(), 0.0),
    ],
)
def test_the_age_counts_from_when_the_number_was_last_right(
    one: FeedStatus, of: Held, age_seconds: float
) -> None:
    assert connections(one).freshness(of).age_seconds == age_seconds


# -- clocks

CLOCKS = [-86_400.0, -3_000.0, 0.0, 3_000.0, 86_400.0]


@pytest.mark.parametrize("producer", CLOCKS)
@pytest.mark.parametrize("worker", CLOCKS)
@pytest.mark.parametrize(
    ("one", "expected", "age_seconds"),
    [
        (status(1), ("live", None), 1.0),
        (status(1, told=980.0, confirmed=980.0), ("live", None), 20.0),
        # The frame came behind that word: by how much is known by the producer's clock alone.
        (status(1, told=OLD, confirmed=OLD), ("stale", "not_heard"), NOW_SECONDS - OLD),
        (status(1, confirmed=OLD), ("stale", "not_heard"), 50.0),
        (status(1, told=970.0, confirmed=935.0), ("stale", "not_heard"), 50.0),
        (
            status(1, state="disconnected", confirmed=980.0),
            ("disconnected", "connection_lost"),
            20.0,
        ),
        (status(2), ("unconfirmed", "reconnected"), None),
    ],
)
def test_a_wrong_clock_makes_nothing_fresher_or_older(
    producer: float,
    worker: float,
    one: FeedStatus,
    expected: tuple[str, str | None],
    age_seconds: float | None,
) -> None:
    of = msgspec.structs.replace(held(), received_time=at(950.0 + producer))
    found = connections(
        set_ahead(one, producer), ahead_seconds=producer, worker_ahead_seconds=worker
    ).freshness(of)
    assert (found.state, found.cause) == expected
    if age_seconds is not None:
        assert found.age_seconds == age_seconds
    # Without a connection of its epoch two clocks are compared, and that is all there is.
    assert found.age_seconds >= 0.0


def test_two_clocks_that_disagree_claim_nothing() -> None:
    """Nobody knows how old the number is: as old as what this worker knows."""
    later = msgspec.structs.replace(held(), received_time=at(NOW_SECONDS + 50))
    assert connections().freshness(later).age_seconds == LISTENED_SECONDS
    assert connections().freshness(held()).age_seconds == 50.0


def test_a_clock_that_was_set_between_a_frame_and_a_status_makes_nothing_fresher() -> None:
    back = set_ahead(status(1, vouches_from=6), -500.0)
    assert connections(back, ahead_seconds=-500.0).freshness(held()).age_seconds == 50.0
    live = set_ahead(status(1, confirmed=990.0), -500.0)
    found = connections(live, ahead_seconds=-500.0).freshness(held())
    assert (found.state, found.age_seconds) == ("live", 10.0)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (status(1), ("unconfirmed", "unknown")),
        (status(2), ("unconfirmed", "unknown")),
        (status(1, doubt=doubt("unanswered")), ("unconfirmed", "unknown")),
        (status(1, told=OLD), ("stale", "not_heard")),
        (status(1, state="disconnected"), ("disconnected", "connection_lost")),
        (status(1, state="refused"), ("refused", "key_refused")),
    ],
)
def test_what_was_there_before_anybody_listened_vouches_for_nothing(
    one: FeedStatus, expected: tuple[str, str]
) -> None:
    found = connections(one, is_news=False)
    fresh = found.freshness(held())
    assert (fresh.state, fresh.cause) == expected
    assert fresh.age_seconds >= 1.0
    assert found.settled == (expected[1] != "unknown")


def test_of_an_old_word_nobody_knows_when_it_was_told() -> None:
    """Read a moment ago, and told a day ago: the frame's own time says more."""
    yesterday = status(1, told=-85_400.0, confirmed=-85_400.0, since=-86_000.0)
    of = msgspec.structs.replace(held(), received_time=at(-85_450.0))
    found = Connections(
        [Told(yesterday, NOW_SECONDS, is_news=False)],
        Now(
            at=NOW_SECONDS,
            time_ns=round(NOW_SECONDS * 10**9),
            listened_seconds=0.0,
            stale_after_seconds=STALE_AFTER_SECONDS,
        ),
    ).freshness(of)
    assert (found.state, found.cause) == ("unconfirmed", "unknown")
    assert found.age_seconds == 86_400.0


# -- a user


def test_a_user_is_as_fresh_as_the_worst_account() -> None:
    snapshots = [
        snapshot(1, 1, 5, user="u"),
        snapshot(1, 1, 1, user="u", account="b"),
        snapshot(1, 1, 7, user="u", venue="hercle"),
        snapshot(1, 2, 8, user="u", account="gone", deleted=True),
    ]
    state = last(snapshots).state
    up, down = status(1, vouches_from=3), status(1, venue="hercle", state="disconnected")
    found = user_freshness(state, connections(up, down))
    states = {(one.venue, one.account): one.state for one in found.accounts}
    assert states == {
        ("hercle", "a"): "disconnected",
        ("sfox", "a"): "live",
        ("sfox", "b"): "unconfirmed",
    }
    assert (found.state, found.stale, found.cause) == ("disconnected", True, "connection_lost")
    assert found.reason == "not connected since 00:15:00"
    newest = snapshots[2]
    assert found.source == msgspec.to_builtins(newest.source)
    assert found.source_time == newest.received_time
    assert found.age_seconds == max(one.age_seconds for one in found.accounts)
    all_live = user_freshness(state, connections(status(1), status(1, venue="hercle")))
    assert (all_live.state, all_live.stale, all_live.since) == ("live", False, None)


def test_a_snapshot_that_came_again_confirms_and_a_frame_that_could_not_be_read_does_not() -> None:
    one = snapshot(1, 1, 5, user="u")
    unread = Unread("sfox", "a", "u", 1, 9, at(980.0), "unreadable frame", Source("t", 0, 9))
    state = UserState(
        "u", 1, {"sfox:a": one}, [], [], confirmed={"sfox:a": Confirmed(1, 7, at(960.0))}
    )
    assert held_of(state) == [Held("sfox", "a", 1, 7, at(960.0))]
    doubted = msgspec.structs.replace(state, unread={"sfox:a": unread})
    (found,) = held_of(doubted)
    assert found.doubt == Doubt("unreadable", "unreadable frame", at(980.0))


# -- whatever the statuses say

HELD = st.builds(
    held,
    st.integers(0, 3),
    st.integers(0, 8),
    by=st.none() | st.just(doubt("unreadable")),
)


def oracle(statuses: list[FeedStatus], one: Held) -> str:
    """The plan's words, one after the other: which states are said, and the best of them."""
    speaking = []
    for each in statuses:
        if each.venue != one.venue:
            continue
        mine = each.epoch == one.epoch
        if not mine and each.accounts is not None and one.account not in each.accounts:
            continue
        silent_since = each.last_confirmed or each.since
        assert silent_since is not None
        ages = [NOW_SECONDS - time_ns_of(t) / 10**9 for t in (each.time, silent_since)]
        if each.state != "connected":
            speaking.append((each.state, mine))
        elif max(ages) > STALE_AFTER_SECONDS:
            speaking.append(("stale", mine))
        else:
            vouches = (
                mine
                and each.doubt is None
                and (each.accounts is None or one.account in each.accounts)
                and (each.confirmed_from is None or one.receipt >= each.confirmed_from.receipt)
                and one.doubt is None
            )
            speaking.append(("live" if vouches else "unconfirmed", mine))
    own = [state for state, mine in speaking if mine]
    if own and own[0] in ("live", "unconfirmed"):
        return own[0]
    order = ["live", "unconfirmed", "stale", "disconnected", "refused"]
    return min((state for state, _ in speaking), key=order.index, default="disconnected")


@given(MANY_STATUSES, HELD)
@MANY
def test_the_state_is_the_oracles(statuses: list[FeedStatus], one: Held) -> None:
    assert connections(*statuses).freshness(one).state == oracle(statuses, one)


@given(MANY_STATUSES, HELD)
@MANY
def test_only_a_connected_status_of_the_same_epoch_makes_an_account_live(
    statuses: list[FeedStatus], one: Held
) -> None:
    found = connections(*statuses).freshness(one)
    assert (found.state == "live") == (found.cause is None) == (found.reason is None)
    assert found.age_seconds >= 0
    if found.state == "live":
        assert one.doubt is None
        assert any(
            (each.venue, each.epoch, each.state) == (one.venue, one.epoch, "connected")
            for each in statuses
        )


@given(MANY_STATUSES, HELD, st.data())
@PROPERTY
def test_what_is_worse_never_makes_an_account_live(
    statuses: list[FeedStatus], one: Held, data: st.DataObject
) -> None:
    """A doubt, a later beginning, a connection that is lost, older words, a later unread frame."""
    before = connections(*statuses).freshness(one)
    worse = [
        data.draw(
            st.sampled_from(
                [
                    each,
                    msgspec.structs.replace(each, state="disconnected"),
                    msgspec.structs.replace(each, doubt=doubt("gap")),
                    msgspec.structs.replace(each, accounts=[]),
                    msgspec.structs.replace(each, last_confirmed=at(OLD)),
                ]
            )
        )
        for each in statuses
    ]
    doubted = msgspec.structs.replace(one, doubt=one.doubt or data.draw(DOUBTS))
    after = connections(*worse).freshness(doubted)
    if before.state != "live":
        assert after.state != "live"
    if after.state == "live":
        assert before.state == "live"


@given(MANY_STATUSES, HELD)
@PROPERTY
def test_the_order_of_the_statuses_does_not_matter(statuses: list[FeedStatus], one: Held) -> None:
    forth, back = connections(*statuses), connections(*reversed(statuses))
    assert forth.freshness(one).state == back.freshness(one).state


def test_the_worst_comes_first() -> None:
    assert STATES == ("refused", "disconnected", "stale", "unconfirmed", "live")
    assert [RANK[state] for state in STATES] == [0, 1, 2, 3, 4]
