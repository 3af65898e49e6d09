"""Which raw record an outcome is of, and which of several accounts that the record tells of."""

from typing import Final

from headroom.audit.incarnations import named, split
from headroom.audit.world import RAW, Record, World
from schemas.topics import BALANCES, DEAD_LETTERS

Identity = tuple[str, int, int]
"""A raw record: topic (and its incarnation from the second on), partition, offset."""
Key = tuple[Identity, int | None]
"""An outcome: its raw record, and the account's number where the record tells of several."""

ERRORS: Final = "__connect.errors."
PARTS: Final = "headroom.parts"
DIGITS_MAX: Final = 19
ADDED: Final = (
    "headroom.reason",
    "headroom.version",
    "headroom.generation",
    "headroom.part",
    "headroom.incarnation",
    PARTS,
)
"""What a dead letter has beside its raw record's headers and those of Kafka Connect."""


def event_key(record: Record) -> Key | None:
    """Read the `ce_id` of a record of `balances.v1`."""
    return parse_key(record.header("ce_id"))


def letter_key(record: Record) -> Key | None:
    """Read the headers of a dead letter."""
    topic, *where = [str(record.header(ERRORS + part)) for part in ("topic", "partition", "offset")]
    part, later = record.header("headroom.part"), record.header("headroom.incarnation")
    if later is not None:
        topic = f"{topic}~{later}"
    return parse_key("/".join([topic, *where] + ([] if part is None else [part])))


def parse_key(text: str | None) -> Key | None:
    """Read `TOPIC/PARTITION/OFFSET` of a raw topic, or `TOPIC/PARTITION/OFFSET/PART`.

    The topic is `TOPIC~N` from its second incarnation on.
    """
    name, *numbers = (text or "").split("/")
    topic = split(name)
    if topic is None or not topic[0].endswith(tuple(RAW)) or len(numbers) not in (2, 3):
        return None
    if not all(one.isascii() and one.isdigit() and len(one) <= DIGITS_MAX for one in numbers):
        return None
    partition, offset, *part = map(int, numbers)
    return (named(*topic), partition, offset), part[0] if part else None


class Corrections:
    """The last outcomes of raw records that were told again with others."""

    def __init__(self, world: World) -> None:
        self._last: dict[Key, Record] = {}
        self._in_parts: dict[Identity, bool] = {}
        for topic, name in ((BALANCES, event_key), (DEAD_LETTERS, letter_key)):
            for record in world.of(topic):
                key = name(record) if record.header("headroom.generation") is not None else None
                if key is not None:
                    self._last[key] = record
                    self._in_parts[key[0]] = key[1] is not None

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return bool(self._last)

    def __contains__(self, key: object) -> bool:
        """Say whether an outcome is a correction, or was corrected."""
        return key in self._last

    def stand_for(self, key: Key, record: Record) -> bool:
        """Say whether another record stands for this outcome.

        It does too where the whole was told of and the accounts are now, or the other way round.
        """
        if key in self._last:
            return self._last[key] is not record
        in_parts = self._in_parts.get(key[0])
        return in_parts is not None and in_parts != (key[1] is not None)
