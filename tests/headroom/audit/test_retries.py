"""What was sent again is looked at: the same bytes, once, and its receipt is no repetition."""

import pytest

from headroom.audit import check
from schemas.headers import RETRY_OF
from tests.headroom.audit.frames import sfox
from tests.headroom.audit.pipeline import Pipeline

BROKEN = b'{"recipient": "private.enterprise.users.balances", "seq'


@pytest.fixture
def pipeline():
    """One frame that is read, and one that is not and is sent again once."""
    made = Pipeline()
    made.frame("sfox", sfox("a", 1, {"btc": "1"}), account="a")
    made.origin = made.frame("sfox", BROKEN, account="a")
    again(made)
    return made


def again(made, frame=BROKEN):
    origin = made.origin
    headers = [*origin.headers, (RETRY_OF, origin.place.encode())]
    made.normalise("sfox", made.append(origin.topic, origin.key, frame, headers))


def problems(made):
    return [f.problem for f in check(made.world()).findings if f.invariant == "I1"]


def test_once_is_sound_and_counts_as_a_record_of_its_own(pipeline):
    found = check(pipeline.world(sent=pipeline.sent))
    assert found.findings == []
    assert (found.frames, found.raw, found.normalised, found.dead_lettered) == (2, 3, 1, 2)


def test_twice_is_noticed(pipeline):
    again(pipeline)
    assert any("was sent again twice" in problem for problem in problems(pipeline))


def test_other_bytes_are_noticed(pipeline):
    pipeline.origin = pipeline.frame("sfox", BROKEN + b" ", account="a")
    again(pipeline, BROKEN)
    assert any("is not what lies at" in problem for problem in problems(pipeline))
