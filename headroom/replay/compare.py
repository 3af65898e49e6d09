"""A generation beside the live one: topic by topic, what is the same, and what is not.

Memory grows with the users of one partition, never with the records: of each user's records a
digest is kept that does not depend on their order, and only where two digests differ the records
themselves are looked at.
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any, Final

import msgspec

from headroom.clients import Clients, Place
from headroom.generations.kind import FIRST, Generation, names_of
from schemas import topics

SHOWN_MAX: Final = 20
_RECORDS_AT_ONCE: Final = 500_000
_SUMS: Final = (topics.EXPOSURE_ASSET, topics.EXPOSURE_BASE)
_OF_USERS: Final = (topics.BALANCES_LATEST, topics.EXPOSURE_USER)
_DIGEST_BYTES: Final = 16
_MASK: Final = (1 << 8 * _DIGEST_BYTES) - 1


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
    def is_equal(self) -> bool:
        """Whether no difference was found."""
        return not (self.different or self.only_here or self.only_there)


class Comparison(msgspec.Struct):
    """All topics, and the keys that differ; of `differences` no more than `shown_max` are kept."""

    topics: list[Compared]
    differences: list[Difference]
    users: set[str]
    versions_compared: bool
    shown_max: int = SHOWN_MAX

    @property
    def is_equal(self) -> bool:
        """Whether no difference was found."""
        return all(one.is_equal for one in self.topics)

    def note(self, difference: Difference) -> None:
        """Keep a difference to show it."""
        if difference.topic in (topics.BALANCES, *_OF_USERS):
            self.users.add(difference.key)
        if len(self.differences) < self.shown_max:
            self.differences.append(difference)


def compare(
    clients: Clients,
    generation: Generation,
    live: str,
    *,
    partitions: int,
    shown_max: int = SHOWN_MAX,
) -> Comparison:
    """What a generation says beside what the public topics say."""
    return _Comparing(clients, generation, live, partitions, shown_max).run()


class _Records:
    """What a topic's records of one key add up to."""

    __slots__ = ("count", "digest")

    def __init__(self) -> None:
        self.count = self.digest = 0


class _Comparing:
    def __init__(
        self, clients: Clients, generation: Generation, live: str, partitions: int, shown_max: int
    ) -> None:
        self._clients = clients
        self._generation = generation
        self._here = names_of(generation.name, live=False)
        self._partitions = partitions
        compared = (topics.BALANCES, *_OF_USERS, *_SUMS, topics.DEAD_LETTERS)
        self._found = {topic: Compared(topic) for topic in compared}
        # Whoever read all frames counts as many versions; else only what they lead to is the same.
        whole = generation.is_whole and live == FIRST
        self._all = Comparison(list(self._found.values()), [], set(), whole, shown_max)
        own = [self._here.output(topic) for topic in compared]
        self._begins = clients.begins([*compared, *own], partitions)
        self._ends = clients.ends([*compared, *own], partitions)

    def run(self) -> Comparison:
        gone_on = False
        for partition in range(self._partitions):
            ahead = self._records(topics.BALANCES, [partition], _snapshot)
            gone_on = gone_on or bool(ahead)
            for topic in _OF_USERS:
                self._rows(topic, partition, ahead, versions=self._all.versions_compared)
        self._records(topics.DEAD_LETTERS, range(self._partitions), _letter)
        for topic in _SUMS:
            for partition in range(self._partitions):
                self._rows(topic, partition, None if gone_on else set(), versions=False)
        return self._all

    # -- topics of records: the same identities with the same bytes

    def _records(
        self, topic: str, partitions: Iterable[int], read: "Callable[[Any], _Said | None]"
    ) -> set[str]:
        """Compare what comes of the frames that the generation is made of, key by key.

        Returns the keys of which the public topic tells something of later frames.
        """
        ahead: set[str] = set()
        places = list(partitions)
        here = self._digests(self._here.output(topic), places, read, set())
        there = self._digests(topic, places, read, ahead)
        unlike = [
            key
            for key in here.keys() | there.keys()
            if key not in here or key not in there or here[key].digest != there[key].digest
        ]
        found = self._found[topic]
        found.equal += len(here.keys() | there.keys()) - len(unlike)
        for some in _portions(unlike, here, there):
            self._look_closer(topic, places, read, some)
        return ahead

    def _digests(
        self,
        topic: str,
        partitions: list[int],
        read: "Callable[[Any], _Said | None]",
        ahead: set[str],
    ) -> dict[str, _Records]:
        found: dict[str, _Records] = {}
        for said in self._said(topic, partitions, read, ahead):
            of_key = found.get(said.key)
            if of_key is None:
                of_key = found[said.key] = _Records()
            of_key.count += 1
            of_key.digest = (of_key.digest + said.digest()) & _MASK
        return found

    def _said(
        self,
        topic: str,
        partitions: list[int],
        read: "Callable[[Any], _Said | None]",
        ahead: set[str],
    ) -> "Iterator[_Said]":
        """What a topic tells of frames that the generation is made of; `ahead` gets the others."""
        generation, accounts = self._generation, self._generation.frames_of
        for message in self._clients.read(self._spans(topic, partitions)):
            said = read(message)
            if said is None:
                continue
            if generation.reads(*said.source):
                ids = accounts.get(said.venue, frozenset())
                if ids is None or said.account in ids:
                    yield said
            elif generation.is_behind(*said.source):
                ahead.add(said.key)

    def _look_closer(
        self,
        topic: str,
        partitions: list[int],
        read: "Callable[[Any], _Said | None]",
        keys: set[str],
    ) -> None:
        """Compare the records of some keys one by one: repetitions make no difference."""
        sides: list[dict[str, dict[str, int]]] = []
        for name in (self._here.output(topic), topic):
            of_key: dict[str, dict[str, int]] = {key: {} for key in keys}
            for said in self._said(name, partitions, read, set()):
                if said.key in of_key:
                    of_key[said.key][said.identity] = said.digest()
            sides.append(of_key)
        for key in sorted(keys):
            here, there = sides[0][key], sides[1][key]
            if here == there:
                self._found[topic].equal += 1
                continue
            unlike = {
                place for place in here.keys() | there.keys() if here.get(place) != there.get(place)
            }
            self._differs(
                topic,
                key,
                sorted(unlike & here.keys()) if here else None,
                sorted(unlike & there.keys()) if there else None,
            )

    # -- topics of tables: the last word on each key

    def _rows(self, topic: str, partition: int, ahead: set[str] | None, *, versions: bool) -> None:
        """Compare documents; `ahead` None: whatever differs may be due to later frames."""
        here = self._last(self._here.output(topic), partition)
        there = self._last(topic, partition)
        found = self._found[topic]
        for key in sorted(here.keys() | there.keys()):
            name = key.decode("utf-8", "replace")
            mine, others = here.get(key), there.get(key)
            if ahead is not None and name in ahead:
                found.ahead += 1
            elif mine == others or (
                mine is not None
                and others is not None
                and (not versions and _without_version(mine) == _without_version(others))
            ):
                found.equal += 1
            elif ahead is None:
                found.ahead += 1
            else:
                self._differs(topic, name, _document(mine), _document(others))

    def _last(self, topic: str, partition: int) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for message in self._clients.read(self._spans(topic, [partition])):
            key, value = message.key(), message.value()
            if value is None:
                found.pop(key, None)
            else:
                found[key] = value
        return found

    # --

    def _differs(self, topic: str, key: str, here: Any, there: Any) -> None:  # noqa: ANN401 - JSON
        found = self._found[topic]
        if here is None:
            found.only_there += 1
        elif there is None:
            found.only_here += 1
        else:
            found.different += 1
        self._all.note(Difference(topic, key, here, there))

    def _spans(self, topic: str, partitions: list[int]) -> dict[Place, tuple[int, int]]:
        places = [(topic, number) for number in partitions]
        return {place: (self._begins[place], self._ends[place]) for place in places}


class _Said(msgspec.Struct, frozen=True, gc=False):
    """One record that came of a frame: whose, of which frame, and what it says."""

    key: str
    venue: str
    account: bytes
    source: tuple[str, int, int]
    identity: str
    value: bytes

    def digest(self) -> int:
        """A number for identity and value; equal only where both are."""
        text = b"%b\0%b" % (self.identity.encode(), self.value)
        return int.from_bytes(blake2b(text, digest_size=_DIGEST_BYTES).digest(), "big")


def _snapshot(message: Any) -> _Said | None:  # noqa: ANN401 - librdkafka has no types
    """A record of `balances.v1`: its identity is the raw record's place."""
    identity = next(
        (value for name, value in message.headers() or () if name == "ce_id"), b""
    ).decode()
    user: str = (message.key() or b"").decode("utf-8", "replace")
    source = _source(identity)
    if source is None:
        return None
    venue, _, account = user.partition(":")
    return _Said(user, venue, account.encode(), source, identity, message.value() or b"")


def _letter(message: Any) -> _Said | None:  # noqa: ANN401 - as above
    """A dead letter: what it is compared by is the account, as far as that is known."""
    told = dict(message.headers() or [])
    place = [told.get(f"__connect.errors.{part}", b"") for part in ("topic", "partition", "offset")]
    identity = b"/".join(place).decode("utf-8", "replace")
    source = _source(identity)
    if source is None:
        return None
    venue, account = source[0].removeprefix("raw.").partition(".")[0], message.key() or b""
    value = b"%b\0%b" % (told.get("headroom.reason", b""), message.value() or b"")
    key = f"{venue}:{account.decode('utf-8', 'replace')}"
    return _Said(key, venue, account, source, identity, value)


def _source(identity: str) -> tuple[str, int, int] | None:
    topic, *numbers = identity.rsplit("/", 2)
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):  # noqa: PLR2004 - partition, offset
        return None
    return topic, int(numbers[0]), int(numbers[1])


def _portions(
    keys: list[str], here: dict[str, _Records], there: dict[str, _Records]
) -> Iterator[set[str]]:
    """The keys in portions whose records fit into memory."""
    portion: set[str] = set()
    size = 0
    for key in keys:
        size += max(side[key].count for side in (here, there) if key in side)
        portion.add(key)
        if size > _RECORDS_AT_ONCE:
            yield portion
            portion, size = set(), 0
    if portion:
        yield portion


def _document(value: bytes | None) -> Any:  # noqa: ANN401 - JSON
    return None if value is None else msgspec.json.decode(value)


def _without_version(value: bytes) -> Any:  # noqa: ANN401 - JSON
    document = msgspec.json.decode(value)
    document.pop("version", None)
    return document
