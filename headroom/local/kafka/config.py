"""What the one node is told: Kafka's settings, its logging, the JVM's options. All pure."""

from pathlib import Path
from typing import Final

MIB: Final = 1024 * 1024
HOST: Final = "127.0.0.1"
NODE_ID: Final = 1

# The contract's largest frame is 16 MiB; a record has headers, and a batch has a frame of its own.
MESSAGE_BYTES_MAX: Final = 17 * MIB
HEAP_BYTES_MAX: Final = 512 * MIB
HEAP_BYTES_MIN: Final = 128 * MIB


def server_properties(*, log_dir: Path, port: int, controller_port: int) -> str:
    """The text of server.properties for a broker that is its own controller, on loopback.

    Source: Kafka's documentation, "Broker Configs" and "KRaft".
    """
    settings: dict[str, str | int] = {
        "process.roles": "broker,controller",
        "node.id": NODE_ID,
        "controller.quorum.voters": f"{NODE_ID}@{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(log_dir),
        # Topics are never created by accident.
        "auto.create.topics.enable": "false",
        # One node: its own topics cannot have more than one replica.
        "default.replication.factor": 1,
        "min.insync.replicas": 1,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        # 50 partitions each by default, all opened at the first use.
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.num.partitions": 1,
        # A group of one need not wait three seconds for others.
        "group.initial.rebalance.delay.ms": 0,
        # Tests kill workers: their partitions are given away after a second, not after six.
        "group.min.session.timeout.ms": 1000,
        # After a kill -9 the new process is refused until the old one's session is over (9 s).
        "broker.session.timeout.ms": 4000,
        "broker.heartbeat.interval.ms": 1000,
        # A record twice a second that says nothing: half of what an idle node costs.
        "metadata.max.idle.interval.ms": 10_000,
        "message.max.bytes": MESSAGE_BYTES_MAX,
        "replica.fetch.max.bytes": MESSAGE_BYTES_MAX,
        "socket.request.max.bytes": 4 * MESSAGE_BYTES_MAX,
        "log.cleaner.enable": "true",
        # 128 MiB of heap by default; 16 MiB holds the keys of 600,000 records.
        "log.cleaner.dedupe.buffer.size": 16 * MIB,
        "log.cleaner.io.buffer.size": MIB,
        # Where a group stands is known for as long as topics keep their records.
        "offsets.retention.minutes": 30 * 24 * 60,
        # Every open segment maps two of these: small ones keep hundreds of partitions cheap.
        "log.index.size.max.bytes": 2 * MIB,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 4,
        "num.recovery.threads.per.data.dir": 2,
    }
    return "".join(f"{key}={property_value(str(value))}\n" for key, value in settings.items())


def log4j2_properties(log_path: Path) -> str:
    """The text of log4j2.properties: everything of INFO and above into one bounded file."""
    settings = {
        "status": "error",
        "appender.file.type": "RollingFile",
        "appender.file.name": "file",
        "appender.file.fileName": str(log_path),
        "appender.file.filePattern": f"{log_path}.%i",
        "appender.file.layout.type": "PatternLayout",
        "appender.file.layout.pattern": "%d{ISO8601} %p %m (%c{1})%n",
        "appender.file.policies.type": "Policies",
        "appender.file.policies.size.type": "SizeBasedTriggeringPolicy",
        "appender.file.policies.size.size": "16MB",
        "appender.file.strategy.type": "DefaultRolloverStrategy",
        "appender.file.strategy.max": "3",
        "rootLogger.level": "INFO",
        "rootLogger.appenderRef.file.ref": "file",
    }
    return "".join(f"{key}={property_value(value)}\n" for key, value in settings.items())


def jvm_options(*, log4j2: Path, heap_bytes_max: int) -> list[str]:
    """The JVM's options for the broker: small, and quick from the first second.

    The serial collector needs the least memory and CPU for a heap of this size. Without the
    second compiler the start takes 2.5 s of CPU instead of 4.6, and the first 300,000 records
    are taken in faster too (two cores, 400 bytes each: 90,000 to 250,000 a second); a broker
    that runs for a minute on a shared machine never earns back what that compiler costs.
    """
    return [
        f"-Xms{min(HEAP_BYTES_MIN, heap_bytes_max)}",
        f"-Xmx{heap_bytes_max}",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={log4j2.as_uri()}",
    ]


def format_options() -> list[str]:
    """The JVM's options for the short run that formats the storage."""
    return ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


def property_value(text: str) -> str:
    """Text as a value of a Java properties file, which is read as Latin-1.

    Source: java.util.Properties.load.
    """
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    if escaped.startswith((" ", "\t")):
        escaped = "\\" + escaped
    units = escaped.encode("utf-16-be")
    pairs = (int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2))
    return "".join(chr(unit) if unit < 0x7F else f"\\u{unit:04x}" for unit in pairs)  # noqa: PLR2004
