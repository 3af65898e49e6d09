"""What the part `http` makes of wrk's words and of what a reader was told."""

import pytest

from benchmarks.process import ContenderFailed
from benchmarks.questions import delays_of, percentile_ms
from benchmarks.report import http_text

SAID = """\
  Latency Distribution
     50%  312.00us
     75%    1.44ms
     99%    1.20s
  2401 requests in 1.00s, 3.52MB read
Requests/sec:   2401.00
"""


def test_percentiles_of_wrk_are_milliseconds():
    assert [percentile_ms(SAID, percent) for percent in (50, 75, 99)] == [0.312, 1.44, 1_200.0]
    with pytest.raises(ContenderFailed):
        percentile_ms("Socket errors", 50)


def test_a_later_version_stands_for_those_before_it_and_none_is_counted_twice():
    appended = {"a": [10, 100, 200, 300], "b": [150]}
    told = [(210.0, "a", 2), (260.0, "b", 1), (350.0, "a", 4), (400.0, "a", 3), (410.0, "a", 4)]
    # What came before the readers were there is not theirs.
    assert delays_of(told, appended, 50) == [110.0, 110.0, 150.0, 50.0]


def test_the_report_says_what_is_wanted_of_what_was_measured():
    asked = {"rate": 10.0, "per_cpu_second": 100.0, "p50": 1.0, "p99": 2.0}
    runs = [
        {"contender": "headroom", "what": "a change", "us": 100.0},
        {"contender": "headroom, rules", "what": "a change", "us": 105.0},
        *[
            {"contender": name, "what": what, **asked, "per_cpu_second": cost}
            for name, cost in (("headroom", 250.0), ("baseline", 100.0))
            for what in ("owner", "hop")
        ],
        {"contender": "headroom", "what": "events", "p50": 120.0, "p99": 200.0, "rate": 9.0},
    ]
    told = " ".join(http_text(runs).split())
    assert "a change with rules / without, CPU | 1.05 | < 1.1" in told
    assert "questions a CPU second, hop / baseline | 2.50 | >= 2" in told
    assert "p50 ms, frame to event | 120 | < 300" in told
