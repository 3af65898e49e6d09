"""Kafka's own console consumer: `python -m headroom.local.kafka.console --topic …`.

An outside reader in another language, without a Kafka distribution: what it prints is what any
Java client sees. The process becomes the Java one.
"""

import os
import sys

from headroom.local.kafka.errors import LocalKafkaError
from headroom.local.kafka.jars import CONSOLE_LOCK, ensure
from headroom.local.kafka.java import find_java

MAIN_CLASS = "org.apache.kafka.tools.consumer.ConsoleConsumer"


def main() -> None:
    """Replace this process by the console consumer with the same arguments."""
    try:
        java = find_java()
        class_path = os.pathsep.join(map(str, ensure(CONSOLE_LOCK)))
    except LocalKafkaError as error:
        print(f"headroom: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    options = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    arguments = [str(java), *options, "-cp", class_path, MAIN_CLASS, *sys.argv[1:]]
    os.execv(java, arguments)  # noqa: S606 - the point of this module


if __name__ == "__main__":
    main()
