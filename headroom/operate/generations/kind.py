"""What a generation is: which frames it was made of, how far it is, and what it has in Kafka."""

import re
from typing import Final, Literal

import msgspec

from headroom.base.errors import OperatorError
from processors.names import ALERTS_TABLE, ASSETS_TABLE, USERS_TABLE, Accounts, Names
from schemas import topics
from schemas.incarnations import Incarnation, number_at, parted
from schemas.topics import Topic
from schemas.venues import VENUES

FIRST: Final = "first"
"""The generation that is live until another one is promoted."""
_APP: Final = "headroom"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_OUTPUTS: Final = (
    topics.BALANCES,
    topics.BALANCES_LATEST,
    topics.EXPOSURE_USER,
    topics.EXPOSURE_ASSET,
    topics.EXPOSURE_BASE,
    topics.ALERTS,
    topics.UNCONFIRMED,
    topics.DEAD_LETTERS,
)

Mapped = dict[str, list[int]]
"""Offsets: of each topic one for each partition, in their order."""


class BadName(OperatorError):
    """A text that cannot be a generation's name."""


class Generation(msgspec.Struct, frozen=True):
    """One generation as it is recorded in Kafka.

    `made_ns` tells it from an earlier one of its name, `code` is the version of the code.
    `accounts` names the accounts whose frames it was made of, by venue (None: all). It was made of
    the frames from `starts` to before `ends`; `carried` accounts were taken from the tables of the
    generation `origin` as they were. Of what came of frames before `told_from` (None: `starts`) its
    own topics tell nothing: it was live then. `rate` is how many frames a second it took.
    `incarnations` are those of the raw topics that its offsets are of, as `Agents` takes them.
    `terms` are the version and the settings of whoever makes it, by their names. `is_going`: it is
    being removed.
    """

    name: str
    made_ns: int
    code: str
    state: Literal["carrying", "replaying", "complete"]
    accounts: dict[str, list[str] | None]
    starts: Mapped
    ends: Mapped
    origin: str = FIRST
    told_from: Mapped | None = None
    carried: int = 0
    rate: float = 0.0
    incarnations: dict[str, tuple[Incarnation, ...]] = {}
    terms: dict[str, str] = {}
    is_going: bool = False

    @property
    def frames_of(self) -> dict[str, Accounts]:
        """The accounts whose frames are read, as the agents want them."""
        return {
            venue: None if ids is None else frozenset(one.encode() for one in ids)
            for venue, ids in self.accounts.items()
        }

    @property
    def is_whole(self) -> bool:
        """Whether it was made of every frame that there ever was."""
        everything = dict.fromkeys(VENUES)
        starts = (offset for offsets in self.starts.values() for offset in offsets)
        return self.accounts == everything and not any(starts)

    def tells(self, topic: str, partition: int, offset: int) -> bool:
        """Whether its own topics tell what came of a place in raw, accounts aside.

        The topic is named as in identities.
        """
        topic, found = self.known_as(topic, partition, offset)
        begins = self.told_from or self.starts
        if found:
            return False
        if topic not in begins or partition >= len(begins[topic]):
            return False
        return begins[topic][partition] <= offset < self.ends[topic][partition]

    def is_behind(self, topic: str, partition: int, offset: int) -> bool:
        """Whether a place in raw, as identities name it, lies behind what it was made of."""
        topic, found = self.known_as(topic, partition, offset)
        if found:
            return found > 0
        known = topic in self.ends and partition < len(self.ends[topic])
        return not known or offset >= self.ends[topic][partition]

    def known_as(self, name: str, partition: int, offset: int) -> tuple[str, int]:
        """The raw topic that an identity names, and how the record is to the one that was read.

        0: it lies there at this offset. Below 0: it is of an earlier incarnation, and gone; above
        0: of a later one.
        """
        topic, number = parted(name)
        return topic, number - number_at(self.incarnations.get(topic, ()), partition, offset)


class Live(msgspec.Struct, frozen=True):
    """Which generation is live; `promoting` is the one that is about to be instead of it."""

    name: str = FIRST
    promoting: str | None = None


def check_name(name: str) -> str:
    """The name, if a generation can have it; raises `BadName`."""
    if _NAME.fullmatch(name) is None:
        raise BadName(f"{name!r} is no generation's name: a-z, 0-9 and -, 40 at most")
    return name


def app_name(name: str) -> str:
    """The consumer group of a generation, and the beginning of its changelogs' names."""
    return _APP if name == FIRST else f"{_APP}-generation.{name}"


def is_group(group: str) -> bool:
    """Whether a consumer group is that of a generation."""
    return group == _APP or group.startswith(f"{_APP}-generation.")


def names_of(name: str, *, live: bool) -> Names:
    """What a generation's topics are called: to others only the live one tells anything."""
    own = f"{_APP}-generation.{name}."
    return Names(outputs="" if live else own, private="" if name == FIRST else own)


def changelog(name: str, table: str) -> str:
    """What the changelog of a generation's table is called."""
    return f"{app_name(name)}-{table}-changelog"


def kept_of(name: str, names: Names) -> list[str]:
    """Where its agents keep what they go on from, and what is compared, under these names."""
    return [*names.folded, names.output(topics.DEAD_LETTERS), *tables_of(name)]


def tables_of(name: str) -> dict[str, Topic]:
    """The changelogs of a generation's tables."""
    tables = (USERS_TABLE, ASSETS_TABLE, ALERTS_TABLE)
    return {changelog(name, table): topics.CHANGELOG for table in tables}


def read_by(name: str) -> dict[str, Topic]:
    """Every topic that the workers of a live generation read or keep tables in.

    Statuses, the book and the bindings are not among them: they are followed, not worked through
    (`FOLLOWED`).
    """
    names = names_of(name, live=True)
    read = [*(venue.raw_topic for venue in VENUES.values()), topics.MOVES, topics.BALANCES]
    found = {names.source(topic): topics.TOPICS[topic] for topic in read}
    found[names.contributions] = topics.TOPICS[topics.CONTRIBUTIONS]
    found[names.adoptions] = topics.TOPICS[topics.ADOPTIONS]
    return found | tables_of(name)


def topics_of(name: str) -> dict[str, Topic]:
    """Every topic that is this generation's alone."""
    names = names_of(name, live=False)
    found = {names.output(topic): topics.TOPICS[topic] for topic in _OUTPUTS}
    if name != FIRST:
        found[names.contributions] = topics.TOPICS[topics.CONTRIBUTIONS]
        found[names.adoptions] = topics.TOPICS[topics.ADOPTIONS]
    return found | tables_of(name)
