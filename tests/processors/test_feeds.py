"""What a worker remembers of the topic of statuses, and for how long it believes it."""

import msgspec
import pytest

from processors.http.feeds import ACCOUNTS_TOLD_MAX, Feeds
from schemas.codec import NotADocument, encode
from schemas.feeds import FeedStatus
from tests.processors.connections import NOW_SECONDS, STALE_AFTER_SECONDS, status
from tests.processors.ledger.snapshots import last, snapshot

STATE = last([snapshot(1, 1, 5)]).state


class Followed(Feeds):
    """Feeds that are told what the topic has."""

    def __init__(self) -> None:
        self.seconds = NOW_SECONDS
        super().__init__(
            {},
            topic="feeds",
            stale_after_seconds=STALE_AFTER_SECONDS,
            clock_ns=lambda: round(self.seconds * 10**9),
        )
        self.known()

    def tell(self, *statuses: FeedStatus) -> None:
        for one in statuses:
            self.take(f"{one.venue}/{one.connection}".encode(), encode(one))

    @property
    def state(self) -> str:
        return self.freshness(STATE).state

    @property
    def instances(self) -> list[str]:
        return [one["instance"] for one in self.all()]


def test_until_all_was_read_nothing_is_known() -> None:
    feeds = Followed()
    feeds._is_known = False
    feeds.tell(status(1))
    assert feeds.freshness(STATE).cause == "unknown"
    feeds.known()
    assert feeds.state == "live"


def test_a_tombstone_takes_a_connection_away_and_no_other() -> None:
    feeds = Followed()
    feeds.tell(status(1), status(1, instance="two"), status(2, connection="2", accounts=["b"]))
    feeds.take(b"sfox/", None)
    assert [one["connection"] for one in feeds.all()] == ["2"]
    assert feeds.freshness(STATE).cause == "no_connection"
    feeds.take(b"sfox/never", None)


def test_what_is_not_told_any_more_grows_stale_by_itself() -> None:
    feeds = Followed()
    feeds.tell(status(1, confirmed=NOW_SECONDS))
    feeds.seconds += STALE_AFTER_SECONDS
    assert feeds.state == "live"
    feeds.seconds += 0.1
    assert feeds.state == "stale"


def test_a_producer_whose_clock_is_ahead_does_not_live_on_by_that() -> None:
    feeds, hour = Followed(), NOW_SECONDS + 3_600
    ahead = status(1, told=hour, confirmed=hour)
    feeds.tell(ahead)
    assert feeds.state == "live"
    feeds.seconds += STALE_AFTER_SECONDS + 0.1
    feeds.tell(ahead)  # the topic is read again, from its beginning
    assert feeds.state == "stale"
    feeds.tell(status(1, told=feeds.seconds, confirmed=feeds.seconds, instance="next"))
    assert feeds.instances == ["next"]
    assert feeds.state == "live"


def test_words_of_a_clock_ahead_that_were_there_at_first_are_of_no_known_time() -> None:
    feeds, hour = Followed(), NOW_SECONDS + 3_600
    feeds._is_known = False
    feeds.tell(status(1, told=hour, confirmed=hour))
    feeds.known()
    assert feeds.freshness(STATE).cause == "no_connection"
    feeds.tell(status(1, told=hour + 1, confirmed=hour + 1))
    assert feeds.state == "live"


def test_of_a_producer_the_last_word_counts_also_when_the_topic_is_read_again() -> None:
    feeds = Followed()
    old, new = status(1, told=990.0, state="disconnected"), status(1)
    feeds.tell(old, new, old)
    assert feeds.state == "live"
    assert len(feeds.all()) == 1


def test_producers_of_one_connection_are_told_apart_until_one_is_silent() -> None:
    feeds = Followed()
    feeds.tell(status(1, told=985.0), status(2, told=990.0, instance="two"))
    assert feeds.instances == ["one", "two"]
    feeds.tell(status(2, told=996.0, instance="two"))
    assert feeds.instances == ["two"]


def test_what_cannot_be_read_is_a_strangers() -> None:
    feeds = Followed()
    feeds.tell(status(1))
    for odd in (b'{"venue": "sfox"}', b"\xff"):
        with pytest.raises(NotADocument):
            feeds.take(b"sfox/", odd)
    assert feeds.state == "live"


def test_of_a_connections_accounts_not_too_many_are_told() -> None:
    feeds = Followed()
    names = [f"{number:03}" for number in range(100)]
    feeds.tell(status(1, accounts=names), status(2, venue="hercle"))
    hercle, sfox = feeds.all()
    assert (hercle["accounts"], hercle["accounts_count"]) == (None, None)
    assert (sfox["accounts"], sfox["accounts_count"]) == (names[:ACCOUNTS_TOLD_MAX], 100)
    # Who reads them as statuses still can.
    read = msgspec.convert(sfox, FeedStatus)
    assert msgspec.structs.replace(read, accounts=names) == status(1, accounts=names)
