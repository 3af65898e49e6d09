"""A generation beside the live one: topic by topic, what is the same, and what is not."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from headroom.base.clients import Clients
from headroom.operate.generations.kind import FIRST, Generation, names_of
from headroom.operate.replay.records import RECORD_TOPICS, Telling, Told
from headroom.operate.replay.rows import Tables, User, same
from processors.ledger.users import Unread, UserState
from processors.ledger.views import NOWHERE, Venues
from schemas import topics
from schemas.documents import AssetExposure

SHOWN_MAX: Final = 20
_RECORDS_AT_ONCE: Final = 500_000
_OF_USERS: Final = (topics.BALANCES_LATEST, topics.EXPOSURE_USER)
_SUMS: Final = (topics.EXPOSURE_ASSET, topics.EXPOSURE_BASE)


class Difference(msgspec.Struct, frozen=True):
    """One key of a topic of which the generations say different things; None is nothing."""

    topic: str
    key: str
    here: Any
    there: Any


class Compared(msgspec.Struct):
    """One topic: how many keys are equal, different, only in the generation, only in the live one.

    `ahead` were not compared: the live generation has read frames of theirs that this one has not.
    """

    topic: str
    equal: int = 0
    different: int = 0
    only_here: int = 0
    only_there: int = 0
    ahead: int = 0

    @property
    def unlike(self) -> int:
        """How many keys are not the same in both."""
        return self.different + self.only_here + self.only_there


class Comparison(msgspec.Struct):
    """All topics, and the keys that differ; of `differences` no more than `shown_max` are kept.

    `users` are those of whom anything differs. `corrections` names, by topic, the identities that
    only the generation has, or has otherwise.
    """

    topics: list[Compared]
    versions_compared: bool
    shown_max: int = SHOWN_MAX
    differences: list[Difference] = []
    users: set[str] = set()
    corrections: dict[str, set[str]] = {}

    @property
    def is_equal(self) -> bool:
        """Whether no difference was found."""
        return not any(one.unlike for one in self.topics)


def compare(
    clients: Clients,
    generation: Generation,
    live: str,
    *,
    partitions: int,
    moved: frozenset[str] = frozenset(),
    in_assets: Venues = NOWHERE,
    shown_max: int = SHOWN_MAX,
) -> Comparison:
    """What a generation says beside what the live one says.

    `moved` are accounts that have belonged to several users, by their own names; `in_assets` the
    venues whose limits of assets are amounts of the assets.
    """
    tables = Tables(clients, generation.name, live, partitions=partitions, in_assets=in_assets)
    return _Comparing(clients, generation, live, tables, partitions, moved, shown_max).run()


class _Comparing:
    def __init__(
        self,
        clients: Clients,
        generation: Generation,
        live: str,
        tables: Tables,
        partitions: int,
        moved: frozenset[str],
        shown_max: int,
    ) -> None:
        self._generation = generation
        self._partitions = partitions
        own = names_of(generation.name, live=False)
        self._telling = Telling(
            clients,
            generation,
            {topic: own.output(topic) for topic in RECORD_TOPICS},
            partitions=partitions,
            moved=moved,
        )
        self._tables = tables
        compared = (topics.BALANCES, *_OF_USERS, topics.UNCONFIRMED, *_SUMS, topics.DEAD_LETTERS)
        self._found = {topic: Compared(topic) for topic in compared}
        # Whoever read all frames counts as many versions; else only what they lead to is the same.
        # Of a moved account the users of before counted what is the present one's here.
        whole = generation.is_whole and live == FIRST and not moved
        self._all = Comparison(list(self._found.values()), whole, shown_max)

    def run(self) -> Comparison:
        gone_on = 0
        for some in self._portions():
            self._records(topics.BALANCES, some)
            gone_on += self._users(some)
        for told in self._telling.compare_moved(topics.BALANCES):
            self._note(topics.BALANCES, told)
        # Letters without a key lie in any partition.
        self._records(topics.DEAD_LETTERS, list(range(self._partitions)))
        self._sums(gone_on=bool(gone_on))
        return self._all

    def _portions(self) -> Iterator[list[int]]:
        """The partitions in portions: what is small is read at once, what is large one by one."""
        portion: list[int] = []
        size = 0
        for partition in range(self._partitions):
            records = self._telling.size(partition) + self._tables.size(partition)
            if portion and size + records > _RECORDS_AT_ONCE:
                yield portion
                portion, size = [], 0
            portion.append(partition)
            size += records
        yield portion

    def _records(self, topic: str, partitions: list[int]) -> None:
        for told in self._telling.compare(topic, partitions):
            self._note(topic, told)

    def _note(self, topic: str, told: Told) -> None:
        self._found[topic].equal += told.equal
        for unlike in told.unlike:
            here = set(unlike.here or ())
            self._all.corrections.setdefault(topic, set()).update(here)
            self._differs(topic, unlike.key, unlike.here, unlike.there)

    def _users(self, partitions: list[int]) -> int:
        """Compare the users of some partitions; how many the live generation has gone on with."""
        versions, gone_on = self._all.versions_compared, 0
        for pair in self._tables.users(partitions):
            here, there = (None, None) if pair is None else (pair.here, pair.there)
            ahead = there is not None and self._is_ahead(there.state)
            gone_on += ahead
            for topic, mine, other in (
                (topics.BALANCES_LATEST, here and here.balances, there and there.balances),
                (topics.EXPOSURE_USER, here and here.exposure, there and there.exposure),
            ):
                if pair is None or same(mine, other, versions=versions):
                    self._found[topic].equal += 1
                elif ahead:
                    self._found[topic].ahead += 1
                else:
                    self._differs(topic, pair.key.decode(), mine, other)
            self._doubts(here, there, ahead=ahead)
        return gone_on

    def _doubts(self, here: User | None, there: User | None, *, ahead: bool) -> None:
        """Compare which accounts of a user are in doubt, and by which frames."""
        mine = {} if here is None else here.state.unread
        other = {} if there is None else there.state.unread
        for key in sorted(mine.keys() | other.keys()):
            if mine.get(key) == other.get(key):
                self._found[topics.UNCONFIRMED].equal += 1
            elif ahead or self._is_later(other.get(key)):
                self._found[topics.UNCONFIRMED].ahead += 1
            else:
                self._differs(topics.UNCONFIRMED, key, mine.get(key), other.get(key))

    def _is_later(self, one: Unread | None) -> bool:
        """Whether a frame is one that the generation has yet to read."""
        if one is None:
            return False
        source = one.source
        return self._generation.is_behind(source.topic, source.partition, source.offset)

    def _is_ahead(self, state: UserState) -> bool:
        """Whether a row is of frames that the generation has yet to read."""
        sources = [one.source for one in state.accounts.values()]
        return any(self._generation.is_behind(s.topic, s.partition, s.offset) for s in sources)

    def _sums(self, *, gone_on: bool) -> None:
        """Compare the sums; what differs may be due to later frames, if there are any."""
        for pair in self._tables.sums():
            asset = isinstance(pair.here or pair.there, AssetExposure)
            topic = topics.EXPOSURE_ASSET if asset else topics.EXPOSURE_BASE
            if same(pair.here, pair.there, versions=False):
                self._found[topic].equal += 1
            elif gone_on:
                self._found[topic].ahead += 1
            else:
                self._differs(topic, msgspec.json.decode(pair.key)[1], pair.here, pair.there)

    def _differs(self, topic: str, key: str, here: Any, there: Any) -> None:  # noqa: ANN401 - JSON
        found = self._found[topic]
        if here is None:
            found.only_there += 1
        elif there is None:
            found.only_here += 1
        else:
            found.different += 1
        if topic not in (*_SUMS, topics.DEAD_LETTERS, topics.UNCONFIRMED):
            self._all.users.add(key)
        if len(self._all.differences) < self._all.shown_max:
            told = Difference(topic, key, msgspec.to_builtins(here), msgspec.to_builtins(there))
            self._all.differences.append(told)
