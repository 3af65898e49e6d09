"""Topics of records of two generations: the same identities with the same bytes, key by key.

Memory grows with the keys of one partition, never with the records: of each key's records a digest
is kept that does not depend on their order, and only where two digests differ the records
themselves are looked at.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, Final

import msgspec

from headroom.base.clients import Clients, Place
from headroom.operate.generations.kind import Generation
from processors.engine.headers import headers_of
from processors.normalise import NORMALISERS, RawFrame
from schemas.codec import NotADocument, decode_by
from schemas.documents import Source
from schemas.headers import INCARNATION, PART, Receipt
from schemas.identity import user_for
from schemas.incarnations import named
from schemas.topics import BALANCES, DEAD_LETTERS
from schemas.venues import VENUES

_RECORDS_AT_ONCE: Final = 500_000
_NO_RECEIPT: Final = Receipt(0, 0, "")
_DIGEST_BYTES: Final = 16
# As offsets have: 64 bits.
_DIGITS_MAX: Final = 19
_MASK: Final = (1 << 8 * _DIGEST_BYTES) - 1


class Said(msgspec.Struct, frozen=True, gc=False):
    """One record that came of a frame: whose, of which frame, and what it says."""

    key: str
    source: tuple[str, int, int]
    identity: str
    value: bytes
    account_id: bytes | None = None

    def account(self) -> bytes:
        """The account's id."""
        if self.account_id is not None:
            return self.account_id
        return _of_account(self.value).account.encode()

    def digest(self) -> int:
        """A number for identity and value; equal only where both are."""
        text = b"%b\0%b" % (self.identity.encode(), self.value)
        return int.from_bytes(blake2b(text, digest_size=_DIGEST_BYTES).digest(), "big")


class _OfAccount(msgspec.Struct):
    user: str
    venue: str
    account: str


_DECODER: Final = msgspec.json.Decoder(_OfAccount)
_NOBODY: Final = _OfAccount("", "", "")


def _of_account(value: bytes) -> _OfAccount:
    """Whose snapshot it is; nobody's where it is none."""
    try:
        return decode_by(value, _DECODER)
    except NotADocument:
        return _NOBODY


class Unlike(msgspec.Struct, frozen=True):
    """A key of which two topics tell otherwise: the identities that are not the same in both.

    None where a topic tells nothing at all of the key.
    """

    key: str
    here: list[str] | None
    there: list[str] | None


class Told(msgspec.Struct):
    """How many keys are told of in the same way, and those that are not."""

    equal: int
    unlike: list[Unlike]


class Telling:
    """What a generation's topics and the public ones tell of the frames that it is made of.

    `topics` names both kinds: a public topic's name, and what the generation calls its own.
    Accounts that have `moved` (their own names) were told of under the users of then; they are
    compared by account, and the user does not count.
    """

    def __init__(
        self,
        clients: Clients,
        generation: Generation,
        topics: dict[str, str],
        *,
        partitions: int,
        moved: frozenset[str] = frozenset(),
    ) -> None:
        self._clients = clients
        self._generation = generation
        self._moved = moved
        self._partitions = partitions
        self._accounts = generation.frames_of
        self._own = topics
        read = [*topics, *topics.values()]
        self._begins, self._ends = clients.begins(read, partitions), clients.ends(read, partitions)

    def size(self, partition: int) -> int:
        """How many records of snapshots a partition has, both together."""
        places = [(BALANCES, partition), (self._own[BALANCES], partition)]
        return sum(self._ends[place] - self._begins[place] for place in places)

    def compare(self, topic: str, partitions: Iterable[int]) -> Iterator[Told]:
        """Both topics' partitions side by side; what is told in portions that fit into memory.

        Without accounts that have moved, which lie in other partitions here and there.
        """
        return self._compare(topic, list(partitions), moved=False)

    def compare_moved(self, topic: str) -> Iterator[Told]:
        """The same of accounts that have moved, in all partitions."""
        if self._moved:
            yield from self._compare(topic, list(range(self._partitions)), moved=True)

    def _compare(self, topic: str, places: list[int], *, moved: bool) -> Iterator[Told]:
        here = self._digests(self._own[topic], places, moved=moved)
        there = self._digests(topic, places, moved=moved)
        keys = here.keys() | there.keys()
        unlike = [
            key
            for key in keys
            if key not in here or key not in there or here[key].digest != there[key].digest
        ]
        yield Told(len(keys) - len(unlike), [])
        for portion in _portions(unlike, here, there):
            yield self._look_closer(topic, places, portion)

    def _digests(self, topic: str, partitions: list[int], *, moved: bool) -> "dict[str, _Digest]":
        found: dict[str, _Digest] = {}
        for said, _ in self.said(topic, partitions):
            if self._moved and (said.key in self._moved) != moved:
                continue
            of_key = found.get(said.key)
            if of_key is None:
                of_key = found[said.key] = _Digest()
            of_key.count += 1
            of_key.digest = (of_key.digest + said.digest()) & _MASK
        return found

    def _look_closer(self, topic: str, partitions: list[int], keys: set[str]) -> Told:
        """Compare the records of some keys one by one: the last of each identity counts."""
        sides: list[dict[str, dict[str, int]]] = []
        for name in (self._own[topic], topic):
            of_key: dict[str, dict[str, int]] = {key: {} for key in keys}
            for said, _ in self.said(name, partitions):
                if said.key in of_key:
                    of_key[said.key][said.identity] = said.digest()
            sides.append(of_key)
        told = Told(0, [])
        for key in sorted(keys):
            here, there = sides[0][key], sides[1][key]
            if here == there:
                told.equal += 1
                continue
            unlike = [
                place
                for place in sorted(here.keys() | there.keys())
                if here.get(place) != there.get(place)
            ]
            mine, others = [p for p in unlike if p in here], [p for p in unlike if p in there]
            told.unlike.append(Unlike(key, mine if here else None, others if there else None))
        return told

    def said(self, topic: str, partitions: Iterable[int]) -> Iterator[tuple[Said, Any]]:
        """What a topic tells of the frames that the generation is made of, with the record."""
        read = _letter if topic.endswith(DEAD_LETTERS) else _snapshot
        everybody = all(ids is None for ids in self._accounts.values())
        for message in self._clients.read(self._spans(topic, partitions)):
            said = read(message)
            if said is not None and self._moved and read is _snapshot:
                said = _without_user(said, self._moved)
            if said is None or not self._generation.tells(*said.source):
                continue
            ids = None if everybody else self._accounts.get(venue_of(said.source[0]), frozenset())
            if ids is None or said.account() in ids:
                yield said, message

    def _spans(self, topic: str, partitions: Iterable[int]) -> dict[Place, tuple[int, int]]:
        places = [(topic, number) for number in partitions]
        return {place: (self._begins[place], self._ends[place]) for place in places}


class _Digest:
    """What a topic's records of one key add up to."""

    __slots__ = ("count", "digest")

    def __init__(self) -> None:
        self.count = self.digest = 0


def _snapshot(message: Any) -> Said | None:  # noqa: ANN401 - librdkafka has no types
    """A record of `balances.v1`: its identity is the raw record's place, and which part it is."""
    ids = [value for name, value in headers_of(message) if name == "ce_id"]
    identity = (ids[0] or b"").decode("utf-8", "replace") if ids else ""
    user: str = (message.key() or b"").decode("utf-8", "replace")
    source = _source(identity)
    return None if source is None else Said(user, source, identity, message.value() or b"")


def _without_user(said: Said, moved: frozenset[str]) -> Said:
    """A snapshot as that of its account, if the account has moved."""
    of = _of_account(said.value)
    own = user_for(of.venue, of.account)
    if own not in moved:
        return said
    # The user is what a document begins with.
    value = said.value[len(b'{"user":') + len(msgspec.json.encode(of.user)) :]
    return msgspec.structs.replace(said, key=own, value=value, account_id=of.account.encode())


def _letter(message: Any) -> Said | None:  # noqa: ANN401 - as above
    """A dead letter: what it is compared by is the account, as far as that is known."""
    told = {name: value or b"" for name, value in headers_of(message)}
    topic, *place = (
        told.get(f"__connect.errors.{part}", b"").decode("utf-8", "replace")
        for part in ("topic", "partition", "offset")
    )
    if (later := told.get(INCARNATION, b"")).isdigit():
        topic = named(topic, int(later))
    part = [told[PART].decode("utf-8", "replace")] if PART in told else []
    identity = "/".join([topic, *place, *part])
    source = _source(identity)
    if source is None or venue_of(source[0]) not in VENUES:
        return None
    account = message.key()
    if account is None:
        account = _account(source[0], message.value() or b"", int(part[0]) if part else 0)
    value = b"%b\0%b" % (told.get("headroom.reason", b""), message.value() or b"")
    key = f"{venue_of(source[0])}:{account.decode('utf-8', 'replace')}"
    return Said(key, source, identity, value, account)


def _account(topic: str, frame: bytes, part: int) -> bytes:
    """Whose account a frame without a key tells of at this place, as far as that can be read."""
    outcome = NORMALISERS[venue_of(topic)](RawFrame(frame, _NO_RECEIPT, Source(topic, 0, 0)))
    parts = outcome if isinstance(outcome, tuple) else (outcome,)
    return (parts[part].account or "").encode() if part < len(parts) else b""


def venue_of(raw_topic: str) -> str:
    """The venue whose frames a topic holds."""
    return raw_topic.removeprefix("raw.").partition(".")[0]


def _source(identity: str) -> tuple[str, int, int] | None:
    """The raw record of an identity: `TOPIC/PARTITION/OFFSET`, or `/PART` behind that."""
    topic, *numbers = identity.split("/")
    if len(numbers) not in (2, 3) or not all(map(_is_number, numbers)):
        return None
    return topic, int(numbers[0]), int(numbers[1])


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX


def _portions(
    keys: list[str], here: dict[str, _Digest], there: dict[str, _Digest]
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


RECORD_TOPICS: Final = (BALANCES, DEAD_LETTERS)
"""The public topics in which every record counts, not only the last of its key."""
