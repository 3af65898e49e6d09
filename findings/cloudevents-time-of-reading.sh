#!/usr/bin/env bash
# One CloudEvent in Kafka's binary mode that has no `ce_time` (it is optional), read by three SDKs.
#
# cloudevents 10.0.0 (JavaScript) and cloudevents 2.2.0 (Python, its new and its old interface) give
# it the time at which it was read: an old event of a compacted topic is always of this second, and
# another each time. io.cloudevents 4.0.1 (Java) says that it has none.
# Seen:
#   js: the time of reading, another time when read again
#   python core: the time of reading, another time when read again
#   python v1: the time of reading, another time when read again
#   java: null
# Needs bash, node and npm, Python from 3.11 on, a JDK from 11 on and Maven.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund --prefix . cloudevents@10.0.0 >/dev/null
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check cloudevents==2.2.0
cat >pom.xml <<'POM'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>findings</groupId><artifactId>findings</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.cloudevents</groupId><artifactId>cloudevents-kafka</artifactId><version>4.0.1</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
POM
mvn -q -B -Dstyle.color=never dependency:copy-dependencies -DoutputDirectory=lib >/dev/null

cat >read.js <<'JS'
const { Kafka } = require("cloudevents");
const headers = { ce_specversion: "1.0", ce_id: "1", ce_source: "/shop", ce_type: "sold" };
const read = () => Date.parse(Kafka.toEvent({ headers, value: '{"a":1}' }).time);
const [before, first] = [Date.now(), read()];
while (Date.now() < first + 5);
const again = read();
const invented = first >= before && again > first && again <= Date.now();
console.log("js:", invented ? "the time of reading, another time when read again" : [first, again]);
JS
cat >read.py <<'PY'
import time
from datetime import UTC, datetime

from cloudevents.core.bindings import kafka as core
from cloudevents.v1 import kafka as v1

TEXTS = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/shop", "ce_type": "sold"}
HEADERS = {name: text.encode() for name, text in TEXTS.items()}


def by_core():
    message = core.KafkaMessage(headers=HEADERS, key=b"k", value=b"{}")
    return core.from_binary_event(message).get_attributes().get("time")


def by_v1():
    message = v1.KafkaMessage(headers=HEADERS, key=b"k", value=b"{}")
    told = v1.from_binary(message).get_attributes().get("time")
    return told and datetime.fromisoformat(told)


for name, read in (("core", by_core), ("v1", by_v1)):
    before, first = datetime.now(UTC), read()
    time.sleep(0.005)
    again = read()
    invented = first and again and before <= first < again <= datetime.now(UTC)
    words = "the time of reading, another time when read again" if invented else (first, again)
    print(f"python {name}: {words}")
PY
cat >Read.java <<'JAVA'
import io.cloudevents.kafka.KafkaMessageFactory;
import java.util.Map;
import org.apache.kafka.common.header.internals.RecordHeaders;

public class Read {
  public static void main(String[] args) {
    var headers = new RecordHeaders();
    Map.of("ce_specversion", "1.0", "ce_id", "1", "ce_source", "/shop", "ce_type", "sold")
        .forEach((name, text) -> headers.add(name, text.getBytes()));
    var event = KafkaMessageFactory.createReader(headers, "{}".getBytes()).toEvent();
    System.out.println("java: " + event.getTime());
  }
}
JAVA
{
  timeout 60 node read.js
  timeout 60 env/bin/python read.py
  timeout 60 java -cp 'lib/*' Read.java
} | tee seen
diff - seen <<'EXPECTED' && echo "as found: cloudevents 10.0.0 (npm), cloudevents 2.2.0 (PyPI), io.cloudevents 4.0.1 (Maven)"
js: the time of reading, another time when read again
python core: the time of reading, another time when read again
python v1: the time of reading, another time when read again
java: null
EXPECTED
