"""`headroom resume`: what is wrong with the logs, and going on from a place that one chooses.

All that follows from a choice is one transaction: where the group stands, what casts doubt on
accounts, shares that are told again, and what the book says of topics. Who is killed in between has
done nothing, and who is called again does the same.
"""

import asyncio
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaException, TopicPartition

from headroom.base import known_topics
from headroom.base.clients import Clients, InUse, Place
from headroom.base.errors import KafkaUnreachable, TopicsDiffer
from headroom.base.settings import Settings
from headroom.operate.accounts.bindings import Bindings, read_what_is_left
from headroom.operate.generations import Book, app_name, names_of, read_book
from headroom.operate.generations.kind import changelog
from headroom.operate.replay.alone import NotAlone, alone
from headroom.operate.replay.carry import Out, put
from headroom.operate.resume import show, small
from headroom.operate.resume.doubts import accounts
from headroom.operate.resume.moved import judged
from headroom.operate.resume.orders import first_unfollowed
from headroom.operate.resume.picture import Kind, Picture, look
from headroom.operate.resume.plan import (
    Act,
    Choice,
    Doubt,
    Go,
    Know,
    NoWay,
    Retell,
    gone_words,
    plan,
    untouched,
    wrongs,
)
from headroom.operate.resume.rows import UserRows
from headroom.operate.resume.shares import shares
from headroom.operate.resume.told import first_new, first_unknown, raw_places
from headroom.operate.topics.known import know_itself
from processors.engine.marks import mark
from processors.ledger.users import UserState
from processors.names import ASSETS_TABLE, USERS_TABLE
from schemas.codec import decode, encode
from schemas.times import rfc3339
from schemas.topics import GENERATIONS

TRANSACTION_SECONDS: Final = 600.0
_ANSWER_SECONDS: Final = 10.0


class Done(msgspec.Struct, frozen=True):
    """What was done: where the group stands, accounts in doubt, shares told again, topics known.

    `again` are records that were lost and are written again.
    """

    stands: dict[Place, int]
    doubtful: int
    retold: int
    topics: list[known_topics.KnownTopic]
    again: int = 0


async def run_report(settings: Settings, *, as_json: bool) -> None:
    """Say what is wrong, and what each choice would do; nothing is touched."""
    clients = Clients(settings.kafka)
    book = await _book(settings, clients)
    picture = await _looked(settings, clients, book, stable=False)
    members = (await asyncio.to_thread(clients.group, app_name(picture.live))).members
    found = [*wrongs(picture), *small.wrongs(picture)]
    told = (
        show.as_json(picture, found, members) if as_json else show.report(picture, found, members)
    )
    sys.stdout.write(told)


async def run_resume(
    settings: Settings, choice: Choice, topics: Sequence[str], stop: asyncio.Event, *, as_json: bool
) -> None:
    """Go on; raises `InUse`, `NoWay`, `Stopped`."""
    clients = Clients(settings.kafka)
    book = await _book(settings, clients)
    live = book.live.name
    if book.live.promoting is not None:
        problem = f"{book.live.promoting} is being promoted: finish that, or give it up"
        raise NoWay(f"{problem} (`headroom replay promote {live}`)")
    # What cannot be is said before anything is waited for.
    picture = await _looked(settings, clients, book, stable=False)
    plan(picture, [*wrongs(picture), *small.wrongs(picture)], choice, topics)
    # From here on nobody else's transaction under this name can be committed; what was is seen, and
    # what was left open by who was killed is void.
    producer = await asyncio.to_thread(
        lambda: clients.producer(f"{app_name(live)}.resume", seconds_max=TRANSACTION_SECONDS)
    )
    await _nobody(clients, live, stop, partitions=settings.partitions)
    book = await _book(settings, clients)
    picture = await _looked(settings, clients, book)
    found = small.wrongs(picture)
    acts = plan(picture, [*wrongs(picture), *found], choice, topics)
    acts += small.acts(picture, [one for one in found if not topics or one.topic in topics])
    quiet = untouched(picture)
    if not acts and not quiet:
        sys.stdout.write(show.nothing(as_json=as_json))
        return
    await know_itself(settings.kafka, book)
    bindings = await read_what_is_left(settings.kafka.arguments(), partitions=settings.partitions)
    going = _Going(settings, clients, picture, [*acts, *quiet], bindings)
    done = await asyncio.to_thread(going.publish, producer)
    if not acts:
        sys.stdout.write(show.nothing(as_json=as_json))
        return
    sys.stdout.write(
        show.done(
            done.stands,
            done.doubtful,
            done.retold,
            done.topics,
            written_again=done.again,
            as_json=as_json,
        )
    )


async def _book(settings: Settings, clients: Clients) -> Book:
    """The book; raises `KafkaUnreachable`, and `TopicsDiffer` where there is none."""
    try:
        there = await asyncio.to_thread(clients.admin.list_topics, timeout=_ANSWER_SECONDS)
    except KafkaException:
        raise KafkaUnreachable(str(settings.kafka.bootstrap)) from None
    if GENERATIONS not in there.topics:
        raise TopicsDiffer([f"topic {GENERATIONS} is missing", "run `headroom topics apply`"])
    return await read_book(settings.kafka.arguments(), partitions=settings.partitions)


async def _looked(
    settings: Settings, clients: Clients, book: Book, *, stable: bool = True
) -> Picture:
    """The picture as it is now, with what is to be said of commits that are not ours."""
    found = await asyncio.to_thread(
        look, clients, book, partitions=settings.partitions, stable=stable
    )
    if not found.strange:
        return found
    bindings = await read_what_is_left(settings.kafka.arguments(), partitions=settings.partitions)
    exact = settings.guarantee != "at_least_once"
    return await asyncio.to_thread(lambda: judged(clients, found, bindings.all, exact=exact))


async def _nobody(clients: Clients, live: str, stop: asyncio.Event, *, partitions: int) -> None:
    """Wait until nobody is in the group; who was stopped a moment ago is, for a session's time."""
    group = app_name(live)
    if (await asyncio.to_thread(clients.group, group)).members:
        sys.stderr.write(f"waiting until the group {group} has no members\n")
    try:
        await alone(clients, live, stop, partitions=partitions)
    except NotAlone:
        members = (await asyncio.to_thread(clients.group, group)).members
        if members:
            who = ", ".join(sorted(members))
            raise InUse(f"the group {group} has members: stop them first ({who})") from None
        raise


def _begun(topic: known_topics.KnownTopic, stands: Mapping[Place, int]) -> known_topics.KnownTopic:
    """A topic that begins anew where the group will stand; at 0 with all that lies there."""
    begins = tuple(
        begin and stands.get((topic.name, n), begin) for n, begin in enumerate(topic.begins)
    )
    return msgspec.structs.replace(topic, begins=begins)


class _Going:
    """The acts of a plan, and all that has to be read for them."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        picture: Picture,
        acts: Sequence[Act],
        bindings: Bindings,
    ) -> None:
        self._settings = settings
        self._clients = clients
        self._picture = picture
        self._acts = acts
        self._bindings = bindings
        self._exact = settings.guarantee != "at_least_once"
        self._now = rfc3339(time.time_ns())
        self._rows = UserRows(clients, picture)

    def publish(self, producer: Any) -> Done:  # noqa: ANN401 - librdkafka has no types
        """Do all of it, whole or not at all."""
        stands, found = self._stands()
        doubts = [*found, *(act for act in self._acts if isinstance(act, Doubt))]
        topics = [_begun(act.topic, stands) for act in self._acts if isinstance(act, Know)]
        counts = {"doubtful": 0, "retold": 0, "again": 0}
        producer.begin_transaction()
        for kind, out in self._records(doubts, stands):
            put(producer, out)
            counts[kind] += 1
        for topic in topics:
            put(producer, (GENERATIONS, None, *known_topics.entry(topic), []))
        group = app_name(self._picture.live)
        producer.send_offsets_to_transaction(
            [
                TopicPartition(
                    *place, offset, metadata=mark(offset, left_rows=self._left_rows(place))
                )
                for place, offset in stands.items()
            ],
            self._clients.nobody_of(group),
        )
        # Kafka lets members alone commit in a group that has some, but in a transaction.
        if self._clients.group(group).members:
            producer.abort_transaction()
            raise InUse("a worker was started meanwhile: stop it first; nothing was changed")
        producer.commit_transaction()
        stands = {place: at for place, at in stands.items() if self._picture.spans[place].end > 0}
        return Done(stands, counts["doubtful"], counts["retold"], topics, counts["again"])

    # -- where the group is to stand

    def _stands(self) -> tuple[dict[Place, int], list[Doubt]]:
        """Where the group is to stand, and what it turns out to have lost."""
        goes = [act for act in self._acts if isinstance(act, Go)]
        stands = {act.place: act.offset for act in goes if act.offset is not None}
        asked = [act.place for act in goes if act.offset is None]
        raw = [place for place in asked if self._picture.kinds[place[0]] is Kind.RAW]
        # What ends before its commit has lost its end: all was read, but for what came since.
        spans = self._picture.spans
        short = [place for place in raw if (spans[place].commit or 0) > spans[place].end]
        told = {place: first_new(self._clients, self._picture, place) for place in short}
        nowhere = [place for place in raw if place not in told]
        if nowhere:
            told |= raw_places(self._clients, self._picture, nowhere, exact=self._exact)
        for place in asked:
            if self._picture.kinds[place[0]] is Kind.ORDERS:
                told[place] = first_unfollowed(
                    self._clients,
                    self._picture,
                    place,
                    self._rows.of_user,
                    self._bindings.all,
                    exact=self._exact,
                )
            elif place not in told:
                rows = self._rows.of_partition(place[1])
                told[place] = first_unknown(
                    self._clients, self._picture, place, rows, exact=self._exact
                )
        doubts = []
        for place, offset in told.items():
            begin = self._picture.spans[place].begin
            if offset < begin:
                name = self._picture.name_of(place, offset)
                doubts.append(Doubt(place, name, gone_words(place, offset, begin), offset))
            stands[place] = max(offset, begin)
        return stands, doubts

    def _left_rows(self, place: Place) -> bool:
        """Whether what was read there left rows: an empty table is taken for a lost one then."""
        table = {Kind.BALANCES: USERS_TABLE, Kind.CONTRIBUTIONS: ASSETS_TABLE}.get(
            self._picture.kinds[place[0]]
        )
        if table is None:
            return False
        return self._picture.end_of(changelog(self._picture.live, table), place[1]) > 0

    # -- what is to be told

    def _records(
        self, doubts: Sequence[Doubt], stands: Mapping[Place, int]
    ) -> Iterator[tuple[str, Out]]:
        names = names_of(self._picture.live, live=True)
        if doubts:
            known = accounts(
                self._clients, self._picture, self._states(), doubts, stands, self._bindings.owners
            )
            for order in known.orders(doubts, time=self._now):
                yield "doubtful", (names.adoptions, None, order.user.encode(), encode(order), [])
        again = [act.topic.name for act in self._acts if isinstance(act, Know)]
        for out in small.written_again(
            self._clients,
            self._picture,
            again,
            self._states,
            self._bindings.all,
            in_assets=self._settings.in_assets,
            time=self._now,
        ):
            yield "again", out
        wanted = frozenset(act.partition for act in self._acts if isinstance(act, Retell))
        if wanted:
            for out in shares(
                self._states(),
                names.contributions,
                wanted,
                partitions=self._picture.partitions,
                in_assets=self._settings.in_assets,
                time=self._now,
            ):
                yield "retold", out

    def _states(self) -> Iterator[UserState]:
        """Every user's row, partition by partition."""
        for partition in range(self._picture.partitions):
            for row in self._rows.of_partition(partition).values():
                yield decode(row, UserState)
