#!/usr/bin/env bash
# A producer with two servers: one keeps its connection open, the other one closes each that it gets.
# Which broken connections is a program told of, which may want to know whether a request that it
# sent can still be on its way?
#
# confluent-kafka 2.16.1 (librdkafka 2.16.0): next to none. The error callback hears of "all brokers
# down" a time or two, of the broken connections nothing at all, the logger of a few: an error that
# is the same as the last one of that broker is told once in 30 seconds, and how often it came
# meanwhile is not. With `debug=broker` the logger gets a STATE line for each change of each
# connection, none left out.
# Seen, in 12 seconds each:
#   plain: connections 57, error callback 1, lines of the logger 5
#   debug=broker: connections 57, error callback 1, STATE lines of lost connections 58
# (the numbers of connections differ by a few from run to run)
# Needs bash and Python from 3.11 on.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check confluent-kafka==2.16.1

cat >told.py <<'PY'
import logging
import re
import socket
import threading
import time

from confluent_kafka import Producer, libversion

SECONDS = 12


def listen(closes):
    """A server that closes each connection, or keeps it; the connections that it had."""
    server, had = socket.create_server(("127.0.0.1", 0)), []

    def run():
        while True:
            connection, _ = server.accept()
            had.append(connection)
            if closes:
                connection.recv(1)
                connection.close()

    threading.Thread(target=run, daemon=True).start()
    return server.getsockname()[1], had


class Lines(logging.Handler):
    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def produce(**more):
    """How many connections were lost, calls of the error callback, and the logger's lines."""
    (closing, had), (keeping, _) = listen(True), listen(False)
    lines, told = Lines(), []
    log = logging.Logger("librdkafka", logging.DEBUG)
    log.addHandler(lines)
    settings = {
        "bootstrap.servers": f"127.0.0.1:{closing},127.0.0.1:{keeping}",
        "reconnect.backoff.max.ms": 200,
        "error_cb": told.append,
        **more,
    }
    producer = Producer(settings, logger=log)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        producer.poll(0.1)
    return len(had), len(told), lines.lines


assert libversion()[0] == "2.16.0", libversion()
lost, called, lines = produce()
print(f"plain: connections {lost}, error callback {called}, lines of the logger {len(lines)}")
assert lost > 20
assert called < 5
assert len(lines) < 10

lost, called, lines = produce(debug="broker")
leaves = [line for line in lines if re.search(r"state (?!DOWN|INIT|TRY_)\w+ -> DOWN", line)]
print(f"debug=broker: connections {lost}, error callback {called}, STATE lines of lost connections {len(leaves)}")
assert lost > 20
assert called < 5
assert abs(len(leaves) - lost) <= 2
print("as found: confluent-kafka 2.16.1, librdkafka 2.16.0")
PY
timeout 60 env/bin/python told.py
