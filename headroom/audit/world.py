"""What the audit looks at: the records that lie in Kafka and the frames that the venues sent."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from headroom.audit.incarnations import Incarnations, incarnation_of, named
from schemas import topics
from schemas.venues import VENUES

RAW: Final = {venue.raw_topic: venue.name for venue in VENUES.values()}
"""Raw topics, without a prefix, and the venue whose frames they hold."""
TABLES: Final = (
    topics.BALANCES_LATEST,
    topics.EXPOSURE_USER,
    topics.EXPOSURE_ASSET,
    topics.EXPOSURE_BASE,
)
READ: Final = (*RAW, topics.BALANCES, *TABLES, topics.ALERTS, topics.DEAD_LETTERS)
"""The topics whose records are kept for the checks."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record as a consumer sees it; `topic` is its whole name, a prefix included."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def identity(self) -> tuple[str, int, int]:
        """Where it lies: nothing else lies there."""
        return self.topic, self.partition, self.offset

    @property
    def place(self) -> str:
        """The identity as text, as `ce_id` and findings give it."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    def header(self, name: str) -> str | None:
        """The header's text (the last one of that name), or None where there is none."""
        found = None
        for key, value in self.headers:
            if key == name and value is not None:
                found = value.decode("utf-8", "replace")
        return found


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A frame that a venue's journal says it sent; `place` names the journal's line.

    `fault` is the name of the fault under which a simulated venue sent it.
    """

    venue: str
    frame: bytes
    place: str
    fault: str | None = None


class World(msgspec.Struct, frozen=True):
    """Everything an audit judges.

    `records` is by the topic's name without its prefix, in order of offset within each
    partition. `starts` holds the first offset that is still kept, where it is not 0. `others` are
    records of topics that are not the contract's: only canaries are looked for in them. `owners`
    names the users that accounts of others have had, the present one last. `in_assets` are the
    venues whose limits of assets are amounts of the assets, not of the account's base currency.
    `incarnations` are those of raw topics that were made again or lost their ends.
    `unread` are records that no client here can read: topic, partition, offset.
    """

    records: dict[str, list[Record]]
    starts: dict[tuple[str, int], int] = {}
    sent: Sequence[Sent] = ()
    canaries: Sequence[bytes] = ()
    others: Sequence[Record] = ()
    owners: Mapping[str, Sequence[str]] = {}
    in_assets: Collection[str] = ()
    incarnations: Incarnations = {}
    unread: Collection[tuple[str, int, int]] = frozenset()

    def of(self, topic: str) -> list[Record]:
        """The records of one topic of the contract, none where it does not exist."""
        return self.records.get(topic, [])

    def raw(self) -> Iterable[tuple[str, Record]]:
        """Every raw record with its venue."""
        for topic, venue in RAW.items():
            for record in self.of(topic):
                yield venue, record

    def identity(self, record: Record) -> tuple[str, int, int]:
        """What identifies a raw record: its place, with the topic's incarnation in its name."""
        number = incarnation_of(self.incarnations, *record.identity)
        return named(record.topic, number), record.partition, record.offset

    def is_cut(self, records: Sequence[Record]) -> bool:
        """Say whether retention took the beginning of the topic that these records lie in.

        So it is, too, where the topic is not the first one of its name.
        """
        names = {record.topic for record in records}
        return bool(names & self.incarnations.keys()) or any(
            start > 0 and topic in names for (topic, _), start in self.starts.items()
        )
