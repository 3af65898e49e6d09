"""What a raw topic is called once it is not the topic that it was."""

import msgspec
import pytest

from headroom.base.known_topics import KnownTopic, entry
from schemas.incarnations import Incarnation, named, named_at, number_at, parted

TOPIC = "raw.sfox.balances.v1"


def test_the_first_incarnation_is_called_as_ever_and_each_later_one_by_its_number() -> None:
    assert named(TOPIC, 1) == TOPIC
    assert named(TOPIC, 12) == f"{TOPIC}~12"
    assert [parted(named(TOPIC, n)) for n in (1, 2, 30)] == [(TOPIC, 1), (TOPIC, 2), (TOPIC, 30)]


@pytest.mark.parametrize("text", [f"{TOPIC}~", f"{TOPIC}~02", f"{TOPIC}~x", "~2", f"{TOPIC}~-1"])
def test_what_looks_like_it_is_the_name_of_a_topic(text: str) -> None:
    assert parted(text) == (text, 1)


def test_a_topic_made_again_is_another_one_from_its_beginning() -> None:
    topic = KnownTopic(TOPIC, "a").replaced("b", 3)
    assert (topic.id, topic.incarnation, topic.begins) == ("b", 2, (0, 0, 0))
    assert {number_at(topic.history, partition, 0) for partition in range(9)} == {2}
    assert named_at(TOPIC, topic.history, 1, 5) == f"{TOPIC}~2"


def test_a_topic_that_lost_its_end_keeps_its_earlier_records_under_their_names() -> None:
    once = KnownTopic(TOPIC, "a").shortened((50, 7))
    twice = once.shortened((40, 9))
    assert [number_at(once.history, 0, offset) for offset in (0, 49, 50, 99)] == [1, 1, 2, 2]
    assert [number_at(twice.history, 0, offset) for offset in (0, 39, 40, 50)] == [1, 1, 3, 3]
    assert [number_at(twice.history, 1, offset) for offset in (6, 7, 8, 9)] == [1, 2, 2, 3]
    again = twice.replaced("b", 2)
    assert again.history == (Incarnation(4, (0, 0)),)
    assert [number_at(again.shortened((5, 5)).history, 0, offset) for offset in (4, 5)] == [4, 5]


def test_nothing_is_said_of_topics_that_are_what_they_were() -> None:
    assert KnownTopic(TOPIC, "a").history == ()
    assert number_at((), 3, 10) == 1
    assert named_at(TOPIC, (), 3, 10) == TOPIC


def test_the_book_keeps_all_of_it() -> None:
    topic = KnownTopic(TOPIC, "a").shortened((50, 7)).shortened((40, 9))
    key, value = entry(topic)
    assert key == b"topic/" + TOPIC.encode()
    assert msgspec.json.decode(value, type=KnownTopic) == topic
