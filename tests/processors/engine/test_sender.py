"""A group's member, as librdkafka writes it: our bytes are its bytes."""

import pytest
from confluent_kafka import Consumer

from processors.engine.sender import group_metadata


@pytest.mark.parametrize("instance", [None, "one"])
def test_the_metadata_are_those_of_librdkafka(instance: str | None) -> None:
    """All but the generation and the member, which only the group gives."""
    named = {} if instance is None else {"group.instance.id": instance}
    client = Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g", **named})
    theirs = client.consumer_group_metadata()
    client.close()
    assert theirs.count(b"\xff" * 4) == 1
    head, tail = theirs.split(b"\xff" * 4)
    ours = group_metadata("g", 7, "m", instance)
    assert ours == head + b"\x07\x00\x00\x00" + tail.replace(b"g\x00\x00", b"g\x00m\x00", 1)


@pytest.mark.parametrize(("generation", "member"), [(-1, "m"), (3, "")])
def test_a_member_that_is_none_is_refused(generation: int, member: str) -> None:
    """Kafka takes offsets of an unknown generation without any fence."""
    with pytest.raises(ValueError, match="no such member"):
        group_metadata("g", generation, member, None)
