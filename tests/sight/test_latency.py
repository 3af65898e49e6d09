"""The times that workers and producers tell are told closely where they lie: docs/benchmarks.md."""

from itertools import pairwise

from processors.metrics import LATENCY_BUCKETS_SECONDS
from producers.metrics import SEND_BUCKETS_SECONDS


def widest(buckets: tuple[float, ...], *, least: float, most: float) -> float:
    """How many times its lower bound a bucket's upper one is at most, between two times."""
    assert buckets[0] <= least
    assert buckets[-1] >= most
    return max(high / low for low, high in pairwise(buckets) if least <= low and high <= most)


def test_from_socket_to_table_is_told_within_two_thirds() -> None:
    """13 ms at rest, 100 to 150 ms in transactions, seconds where a worker is behind."""
    assert widest(LATENCY_BUCKETS_SECONDS, least=0.01, most=10.0) < 1.68


def test_from_socket_to_kafka_is_told_within_a_step_of_three() -> None:
    """Milliseconds at rest, minutes out of the spool."""
    assert widest(SEND_BUCKETS_SECONDS, least=0.002, most=60.0) <= 3.0
