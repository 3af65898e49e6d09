"""What a person did or can do something about: one clear line, exit status 2.

OperatorError               the line that is printed says what to do
├── SettingsError           a setting is missing or cannot be read
│   └── SettingsErrors      several are
├── KafkaUnreachable        no broker answers at the given addresses
├── KafkaRefuses            Kafka does not take the given credentials
└── TopicsDiffer            Kafka holds topics that are not what the contract says
"""

from collections.abc import Sequence


class OperatorError(Exception):
    """Printed as one line on standard error; exit status 2."""


class SettingsError(OperatorError):
    """A setting (`name`) is missing or cannot be read."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")
        self.name = name

    @property
    def each(self) -> tuple[Exception, ...]:
        """What it tells of, one for each setting."""
        return (self,)


class SettingsErrors(SettingsError):
    """Several settings are missing or cannot be read, also a producer's; `name` is the first's."""

    def __init__(self, each: Sequence[Exception], name: str) -> None:
        OperatorError.__init__(self, "; ".join(map(str, each)))
        self._each = tuple(each)
        self.name = name

    @property
    def each(self) -> tuple[Exception, ...]:
        """One for each setting."""
        return self._each


class KafkaUnreachable(OperatorError):
    """No broker answers at `bootstrap`, or it lets nobody in: then `why` says so.

    `last` is what the client last said of a connection.
    """

    def __init__(self, bootstrap: str, why: str | None = None, *, last: str = "") -> None:
        said = f" ({last})" if last else ""
        super().__init__(
            f"no Kafka answers at {bootstrap}{said}: is it running, and is "
            "HEADROOM_KAFKA_BOOTSTRAP right? (`headroom broker` starts one on this machine)"
            if why is None
            else f"Kafka at {bootstrap} does not let this program in: {why}"
        )
        self.bootstrap = bootstrap


class KafkaRefuses(OperatorError):
    """Kafka answers, and does not take the credentials; `detail` is what it says."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"Kafka refuses these credentials ({detail}): correct HEADROOM_KAFKA_SASL_*"
        )
        self.detail = detail


class TopicsDiffer(OperatorError):
    """Topics are missing or differ in what cannot be changed."""

    def __init__(self, differences: list[str]) -> None:
        super().__init__("; ".join(differences))
        self.differences = differences
