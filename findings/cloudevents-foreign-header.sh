#!/usr/bin/env bash
# A CloudEvent in Kafka's binary mode beside whose `ce_` headers there is one of somebody else's that
# is no UTF-8, as the id of a schema in Confluent's header `__value_schema_id` is none.
#
# cloudevents 2.2.0 (Python) has two interfaces. The new one (`cloudevents.core`) decodes every header,
# also those that are no part of the event, and raises: no event of such a topic can be read. The old
# one (`cloudevents.v1`), and cloudevents 10.0.0 (JavaScript), read it.
# Seen:
#   python core: UnicodeDecodeError
#   python v1: event 1
#   js: event 1
# Needs bash, node and npm, Python from 3.11 on.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund --prefix . cloudevents@10.0.0 >/dev/null
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check cloudevents==2.2.0

cat >read.py <<'PY'
from uuid import UUID

from cloudevents.core.bindings import kafka as core
from cloudevents.v1 import kafka as v1

TEXTS = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/shop", "ce_type": "sold"}
HEADERS = {name: text.encode() for name, text in TEXTS.items()}
HEADERS["__value_schema_id"] = b"\x01" + UUID("f81d4fae-7dec-41d0-a765-00a0c91e6bf6").bytes


def by_core():
    message = core.KafkaMessage(headers=HEADERS, key=b"k", value=b"{}")
    return core.from_binary_event(message).get_id()


def by_v1():
    return v1.from_binary(v1.KafkaMessage(headers=HEADERS, key=b"k", value=b"{}"))["id"]


for name, read in (("core", by_core), ("v1", by_v1)):
    try:
        print(f"python {name}: event {read()}")
    except UnicodeDecodeError as error:
        print(f"python {name}: {type(error).__name__}")
PY
cat >read.js <<'JS'
const { Kafka } = require("cloudevents");
const id = Buffer.from("01f81d4fae7dec41d0a76500a0c91e6bf6", "hex");
const texts = { ce_specversion: "1.0", ce_id: "1", ce_source: "/shop", ce_type: "sold" };
const event = Kafka.toEvent({ headers: { ...texts, __value_schema_id: id }, value: "{}" });
console.log("js: event", event.id);
JS
{
  timeout 60 env/bin/python read.py
  timeout 60 node read.js
} | tee seen
diff - seen <<'EXPECTED' && echo "as found: cloudevents 2.2.0 (PyPI), cloudevents 10.0.0 (npm)"
python core: UnicodeDecodeError
python v1: event 1
js: event 1
EXPECTED
