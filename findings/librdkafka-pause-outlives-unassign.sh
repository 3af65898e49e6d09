#!/usr/bin/env bash
# A consumer that pauses a partition, gives its whole assignment up, and is assigned the partition anew.
#
# confluent-kafka 2.16.1 (librdkafka 2.16.0): the partition is still paused. `unassign` and `assign`, with
# an offset to begin at, do not take it back, nothing says so, and no call tells which partitions are
# paused: whoever hands partitions on in a rebalance, and paused one in the round before, never reads it
# again. `resume` does, also after all that. (Java's consumer makes the state of a partition anew.)
# Seen:
#   assigned: 5 records
#   paused, given up, assigned again: 0 records
#   resumed: 5 records
# The broker is the one that librdkafka brings for tests. Needs bash and Python from 3.9 on.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check confluent-kafka==2.16.1

cat >paused.py <<'PY'
import time

from confluent_kafka import Consumer, Producer, TopicPartition

# The mock broker lives as long as this producer does.
producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused"})
brokers = producer.list_topics(timeout=10).brokers.values()
for number in range(5):
    producer.produce("numbers", str(number).encode(), partition=0)
assert producer.flush(10) == 0

servers = ",".join(f"{one.host}:{one.port}" for one in brokers)
consumer = Consumer({"bootstrap.servers": servers, "group.id": "reader"})
place = TopicPartition("numbers", 0, 0)


def count(seconds: float) -> int:
    found, deadline = 0, time.monotonic() + seconds
    while found < 5 and time.monotonic() < deadline:
        found += sum(one.error() is None for one in consumer.consume(5, 0.2))
    return found


consumer.assign([place])
print(f"assigned: {count(20)} records")
consumer.pause([place])
consumer.unassign()
assert consumer.assignment() == []
consumer.assign([place])
print(f"paused, given up, assigned again: {count(5)} records")
consumer.resume([place])
print(f"resumed: {count(20)} records")
PY
env/bin/python paused.py 2>/dev/null | tee seen
diff - seen <<'SEEN'
assigned: 5 records
paused, given up, assigned again: 0 records
resumed: 5 records
SEEN
