"""What can go wrong for a producer so that it has to end; each error says what to do about it.

A lost venue is none of these: the producer connects again, for ever. The tree::

    ProducerError
    ├── ConfigurationError   a setting cannot be right: correct it
    │   └── ConfigurationErrors  several cannot
    ├── WrongKey             the venue refuses the API key, again and again: give the right one
    ├── KafkaUnreachable     no broker answers at the start: start it, or correct the address
    ├── KafkaRefuses         Kafka does not take the credentials: give the right ones
    ├── CodecMissing         a topic is compressed by what cannot be read here: install it
    ├── SpoolInUse           another producer runs on the spool: give this one another
    ├── SpoolNewer           a newer version wrote the spool: run that one
    ├── SpoolForeign         the spool holds frames for another venue or Kafka: move it away
    ├── SteppedBack          another producer has the lease: this one waits, and does not end
    ├── TopicMissing         a topic that is written to is not there: `headroom topics apply`
    └── SendFailed           Kafka did not take a record: see the broker, start again
"""

from collections.abc import Sequence


class ProducerError(Exception):
    """The producer cannot go on; its text is one line for the operator."""


class ConfigurationError(ProducerError):
    """A setting that cannot be right; `setting` names it, the text never shows a secret."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem

    @property
    def each(self) -> "tuple[ConfigurationError, ...]":
        """What it tells of, one for each setting."""
        return (self,)


class ConfigurationErrors(ConfigurationError):
    """Several settings cannot be right; `setting` is the first one's."""

    def __init__(self, each: Sequence[ConfigurationError]) -> None:
        ProducerError.__init__(self, "; ".join(map(str, each)))
        self._each = tuple(each)
        self.setting, self.problem = self._each[0].setting, self._each[0].problem

    @property
    def each(self) -> "tuple[ConfigurationError, ...]":
        """One for each setting."""
        return self._each


class WrongKey(ProducerError):
    """The venue has never accepted the API key, though it was asked again and again.

    `connection` tells which key where there are several, `detail` the venue's own words (bounded,
    without the key).
    """

    def __init__(self, venue: str, connection: str, detail: str) -> None:
        super().__init__(
            f"{connection}: the venue refuses the API key ({detail}); "
            f"set the right one in HEADROOM_{venue.upper()}_API_KEY and start again"
        )
        self.venue = venue
        self.connection = connection
        self.detail = detail


class KafkaUnreachable(ProducerError):
    """No broker answers when the producer starts; `bootstrap` is where it was looked for."""

    def __init__(self, bootstrap: str, detail: str) -> None:
        super().__init__(
            f"Kafka cannot be reached at {bootstrap} ({detail}); "
            "start it, or correct HEADROOM_KAFKA_BOOTSTRAP"
        )
        self.bootstrap = bootstrap
        self.detail = detail


class KafkaRefuses(ProducerError):
    """Kafka does not take the credentials, at the start or since they were changed there."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"Kafka refuses these credentials ({detail}); "
            "set the right ones in HEADROOM_KAFKA_SASL_* and start again"
        )
        self.detail = detail


class CodecMissing(ProducerError):
    """Records are compressed by a codec that is not installed; `detail` names it."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"what Kafka holds cannot be read ({detail}); install the package `cramjam`"
        )
        self.detail = detail


class SpoolInUse(ProducerError):
    """Another process has the folder `path`."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"another producer runs on the spool {path}; "
            "stop it, or give this one a folder of its own in HEADROOM_SPOOL_DIR"
        )
        self.path = path


class SpoolNewer(ProducerError):
    """A newer version wrote the file `path`, in a form that this one does not know."""

    def __init__(self, path: str, form: str, known: int) -> None:
        super().__init__(
            f"a newer version of Headroom wrote the spool {path} (form {form}, this one knows "
            f"{known}); run that version, or move the folder away: it may hold frames"
        )
        self.path = path


class SpoolForeign(ProducerError):
    """The file `path` holds `frames` that belong elsewhere: `what` is other than it should be."""

    def __init__(self, path: str, what: str, theirs: str, ours: str, frames: int) -> None:
        super().__init__(
            f"the spool {path} holds {frames} frames for another {what} ({theirs}, not {ours}); "
            "move the folder away, or correct HEADROOM_SPOOL_DIR"
        )
        self.path = path
        self.what = what
        self.frames = frames


class SteppedBack(ProducerError):
    """Another producer works in this one's place, or may do so: `why` says how that is known."""

    def __init__(self, why: str) -> None:
        super().__init__(f"another producer works ({why}); this one waits")
        self.why = why


class TopicMissing(ProducerError):
    """A topic is not there, or this principal may not see it; producers create none."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"topic {topic} is missing; run `headroom topics apply`")
        self.topic = topic


class SendFailed(ProducerError):
    """Kafka did not take a record; what was not acknowledged is not in the topic."""

    def __init__(self, topic: str, detail: str) -> None:
        super().__init__(
            f"a record could not be written to {topic} ({detail}); "
            "see the broker's log, then start the producer again"
        )
        self.topic = topic
        self.detail = detail
