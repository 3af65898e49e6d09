"""A topic that is another one than the one that was read stops every worker, at each start."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions

from headroom.base.clients import Clients
from headroom.base.errors import KafkaUnreachable, TopicsDiffer
from headroom.base.known_topics import KnownTopic, entry
from headroom.base.settings import KafkaSettings
from headroom.base.whole import BookLost
from headroom.operate.generations import FIRST, read_book, read_by, tables_of, write
from headroom.operate.topics.admin import Admin, Found, admin_of
from headroom.operate.topics.differences import CONTRACT, create
from headroom.operate.topics.known import beside, settle
from headroom.operate.topics.survey import apply
from headroom.operate.topics.watch import Watch
from processors.engine.errors import TopicReplaced
from schemas.topics import (
    ACCOUNTS,
    BALANCES,
    BALANCES_LATEST,
    FEEDS,
    GENERATIONS,
    LEASES,
    MOVES,
    TOPICS,
)
from schemas.venues import VENUES
from tests.headroom import commands
from tests.headroom.commands import Ended, Started, headroom, started, until

pytestmark = pytest.mark.slow

RAW = VENUES["sfox"].raw_topic
USERS = "headroom-users-changelog"
PARTITIONS = 8


@pytest.fixture
def kafka(own: str) -> KafkaSettings:
    """All topics as the contract says, and nothing known of them."""
    asyncio.run(commands.without(own, *TOPICS, *tables_of(FIRST)))
    found = KafkaSettings(own)
    asyncio.run(apply(found, partitions=PARTITIONS, replication_factor=1))
    return found


async def replaced(kafka: KafkaSettings, *names: str) -> None:
    """Delete topics and make them again."""
    await commands.without(str(kafka.bootstrap), *names)
    wanted = {name: TOPICS.get(name) or tables_of(FIRST)[name] for name in names}
    await create(kafka, wanted, partitions=PARTITIONS, replication_factor=1)
    async with admin_of(kafka) as admin, asyncio.timeout(10):
        while len(await admin.found(names)) < len(names):
            await asyncio.sleep(0.05)


async def started_once(
    kafka: KafkaSettings, known: dict[str, KnownTopic] | None = None
) -> dict[str, KnownTopic]:
    """What a worker does before its engine starts; `known` is what it has read in the book."""
    if known is None:
        known = (await read_book(kafka.arguments(), partitions=PARTITIONS)).topics
    async with admin_of(kafka) as admin:
        return await settle(
            admin,
            kafka,
            FIRST,
            known,
            partitions=PARTITIONS,
            replication_factor=1,
            gone_seconds=0.5,
        )


async def found(kafka: KafkaSettings, *names: str) -> dict[str, Found]:
    async with admin_of(kafka) as admin:
        return await admin.found(names)


async def test_what_is_read_and_kept_is_written_down_at_the_first_start(
    kafka: KafkaSettings,
) -> None:
    """Two workers at once, of which neither knows anything, say the same; so does the next."""
    first, second = await asyncio.gather(started_once(kafka, {}), started_once(kafka, {}))
    there = await found(kafka, *{*TOPICS, *read_by(FIRST)})
    assert first == second == {name: KnownTopic(name, str(one.id)) for name, one in there.items()}
    assert {RAW, BALANCES, MOVES, USERS} <= read_by(FIRST).keys() <= first.keys()
    assert {ACCOUNTS, FEEDS, GENERATIONS, LEASES} <= first.keys()
    book = await read_book(kafka.arguments(), partitions=PARTITIONS)
    assert book.topics == first
    assert await started_once(kafka) == first


async def test_an_identity_is_text_as_kafkas_own_tools_print_it(kafka: KafkaSettings) -> None:
    """22 letters of base64 for URLs: what other clients' text of it differs in."""
    ids = {one.id for one in (await found(kafka, *TOPICS)).values()}
    assert len(ids) == len(TOPICS)
    for one in ids:
        assert one is not None
        assert len(one) == 22
        assert not set(one) & set("+/=")


@pytest.mark.parametrize(
    ("topic", "way"),
    [(RAW, "headroom resume"), (MOVES, "headroom resume"), (USERS, "headroom replay")],
)
async def test_another_topic_of_its_name_is_refused_at_each_start(
    kafka: KafkaSettings, topic: str, way: str
) -> None:
    before = (await started_once(kafka))[topic]
    await replaced(kafka, topic)
    after = (await found(kafka, topic))[topic]
    for _ in range(2):
        with pytest.raises(TopicReplaced, match=f"see `{way}`") as refused:
            await started_once(kafka)
        assert (refused.value.topic, refused.value.known) == (topic, before.id)
        assert refused.value.found == after.id


async def test_a_changelog_that_went_is_not_made_again(kafka: KafkaSettings) -> None:
    """Neither by a worker nor by `topics apply`: both say that it is lost, and the way on."""
    await started_once(kafka)
    await commands.without(str(kafka.bootstrap), USERS)
    with pytest.raises(TopicReplaced, match=f"{USERS} is gone.*headroom replay"):
        await started_once(kafka)
    checked = headroom("topics", "check", KAFKA_BOOTSTRAP=kafka.bootstrap)
    lost = f"topic {USERS} is missing: it was read before, and what it held is lost"
    assert (checked.status, checked.err) == (1, "")
    assert checked.out == f"{lost}: see `headroom replay`\n"
    headroom("topics", "apply", KAFKA_BOOTSTRAP=kafka.bootstrap).is_one_line(
        lost, "headroom replay"
    )
    assert USERS not in await found(kafka, USERS)


async def test_a_lost_topic_that_holds_no_table_is_made_again(kafka: KafkaSettings) -> None:
    """It is another topic then, which the next start says: private or public."""
    await started_once(kafka)
    await commands.without(str(kafka.bootstrap), MOVES, RAW)
    applied = headroom("topics", "apply", KAFKA_BOOTSTRAP=kafka.bootstrap)
    assert (applied.status, applied.err) == (0, "")
    assert set(applied.out.splitlines()[:-1]) == {f"created: {RAW}", f"created: {MOVES}"}
    with pytest.raises(TopicReplaced, match=f"{RAW}|{MOVES}"):
        await started_once(kafka)
    checked = headroom("topics", "check", KAFKA_BOOTSTRAP=kafka.bootstrap)
    assert checked.status == 1
    for topic in (RAW, MOVES):
        assert f"topic {topic}: id is " in checked.out


async def test_the_bindings_are_those_that_were_read(kafka: KafkaSettings) -> None:
    """Made again they are refused, by workers and by who moves accounts; `resume` takes them."""
    await started_once(kafka)
    await replaced(kafka, ACCOUNTS)
    with pytest.raises(TopicReplaced, match=f"{ACCOUNTS} is another topic.*`headroom resume`"):
        await started_once(kafka)
    for words in (("accounts", "list"), ("accounts", "move", "sfox:1", "ann")):
        refused = headroom(*words, KAFKA_BOOTSTRAP=kafka.bootstrap)
        assert refused.status == 1
        assert f"{ACCOUNTS} is another topic" in refused.err
    resumed = headroom("resume", "--from", "told", KAFKA_BOOTSTRAP=kafka.bootstrap)
    assert resumed.status == 0, resumed
    await started_once(kafka)


async def test_statuses_that_are_others_are_said_and_stop_nobody(
    kafka: KafkaSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Producers tell all of it again."""
    await started_once(kafka)
    await replaced(kafka, FEEDS)
    known = await started_once(kafka)
    assert f"{FEEDS} is another topic now" in caplog.text
    checked = headroom("topics", "check", KAFKA_BOOTSTRAP=kafka.bootstrap)
    assert checked.status == 1
    assert f"topic {FEEDS}: id is " in checked.out
    async with admin_of(kafka) as admin:
        caplog.clear()
        watching = asyncio.create_task(watch(admin, known).broken())
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while f"{FEEDS} is another topic now" not in caplog.text:
                await asyncio.sleep(0.05)
        assert not watching.done()
        watching.cancel()
    resumed = headroom("resume", "--from", "told", KAFKA_BOOTSTRAP=kafka.bootstrap)
    assert resumed.status == 0, resumed
    checked = headroom("topics", "check", KAFKA_BOOTSTRAP=kafka.bootstrap)
    assert (checked.status, checked.out) == (0, "")


async def test_a_book_that_was_made_again_is_not_the_one_that_groups_worked_with(
    kafka: KafkaSettings,
) -> None:
    """The mark on a commit says that there was one; without it this is a first start."""
    await started_once(kafka)
    await replaced(kafka, GENERATIONS)
    await started_once(kafka)
    await replaced(kafka, GENERATIONS)
    clients = Clients(kafka)
    clients.move("headroom", {(RAW, 0): 0}, ours=True)
    with pytest.raises(BookLost, match=f"{GENERATIONS} was deleted.*the group headroom, and"):
        await read_book(kafka.arguments(), partitions=PARTITIONS)
    for words in (("topics", "check"), ("topics", "apply"), ("resume",), ("work", "--port", "0")):
        said = headroom(*words, KAFKA_BOOTSTRAP=kafka.bootstrap)
        assert said.status == (1 if words == ("topics", "check") else 2)
        assert "headroom resume --generation NAME" in said.out + said.err
    other = headroom("resume", "--generation", "other", KAFKA_BOOTSTRAP=kafka.bootstrap)
    other.is_one_line("no tables of a generation 'other'; there are: first")
    restored = headroom("resume", "--generation", FIRST, KAFKA_BOOTSTRAP=kafka.bootstrap)
    assert restored.status == 0, restored
    assert f"{RAW} is incarnation 2 from here on" in restored.out
    book = await read_book(kafka.arguments(), partitions=PARTITIONS)
    assert (book.live.name, book.topics[RAW].incarnation) == (FIRST, 2)
    again = headroom("resume", "--generation", FIRST, KAFKA_BOOTSTRAP=kafka.bootstrap)
    again.is_one_line(f"{GENERATIONS} is whole")


async def test_what_was_resumed_counts(kafka: KafkaSettings) -> None:
    """Another incarnation of a topic that was replaced is what is read from then on."""
    await started_once(kafka)
    await replaced(kafka, RAW)
    known = KnownTopic(RAW, str((await found(kafka, RAW))[RAW].id), 2, (0,) * PARTITIONS)
    await write(kafka.arguments(), entry(known))
    assert (await started_once(kafka))[RAW] == known


async def test_who_came_too_late_to_write_it_down_goes_by_the_last_word(
    kafka: KafkaSettings,
) -> None:
    """A worker that found another topic than the one that is written down now must not start."""
    await write(kafka.arguments(), entry(KnownTopic(RAW, "another")))
    with pytest.raises(
        TopicReplaced, match=f"{RAW} is another topic now .*one that was read was an"
    ):
        await started_once(kafka, {})


async def test_changelogs_have_the_partitions_of_all_topics(kafka: KafkaSettings) -> None:
    await create(kafka, tables_of(FIRST), partitions=4, replication_factor=1)
    with pytest.raises(TopicsDiffer, match=f"topic {USERS}: partitions is 4, not 8"):
        await started_once(kafka)


# While a worker runs.


def watch(admin: Admin, known: dict[str, KnownTopic]) -> Watch:
    names = sorted(CONTRACT.keys() | known.keys())
    return Watch(
        admin,
        names,
        known,
        list(tables_of(FIRST)),
        partitions=PARTITIONS,
        beside=beside(FIRST),
        every_seconds=0.05,
        gone_seconds=0.5,
    )


async def test_a_topic_that_is_replaced_or_goes_is_seen(kafka: KafkaSettings) -> None:
    known = await started_once(kafka)
    async with admin_of(kafka) as admin:
        for topic in (RAW, USERS):
            watching = asyncio.create_task(watch(admin, known).broken())
            await replaced(kafka, topic)
            with pytest.raises(TopicReplaced, match=f"{topic} is another topic now"):
                await asyncio.wait_for(watching, 10)
            known[topic] = KnownTopic(topic, str((await found(kafka, topic))[topic].id))
        await commands.without(str(kafka.bootstrap), MOVES)
        with pytest.raises(TopicReplaced, match=f"{MOVES} is gone"):
            await asyncio.wait_for(watch(admin, known).broken(), 10)


async def test_a_topic_that_tells_others_and_goes_is_seen(kafka: KafkaSettings) -> None:
    known = await started_once(kafka)
    await commands.without(str(kafka.bootstrap), BALANCES_LATEST)
    async with admin_of(kafka) as admin:
        with pytest.raises(TopicsDiffer, match=f"topic {BALANCES_LATEST} is missing"):
            await asyncio.wait_for(watch(admin, known).broken(), 10)


async def test_a_kafka_that_is_away_is_no_topic_that_is_gone() -> None:
    """It is looked for again, and what it says then counts from then on."""

    class Away:
        def __init__(self) -> None:
            self.looks = 0

        async def found(self, names: list[str]) -> dict[str, Found]:
            self.looks += 1
            # It says nothing of topics that it has not read yet, for a moment.
            if self.looks % 2:
                raise KafkaUnreachable("nowhere")
            return {} if self.looks < 20 else {"one": Found("other", 8, 1)}

    ticks = iter(range(1000))

    async def sleep(_: float) -> None:
        next(ticks)

    now = iter(range(0, 10_000, 3))
    looking = Watch(
        Away(),  # type: ignore[arg-type]
        ["one"],
        {"one": KnownTopic("one", "id")},
        [],
        partitions=8,
        every_seconds=3,
        gone_seconds=10,
        clock=lambda: float(next(now)),
        sleep=sleep,
    )
    with pytest.raises(TopicReplaced, match=r"another topic now .other"):
        await asyncio.wait_for(looking.broken(), 10)


@pytest.fixture
def two(kafka: KafkaSettings, tmp_path: Path) -> Iterator[tuple[Started, Started]]:
    """Two workers that serve."""
    given = {"KAFKA_BOOTSTRAP": kafka.bootstrap, "DATA_DIR": tmp_path / "data"}
    words = ("work", "--port", "0")
    with (
        started(tmp_path / "a", *words, **given) as one,
        started(tmp_path / "b", *words, **given) as other,
    ):
        for worker in (one, other):
            until(lambda worker=worker: "ready " in worker.output, why=lambda: one.output)  # type: ignore[misc]
        yield one, other


def last_line(worker: Started) -> str:
    return worker.output.strip().splitlines()[-1]


@pytest.mark.long
def test_partitions_added_under_running_workers_are_one_clear_line(
    kafka: KafkaSettings, two: tuple[Started, Started], tmp_path: Path
) -> None:
    """Both end with it, and so does whoever is started afterwards."""
    admin = AdminClient({"bootstrap.servers": str(kafka.bootstrap)})
    admin.create_partitions([NewPartitions(RAW, PARTITIONS + 1)])[RAW].result()
    said = f"headroom: topic {RAW}: partitions is 9, not 8: HEADROOM_PARTITIONS"
    for worker in two:
        assert worker.process.wait(60) == 2, worker.output
        assert last_line(worker).startswith(said)
        assert "not read" in last_line(worker)
    given = {"KAFKA_BOOTSTRAP": kafka.bootstrap, "DATA_DIR": tmp_path / "data"}
    headroom("work", "--port", "0", **given).is_one_line(said)


@pytest.mark.long
def test_a_changelog_replaced_under_running_workers_ends_them(
    kafka: KafkaSettings, two: tuple[Started, Started], tmp_path: Path
) -> None:
    """With status 1 and the way on; a worker that is started again says the same each time."""
    asyncio.run(replaced(kafka, USERS))
    for worker in two:
        assert worker.process.wait(60) == 1, worker.output
    given = {"KAFKA_BOOTSTRAP": kafka.bootstrap, "DATA_DIR": tmp_path / "data"}
    said = [headroom("work", "--port", "0", **given) for _ in range(2)]
    for ended in said:
        assert isinstance(ended, Ended)
        assert ended.status == 1
        (line,) = ended.err.splitlines()
        assert line.startswith(f"headroom: {USERS} is another topic now")
        assert line.endswith("see `headroom replay`")
