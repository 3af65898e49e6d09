"""The ids that a schema registry has for the schemas of public topics, as headers."""

from collections.abc import Iterable

from schemas.headers import VALUE_SCHEMA_ID, Headers
from schemas.topics import TOPICS


class SchemaIds:
    """What a registry has told so far; it may tell more while a worker works.

    `headers` has for each topic the header that names its schema, or none. `wanted` are the topics
    that the registry is asked for; without a registry there are none. A header tells nobody which
    record it is: who writes one again may write it with a header that was not known before.
    """

    def __init__(self, wanted: Iterable[str] = ()) -> None:
        self.headers: dict[str, Headers] = {topic: [] for topic in TOPICS}
        self.wanted = frozenset(wanted)
        self.failures = 0

    @property
    def missing(self) -> list[str]:
        """The wanted topics without an id, by name."""
        return sorted(topic for topic in self.wanted if not self.headers[topic])

    def tell(self, topic: str, value: bytes) -> None:
        """A topic's schema has an id: `value` is that of the header."""
        self.headers[topic] = [(VALUE_SCHEMA_ID, value)]
