"""The topics, their keys, values and settings: fixed by the contract, applied by the command line.

Partition counts are the same for all, so that a user's records lie in the partition of the same
number everywhere; the partitioner is Kafka's own (murmur2 of the key).
"""

from typing import Final, Literal

import msgspec

from schemas import documents, feeds
from schemas.venues import VENUES

PARTITIONS_DEFAULT: Final = 8
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
"""The largest frame that is taken from a socket and kept in raw."""
RECORD_BYTES_MAX: Final = FRAME_BYTES_MAX + 1024 * 1024
"""A frame with its key and headers; every topic takes records of this size."""
DEAD_LETTER_BYTES_MAX: Final = RECORD_BYTES_MAX + 256 * 1024

TOMBSTONE_SECONDS: Final = 24 * 60 * 60
"""How long a deleted key's tombstone can still be read from a compacted topic."""

_DAY_MS: Final = 24 * 60 * 60 * 1000
# Each connection tells every second, and whoever starts reads it all.
_STATUSES_MS: Final = 10 * 60 * 1000
KEPT_MS: Final = 30 * _DAY_MS
"""How long a topic that is not compacted keeps its records."""

BALANCES: Final = "balances.v1"
BALANCES_LATEST: Final = "balances.latest.v1"
EXPOSURE_USER: Final = "exposure.user.v1"
EXPOSURE_ASSET: Final = "exposure.asset.v1"
EXPOSURE_BASE: Final = "exposure.base.v1"
ALERTS: Final = "alerts.v1"
DEAD_LETTERS: Final = "deadletters.v1"
PUBLIC_FEEDS: Final = "feeds.v1"
UNCONFIRMED: Final = "unconfirmed.v1"
CONTRIBUTIONS: Final = "headroom-contributions.v1"
"""Private: what each user holds of each asset, on its way to the sums over all users."""
RETRIES: Final = "headroom-retries.v1"
"""Private: which dead letters were sent again, and where they lie now."""
GENERATIONS: Final = "headroom-generations.v1"
"""Private: which generations of tables there are, and which of them is live."""
ACCOUNTS: Final = "headroom-accounts.v1"
"""Private: accounts that belong to a user of another name, and which move made it so."""
MOVES: Final = "headroom-moves.v1"
"""Private: orders that users give accounts away."""
ADOPTIONS: Final = "headroom-adoptions.v1"
"""Private: accounts on their way from one user to another."""
LEASES: Final = "headroom-leases.v1"
"""Private and empty: who of several producers has its one partition is the one that works."""
FEEDS: Final = "headroom-feeds.v1"
"""Private: how each venue's connections are, told by their producers."""


class Topic(msgspec.Struct, frozen=True):
    """One topic: what its key and value are, and how long it is kept.

    `value` is the document's type, or None where the bytes are the venue's own; with `tombstones` a
    key can also lose its value, and `gone` says what that means. `public` topics are for other
    teams; the others begin with `headroom-` and may change. `about` is a sentence for readers.
    `compacted_ms` is how long a compacted topic may keep what is not a key's newest record.
    `partitions` is given where it has another number of them than all others.
    """

    name: str
    key: str
    value: type[msgspec.Struct] | None
    cleanup: Literal["delete", "compact"]
    about: str = ""
    public: bool = True
    tombstones: bool = False
    gone: str = "The user's last account was deleted: the key has no value any more."
    bytes_max: int = RECORD_BYTES_MAX
    compacted_ms: int = _DAY_MS
    partitions: int | None = None

    def settings(self, *, replication_factor: int) -> dict[str, str]:
        """The topic's settings in Kafka, all as text."""
        settings = {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": str(self.bytes_max),
            # With acks=all a record is on this many replicas before anyone builds on it; one may
            # be down without stopping the writers.
            "min.insync.replicas": str(max(1, replication_factor - 1)),
            # A replica that is behind must not become the one that counts: it has lost records.
            "unclean.leader.election.enable": "false",
            # Times are those at which records were sent; retention and `--from` go by them.
            "message.timestamp.type": "CreateTime",
        }
        if self.cleanup == "delete":
            settings["retention.ms"] = str(KEPT_MS)
            # A cluster's own limit by bytes would take records before their time.
            settings["retention.bytes"] = "-1"
            return settings
        # A deleted user's data is gone from a compacted topic within this much time: it is
        # compacted a day after it was written at the latest, its tombstone goes a day later.
        settings["max.compaction.lag.ms"] = str(self.compacted_ms)
        # Not later than that, whatever a cluster would have.
        settings["min.compaction.lag.ms"] = "0"
        settings["delete.retention.ms"] = str(TOMBSTONE_SECONDS * 1000)
        settings["segment.ms"] = str(self.compacted_ms)
        return settings


_ALL: Final = (
    *(
        Topic(
            venue.raw_topic,
            "account's id, of several the first one's, or null where it cannot be read",
            None,
            "delete",
            about=f"Every frame of {venue.name}, byte for byte.",
        )
        for venue in VENUES.values()
    ),
    Topic(
        BALANCES,
        "user",
        documents.BalanceSnapshot,
        "delete",
        about="Every frame that could be read, as a snapshot of its account; in order for an "
        "account, once repetitions (the same `ce_id`) are dropped.",
    ),
    Topic(
        BALANCES_LATEST,
        "user",
        documents.UserBalances,
        "compact",
        about="What each user holds now.",
        tombstones=True,
    ),
    Topic(
        EXPOSURE_USER,
        "user",
        documents.UserExposure,
        "compact",
        about="Each user's exposure by asset, and how close every limit is.",
        tombstones=True,
    ),
    Topic(
        EXPOSURE_ASSET,
        "asset",
        documents.AssetExposure,
        "compact",
        about="What all users hold of each asset; it stays, with zeros, when nobody holds it.",
    ),
    Topic(
        EXPOSURE_BASE,
        "base currency",
        documents.BaseExposure,
        "compact",
        about="All accounts' own totals in each base currency; it stays, with zeros.",
    ),
    Topic(
        ALERTS,
        "user",
        documents.LimitAlert,
        "delete",
        about="A rule of the workers was crossed or left behind: one record for each crossing.",
    ),
    Topic(
        PUBLIC_FEEDS,
        "venue and connection, as in `hercle/1`",
        feeds.FeedStatus,
        "compact",
        about="How each connection to a venue is, told at every change and every 15 seconds.",
        tombstones=True,
        gone="There is no such connection any more: its key was taken out of the settings.",
        compacted_ms=_STATUSES_MS,
    ),
    Topic(
        UNCONFIRMED,
        "venue and account, as in `sfox:test3`",
        feeds.UnconfirmedAccount,
        "compact",
        about="Accounts that are in doubt although their connection is not, and why.",
        tombstones=True,
        gone="A later frame vouches for the account: it is as fresh as its connection.",
    ),
    # Whatever fits into raw fits in here with the headers that tell why.
    Topic(
        DEAD_LETTERS,
        "raw record's key",
        None,
        "delete",
        about="Every frame that could not be read, byte for byte, and why.",
        bytes_max=DEAD_LETTER_BYTES_MAX,
    ),
    Topic(CONTRIBUTIONS, "asset or base currency", None, "delete", public=False),
    Topic(RETRIES, "dead letter's origin", None, "compact", public=False),
    Topic(ACCOUNTS, "account", None, "compact", public=False),
    Topic(MOVES, "user", None, "delete", public=False),
    Topic(ADOPTIONS, "user", None, "delete", public=False),
    Topic(GENERATIONS, "generation", None, "compact", public=False),
    Topic(LEASES, "none", None, "delete", public=False, partitions=1),
    Topic(
        FEEDS,
        "venue and connection",
        None,
        "compact",
        public=False,
        compacted_ms=_STATUSES_MS,
    ),
)
CHANGELOG: Final = Topic("headroom-…-changelog", "the table's", None, "compact", public=False)
"""What every table's changelog is set to; their names are made of the app's and the table's."""

TOPICS: Final = {topic.name: topic for topic in _ALL}
