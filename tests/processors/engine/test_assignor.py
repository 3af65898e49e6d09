"""Faust's assignor under this engine: topics that belong together stay together."""

import itertools

from processors.engine.assignor import PartitionAssignor


def test_topics_with_the_same_members_are_one_group() -> None:
    """Whatever the members are called, and in whatever order they came."""
    topics = {f"topic-{number}" for number in range(8)}
    for names in itertools.permutations([f"member-{letter}" for letter in "abcd"]):
        subscriptions = {name: sorted(topics) for name in names}
        groups = list(PartitionAssignor._group_co_subscribed(topics, subscriptions))
        assert groups == [topics]


def test_topics_with_other_members_are_another_group() -> None:
    """A member that reads fewer topics is not given the others."""
    subscriptions = {"a": ["x", "y"], "b": ["x"]}
    groups = PartitionAssignor._group_co_subscribed({"x", "y"}, subscriptions)
    assert sorted(map(sorted, groups)) == [["x"], ["y"]]
