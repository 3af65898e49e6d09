#!/usr/bin/env bash
# A CloudEvent in Kafka's binary mode, read with KafkaJS and handed to the CloudEvents SDK as it is.
#
# cloudevents 10.0.0 (JavaScript), kafkajs 2.2.4: `Kafka.isEvent(message)` says true, then
# `Kafka.toEvent(message)` throws a TypeError: KafkaJS gives header values as Buffers, the SDK takes
# them for strings. With the headers made strings it reads the event; the key is still a Buffer.
# Seen:
#   header values: Buffer
#   isEvent: true
#   toEvent: TypeError: contentType.startsWith is not a function
#   toEvent, headers made strings: event 1, key Buffer
# Kafka is the mock cluster in librdkafka (confluent-kafka 2.16.1). Needs bash, node and npm, Python.
set -euo pipefail
work=$(mktemp -d)
kafka=
trap 'if [ -n "$kafka" ]; then kill "$kafka" 2>/dev/null || true; wait "$kafka" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund --prefix . cloudevents@10.0.0 kafkajs@2.2.4 >/dev/null
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check confluent-kafka==2.16.1

cat >kafka.py <<'PY'
import time

from confluent_kafka import Producer

producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 0})
(broker,) = producer.list_topics(timeout=10).brokers.values()
producer.list_topics("events", timeout=10)
headers = {"content-type": "application/json", "ce_specversion": "1.0", "ce_id": "1"}
headers |= {"ce_source": "/shop", "ce_type": "sold", "ce_time": "2026-01-02T03:04:05Z"}
producer.produce("events", partition=0, key="key", value='{"a":1}', headers=headers)
assert producer.flush(10) == 0
print(f"{broker.host}:{broker.port}", flush=True)
time.sleep(90)
PY
env/bin/python kafka.py >broker &
kafka=$!
for _ in $(seq 100); do [ -s broker ] && break; sleep 0.1; done

cat >reader.js <<'JS'
const { Kafka, logLevel } = require("kafkajs");
const { Kafka: Binding } = require("cloudevents");
const kind = (value) => (Buffer.isBuffer(value) ? "Buffer" : typeof value);
const consumer = new Kafka({ brokers: [process.argv[2]], logLevel: logLevel.NOTHING }).consumer({ groupId: "readers" });
const eachMessage = async ({ message }) => {
  console.log("header values:", kind(message.headers.ce_id));
  console.log("isEvent:", Binding.isEvent(message));
  try {
    console.log("toEvent: event", Binding.toEvent(message).id);
  } catch (error) {
    console.log("toEvent:", `${error.name}: ${error.message}`);
  }
  const strings = Object.entries(message.headers).map(([name, value]) => [name, value.toString()]);
  const event = Binding.toEvent({ ...message, headers: Object.fromEntries(strings) });
  console.log("toEvent, headers made strings: event", event.id + ", key", kind(event.partitionkey));
  process.exit(0);
};
(async () => {
  await consumer.connect();
  await consumer.subscribe({ topics: ["events"], fromBeginning: true });
  await consumer.run({ eachMessage });
})();
JS
timeout 60 node reader.js "$(cat broker)" | tee seen
diff - seen <<'EXPECTED' && echo "as found: cloudevents 10.0.0, kafkajs 2.2.4"
header values: Buffer
isEvent: true
toEvent: TypeError: contentType.startsWith is not a function
toEvent, headers made strings: event 1, key Buffer
EXPECTED
