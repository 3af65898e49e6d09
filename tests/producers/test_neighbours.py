"""What a producer makes of others' statuses: whose words they are, and who is gone."""

from typing import Any

import msgspec
import pytest

from producers.neighbours import GONE_SECONDS, SILENT_SECONDS, Neighbours
from schemas.codec import NotADocument, encode
from schemas.feeds import FeedStatus
from tests.producers.test_statuses import status


def other(**changes: Any) -> FeedStatus:
    usual = {"venue": "hercle", "instance": "other", "epoch": 9, "accounts": ["u"]}
    return status(**(usual | changes))


def own(**changes: Any) -> FeedStatus:
    return other(instance="here", **({"epoch": 5} | changes))


def heard(*told: tuple[FeedStatus | None, float], connection: str = "1") -> Neighbours:
    neighbours = Neighbours("hercle", "here")
    for one, now in told:
        value = None if one is None else encode(one)
        neighbours.take(f"hercle/{connection}".encode(), value, now)
    return neighbours


GONE = GONE_SECONDS + 0.1


def test_a_lease_s_number_is_above_all_that_were_told() -> None:
    neighbours = heard((other(lease=3), 0.0), (other(instance="more", lease=12, epoch=None), 0.0))
    assert (neighbours.greatest_lease, neighbours.greatest_epoch) == (12, 12)
    assert heard().greatest_lease == 0


def test_another_producer_s_later_epoch_counts_once_it_is_gone() -> None:
    neighbours = heard((other(), 0.0))
    assert neighbours.superseding(own(), GONE_SECONDS) is None
    assert neighbours.superseding(own(), GONE) == 9
    neighbours.take(b"hercle/1", encode(other()), GONE)
    assert neighbours.superseding(own(), GONE) is None


def test_one_that_is_there_and_not_connected_is_gone_too() -> None:
    told = [(other(), 0.0)] + [(other(state="disconnected"), float(now)) for now in range(1, 11)]
    assert heard(*told).superseding(own(), 10.0) is None
    assert heard(*told).superseding(own(), GONE) == 9


def test_another_key_of_the_same_user_counts_though_it_is_our_own() -> None:
    neighbours = heard((own(epoch=9, connection="2", state="refused"), 0.0), connection="2")
    assert neighbours.superseding(own(), GONE_SECONDS) is None
    assert neighbours.superseding(own(), GONE) == 9
    assert neighbours.superseding(own(connection="2"), GONE) is None


def test_who_speaks_for_other_accounts_or_came_before_outranks_nobody() -> None:
    strangers = (other(accounts=["v"]), other(epoch=4), other(epoch=None), own(epoch=9))
    for stranger in strangers:
        assert heard((stranger, 0.0)).superseding(own(), GONE) is None
    assert heard((other(accounts=None), 0.0)).superseding(own(), GONE) == 9
    assert heard((other(), 0.0)).superseding(own(accounts=None), GONE) == 9


def test_another_venue_s_statuses_and_strangers_records_are_passed_over() -> None:
    neighbours = heard()
    neighbours.take(b"sfox/1", encode(other(venue="sfox")), 0.0)
    with pytest.raises(NotADocument):
        neighbours.take(b"hercle/1", b"?", 0.0)
    assert neighbours.greatest_epoch == 0
    assert neighbours.forgotten(set(), 100.0) == []


def test_no_epoch_is_used_again_whoever_told_of_it() -> None:
    assert heard((other(epoch=3), 0.0), (own(epoch=8), 0.0)).greatest_epoch == 8


def test_the_accounts_of_a_connection_are_known_from_whoever_told_last() -> None:
    later = msgspec.structs.replace(
        other(accounts=["v"]), instance="later", time="1970-01-01T00:00:01.000000000Z"
    )
    neighbours = heard((later, 0.0), (other(), 0.0))
    assert neighbours.accounts_of("1") == ["v"]
    assert neighbours.accounts_of("2") is None


def test_a_connection_that_nobody_has_any_more_is_forgotten_after_some_silence() -> None:
    neighbours = heard((other(), 0.0), connection="2")
    neighbours.take(b"hercle/1", encode(own()), 0.0)
    assert neighbours.forgotten({"1"}, SILENT_SECONDS) == []
    assert neighbours.forgotten({"1"}, SILENT_SECONDS + 0.1) == [b"hercle/2"]
    assert neighbours.forgotten({"1", "2"}, SILENT_SECONDS + 0.1) == []
    neighbours.take(b"hercle/2", None, SILENT_SECONDS)
    assert neighbours.forgotten({"1"}, 100.0) == []
