"""Raw topics that were made again, or lost their ends: other frames lie at the same offsets."""

import msgspec
import pytest

from headroom.audit import check
from headroom.audit.incarnations import incarnation_of, split
from schemas import topics
from tests.headroom.audit.frames import EUR, USDT, hercle, sfox
from tests.headroom.audit.pipeline import Pipeline

RAW = "raw.sfox.balances.v1"


def told(made, epoch):
    """Frames of both venues, and one of each that cannot be read."""
    made.frame("sfox", sfox("a", 1, {"btc": f"{epoch}.10"}), account="a", epoch=epoch)
    made.frame("sfox", b'{"cut', account="a", epoch=epoch)
    both = hercle("h", 1, f"{USDT},{EUR}"), hercle("k", 2, EUR)
    for frame, account in zip(both, "hk", strict=True):
        made.frame("hercle", frame, account=account, epoch=epoch)
    made.frame("hercle", b"{", account="h", epoch=epoch)


@pytest.fixture
def pipeline():
    made = Pipeline()
    told(made, 1)
    made.make_again(RAW)
    made.make_again("raw.hercle.balances.v1")
    told(made, 2)
    return made


def problems(made, **changes):
    return [f.problem for f in check(made.world(**changes)).findings]


def test_what_was_told_of_the_topic_of_before_stays_and_what_is_new_is_told_beside_it(pipeline):
    found = check(pipeline.world())
    assert found.findings == []
    assert (found.raw, found.normalised, found.dead_lettered) == (5, 3, 2)
    identities = [r.header("ce_id") for r in pipeline.records[topics.BALANCES]]
    assert len(identities) == len(set(identities)) == 6


def test_a_topic_that_lost_its_end_has_both_kinds_of_records():
    made = Pipeline()
    told(made, 1)
    told(made, 2)
    for topic in (RAW, "raw.hercle.balances.v1"):
        made.lose_end(topic)
    told(made, 3)
    for topic in (RAW, "raw.hercle.balances.v1"):
        made.lose_end(topic)
    told(made, 4)
    assert problems(made) == []


def test_who_names_frames_as_if_the_topic_were_the_same_is_noticed(pipeline):
    found = problems(pipeline, incarnations={})
    assert any("has no incarnation 2" in problem for problem in found)


def test_a_source_that_names_another_incarnation_is_noticed(pipeline):
    records = list(pipeline.records[topics.BALANCES])
    records[-1] = msgspec.structs.replace(
        records[-1], value=records[-1].value.replace(b"balances.v1~2", b"balances.v1")
    )
    pipeline.records[topics.BALANCES] = records
    assert any(".source.topic" in problem for problem in problems(pipeline))


def test_a_frame_of_the_new_topic_without_an_outcome_is_noticed(pipeline):
    pipeline.records[topics.BALANCES].pop()
    pipeline.records[topics.DEAD_LETTERS].pop()
    assert problems(pipeline).count("has no outcome") == 2


def test_names_are_taken_apart():
    assert [split(name) for name in ("a", "a~2", "a~1", "a~02", "a~x", "a~")] == [
        ("a", 1),
        ("a", 2),
        None,
        None,
        None,
        None,
    ]
    assert incarnation_of({"a": [(3, [5])]}, "a", 0, 4) == 2
