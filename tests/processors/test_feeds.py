"""What a worker remembers of the topic of statuses, and for how long it believes it."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from processors.http.feeds import ACCOUNTS_TOLD_MAX, TOGETHER_SECONDS, Feeds
from schemas.codec import encode
from schemas.feeds import FeedStatus
from tests.processors.connections import NOW_SECONDS, STALE_AFTER_SECONDS, status
from tests.processors.ledger.snapshots import last, snapshot

STATE = last([snapshot(1, 1, 5)]).state


class Topic:
    """What a follower is that has read all there was."""

    known = True

    async def until(self, condition: Any = None) -> None:
        return None


@contextlib.asynccontextmanager
async def follow(*_: object, **__: object) -> AsyncIterator[Topic]:
    yield Topic()


class Heard(Feeds):
    """Feeds that are told what the topic has; `seconds` is monotonic, `clock_seconds` the clock."""

    def __init__(self) -> None:
        self.seconds = 7.0
        self.clock_seconds = NOW_SECONDS
        super().__init__(
            follow,
            topic="feeds",
            stale_after_seconds=STALE_AFTER_SECONDS,
            clock_ns=lambda: round(self.clock_seconds * 10**9),
            monotonic=lambda: self.seconds,
        )
        self._following = self.topic = Topic()

    def tell(self, *statuses: FeedStatus, was_there: bool = False) -> None:
        for one in statuses:
            since = None if was_there else self.seconds
            self.take(f"{one.venue}/{one.connection}".encode(), encode(one), since)

    @property
    def state(self) -> str:
        return self.freshness(STATE).state

    @property
    def cause(self) -> str | None:
        return self.freshness(STATE).cause

    @property
    def instances(self) -> list[str]:
        return [one["instance"] for one in self.all()]


def test_until_all_was_read_nothing_is_known() -> None:
    feeds = Heard()
    feeds.topic.known = False
    feeds.tell(status(1))
    assert feeds.cause == "unknown"
    feeds.topic.known = True
    feeds.seconds += 0.1
    assert feeds.state == "live"


async def test_before_it_is_followed_and_after_it_nothing_is_known() -> None:
    feeds = Heard()
    feeds._following = None
    assert not feeds.now().known
    async with feeds.followed():
        feeds.seconds += 0.1
        assert feeds.now().known


def test_a_tombstone_takes_a_connection_away_and_no_other() -> None:
    feeds = Heard()
    feeds.tell(status(1), status(1, instance="two"), status(2, connection="2", accounts=["b"]))
    feeds.take(b"sfox/", None, 7.0)
    assert [one["connection"] for one in feeds.all()] == ["2"]
    assert feeds.cause == "no_connection"
    feeds.take(b"sfox/never", None, 7.0)


def test_what_is_not_told_any_more_grows_stale_by_itself_whatever_the_clock_says() -> None:
    for clock in (-86_400.0, 0.0, 3_600.0):
        feeds = Heard()
        feeds.tell(status(1, confirmed=NOW_SECONDS))
        assert feeds.state == "live"
        feeds.seconds += STALE_AFTER_SECONDS
        feeds.clock_seconds += clock
        assert (feeds.state, feeds.freshness(STATE).age_seconds) == ("live", STALE_AFTER_SECONDS)
        feeds.seconds += 0.1
        assert feeds.state == "stale"


def test_a_producer_whose_clock_is_ahead_does_not_live_on_by_that() -> None:
    feeds, hour = Heard(), NOW_SECONDS + 3_600
    feeds.tell(status(1, told=hour, confirmed=hour))
    assert feeds.state == "live"
    feeds.seconds += STALE_AFTER_SECONDS + 0.1
    assert feeds.state == "stale"


def test_a_producer_whose_clock_was_set_back_is_heard_on() -> None:
    feeds = Heard()
    feeds.tell(status(1, told=5_000.0, confirmed=5_000.0))
    feeds.seconds += STALE_AFTER_SECONDS
    feeds.tell(status(1, told=10.0, confirmed=10.0, since=5.0))
    feeds.seconds += STALE_AFTER_SECONDS
    assert feeds.state == "live"


def test_what_was_there_at_first_vouches_for_nothing_until_it_is_told_again() -> None:
    feeds = Heard()
    feeds.tell(status(1), was_there=True)
    assert (feeds.state, feeds.cause) == ("unconfirmed", "unknown")
    [document] = feeds.all()
    assert document["silent_seconds"] is None
    feeds.tell(status(1))
    feeds.seconds += 0.5
    assert feeds.state == "live"
    [document] = feeds.all()
    assert document["silent_seconds"] == 0.5


def test_what_was_there_at_first_and_is_not_told_again_is_stale() -> None:
    feeds = Heard()
    feeds.tell(status(1), was_there=True)
    feeds.seconds += STALE_AFTER_SECONDS + 0.1
    assert (feeds.state, feeds.cause) == ("stale", "not_heard")


def test_a_word_that_was_read_late_is_as_old_as_it_can_be() -> None:
    """It lay there while Kafka could not be reached: since the last look, nobody knows when."""
    feeds = Heard()
    feeds.seconds += 600.0
    feeds.take(b"sfox/", encode(status(1)), feeds.seconds - 599.0)
    assert feeds.state == "stale"


def test_of_what_was_there_the_last_word_of_a_connection_counts() -> None:
    feeds = Heard()
    feeds.tell(status(1), status(2, state="disconnected", instance="two"), was_there=True)
    assert feeds.instances == ["two"]
    assert feeds.state == "disconnected"


def test_producers_of_one_connection_are_told_apart_until_one_is_silent() -> None:
    feeds = Heard()
    feeds.tell(status(1), was_there=True)
    feeds.tell(status(2, instance="two"))
    assert feeds.instances == ["one", "two"]
    feeds.tell(status(1))
    feeds.seconds += TOGETHER_SECONDS
    feeds.tell(status(2, instance="two"))
    assert feeds.instances == ["one", "two"]
    feeds.seconds += 0.1
    feeds.tell(status(2, instance="two"))
    assert feeds.instances == ["two"]


def test_what_is_told_under_an_earlier_lease_counts_for_nothing() -> None:
    feeds = Heard()
    feeds.tell(status(1, lease=7))
    assert feeds.state == "live"
    feeds.tell(status(2, instance="two", lease=8))
    assert (feeds.instances, feeds.state) == (["two"], "unconfirmed")
    feeds.seconds += 2 * TOGETHER_SECONDS
    feeds.tell(status(1, lease=7))
    assert (feeds.instances, feeds.state) == (["two"], "unconfirmed")
    feeds.tell(status(3, instance="three", lease=9), was_there=True)
    feeds.tell(status(2, instance="two", lease=8))
    assert feeds.instances == ["three"]


def test_of_a_topic_that_was_made_again_nothing_is_remembered() -> None:
    feeds = Heard()
    feeds.tell(status(1))
    assert feeds.state == "live"
    feeds.forget()
    assert (feeds.cause, feeds.all()) == ("no_connection", [])


@pytest.mark.parametrize(
    "value",
    [
        b'{"venue": "sfox"}',
        b"\xff",
        encode(status(1)).replace(b'"time":"1970-', b'"time":"1970-13-'),
        encode(status(1)).replace(b'"time":"1970-01-01T', b'"time":"1970-13-99T'),
        encode(status(1)).replace(b'"since":"1970-01-01T', b'"since":"1970-13-99T'),
    ],
)
def test_what_nobody_of_us_wrote_is_refused_and_leaves_no_trace(value: bytes) -> None:
    feeds = Heard()
    feeds.tell(status(1))
    with pytest.raises(ValueError, match=r"."):
        feeds.take(b"sfox/", value, 7.0)
    assert feeds.state == "live"
    assert len(feeds.all()) == 1


def test_of_a_connections_accounts_not_too_many_are_told() -> None:
    feeds = Heard()
    names = [f"{number:03}" for number in range(100)]
    feeds.tell(status(1, accounts=names), status(2, venue="hercle"))
    hercle, sfox = feeds.all()
    assert (hercle["accounts"], hercle["accounts_count"]) == (None, None)
    assert (sfox["accounts"], sfox["accounts_count"]) == (names[:ACCOUNTS_TOLD_MAX], 100)
    # Who reads them as statuses still can.
    read = msgspec.convert(sfox, FeedStatus)
    assert msgspec.structs.replace(read, accounts=names) == status(1, accounts=names)
