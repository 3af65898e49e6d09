"""The oracle's judgement itself: it is silent where all is well, and only there."""

import json
import subprocess
import sys
from itertools import islice
from typing import Any

import pytest

from tests.engine.chaos.fold import Expected, Seen, expected
from tests.engine.chaos.judge import Found, Verdict, judge
from tests.engine.chaos.market import raw_records

RAWS = [Seen(0, offset, *record) for offset, record in enumerate(islice(raw_records(1), 500))]


def perfect(must: Expected) -> dict[str, Any]:
    """What a system without a fault leaves behind."""
    mid = [Seen(0, n, *rec, source) for n, (source, rec) in enumerate(must.mid.items())]
    dead = [Seen(0, n, *rec, source) for n, (source, rec) in enumerate(must.dead.items())]
    out = [Seen(0, n, key, doc) for n, ((key, _), doc) in enumerate(must.out.items())]
    shares = [Seen(0, n, *share) for n, share in enumerate(must.shares.values())]
    sums = [
        Seen(0, n, group.encode(), json.dumps({"versions": v, "sum": str(s)}).encode())
        for n, (group, (s, v)) in enumerate(must.sums.items())
    ]
    changelogs = {
        name: [Seen(0, n, key.encode(), row.encode()) for n, (key, row) in enumerate(rows.items())]
        for name, rows in must.tables.items()
    }
    tables = {name: {"0": dict(rows)} for name, rows in must.tables.items()}
    sums_answered = {"0": {group: [str(s), v] for group, (s, v) in must.sums.items()}}
    return {
        "mid": mid,
        "dead": dead,
        "out": out,
        "shares": shares,
        "sums": sums,
        "changelogs": changelogs,
        "answers": [{"tables": tables, "sums": sums_answered}],
    }


def judged(found: dict[str, Any], *, once: bool = True) -> Verdict:
    return judge(expected(RAWS), Found(**found), once=once)


def counts(verdict: Verdict) -> tuple[int, int, int]:
    return verdict.repeated, verdict.lost, verdict.wrong


@pytest.fixture
def found() -> dict[str, Any]:
    return perfect(expected(RAWS))


@pytest.mark.parametrize("once", [True, False])
def test_nothing_is_said_of_a_system_without_a_fault(found, once):
    verdict = judged(found, once=once)
    assert verdict.sound
    assert counts(verdict) == (0, 0, 0)


@pytest.mark.parametrize("topic", ["mid", "dead"])
def test_an_outcome_that_is_missing_is_lost(found, topic):
    del found[topic][7]
    verdict = judged(found)
    assert counts(verdict) == (0, 1, 0)
    assert not verdict.sound


@pytest.mark.parametrize("topic", ["mid", "dead", "out", "shares", "sums"])
def test_a_record_that_is_there_again_is_repeated(found, topic):
    found[topic].append(found[topic][-1])
    assert counts(judged(found)) == (1, 0, 0)
    assert not judged(found).sound
    assert judged(found, once=False).sound


@pytest.mark.parametrize("topic", ["mid", "dead", "out", "shares"])
def test_a_record_with_other_bytes_is_wrong(found, topic):
    first = found[topic][0]
    found[topic].insert(1, first._replace(value=(first.value or b"{}").replace(b"}", b" }") + b" "))
    assert counts(judged(found))[2] == 1
    assert not judged(found, once=False).sound


def test_a_record_that_nobody_sent_is_wrong(found):
    found["mid"].append(found["mid"][0]._replace(source="0/999999"))
    assert judged(found).wrong


def test_records_of_a_key_in_another_order_are_wrong(found):
    key = found["mid"][0].key
    at = [n for n, seen in enumerate(found["mid"]) if seen.key == key]
    one, two = at[0], at[1]
    found["mid"][one], found["mid"][two] = found["mid"][two], found["mid"][one]
    assert counts(judged(found)) == (0, 0, 1)


def test_a_topic_that_ends_at_an_earlier_version_has_lost_the_last_one(found):
    last = found["out"][-1]
    found["out"].remove(last)
    assert counts(judged(found)) == (0, 1, 0)
    assert not judged(found, once=False).sound


def test_a_version_that_goes_back_is_no_end(found):
    key = found["out"][-1].key
    first = next(seen for seen in found["out"] if seen.key == key)
    found["out"].append(first)
    verdict = judged(found, once=False)
    assert (verdict.lost, verdict.sound) == (1, False)


def test_an_amount_counted_twice_is_wrong_in_changelogs_and_answers(found):
    seen = found["changelogs"]["counts"][0]
    more = str(int(seen.value or b"0") + 1)
    found["changelogs"]["counts"].append(seen._replace(value=more.encode()))
    found["answers"][0]["tables"]["counts"]["0"][seen.key.decode()] = more
    assert counts(judged(found)) == (0, 0, 2)


def test_a_row_that_is_missing_is_lost_and_one_too_many_is_wrong(found):
    rows = found["answers"][0]["tables"]["rows"]["0"]
    rows["nobody"] = rows.popitem()[1]
    assert counts(judged(found)) == (0, 1, 1)


def test_a_partition_at_two_workers_is_wrong(found):
    found["answers"] *= 2
    assert judged(found).wrong


def test_a_sum_that_is_off_by_one_is_wrong(found):
    last = found["sums"][-1]
    document = json.loads(last.value)
    document["sum"] = str(int(document["sum"]) + 1)
    found["sums"][-1] = last._replace(value=json.dumps(document).encode())
    assert counts(judged(found)) == (0, 0, 1)


def test_the_oracle_shares_no_code_with_what_it_judges():
    program = (
        "import sys, tests.engine.chaos.oracle; "
        "print({name.split('.')[0] for name in sys.modules} & "
        "{'processors', 'producers', 'headroom', 'schemas', 'faust', 'aiokafka', 'rocksdict'})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"set()\n"
