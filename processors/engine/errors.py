"""What can break under an agent: the world, never the data.

    EngineError                 the worker stops before it commits, with this as its reason
    ├── SendFailed              Kafka did not take a record that follows from a batch
    ├── TransactionRefused      Kafka does not commit what follows from a run of batches
    ├── FetchFailed             records or offsets cannot be read
    ├── LogChanged              a topic is not what it was when it was read
    │   ├── CommitsLost         the group's commits are behind what they have been
    │   ├── CommitsMissing      the group has no commit where its tables say that it has read
    │   ├── PositionsMoved      somebody else says where the group stands, and it is not there
    │   ├── RecordsGone         records were deleted before they were read
    │   ├── LogShortened        a topic ends before where it was read up to
    │   └── TopicReplaced       a topic was deleted and made again, or another one has its name
    ├── TransactionHangs        Kafka does not end a transaction in a changelog
    ├── ChangelogCut            a changelog is not the whole of its table: data was deleted there
    ├── ForeignRow              a changelog holds a row that nobody of us wrote
    ├── StoreUnusable           a local table cannot be opened or read
    ├── TopicsMissing           topics that the agents read do not exist
    ├── ChangelogShared         somebody else wrote to a changelog of ours
    ├── GroupRefused            the consumer group cannot be joined
    ├── NameTaken               another worker goes by this one's name
    ├── CredentialsRefused      Kafka does not take the credentials any more
    ├── StopTimedOut            the app did not stop in time
    └── DrainTimedOut           work in flight did not finish before its partitions were taken away

Bad data is a value and is the agent's own affair; whatever an agent raises stops the worker too.
"""

from hashlib import blake2b


class EngineError(Exception):
    """The worker cannot go on; what it had in flight is done again by the next one."""


class SendFailed(EngineError):
    """A record could not be sent to `topic`."""

    def __init__(self, topic: str, cause: BaseException) -> None:
        super().__init__(f"cannot send to {topic}: {cause!r}")
        self.topic = topic
        self.cause = cause


class TransactionRefused(EngineError):
    """A transaction was not committed, and would not be the next time either."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"cannot commit a transaction: {cause}")
        self.cause = cause


class FetchFailed(EngineError):
    """Records of a topic, or the group's offsets, cannot be read: rights, or a topic that went."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"cannot read from Kafka: {cause}")
        self.cause = cause


class LogChanged(EngineError):
    """A topic, or the group's place in it, is not what it was when it was read last.

    Whatever goes on from here by itself would lose or tell twice in silence. `headroom resume` says
    what is wrong and goes on from a place that leaves the accounts provable.
    """


class CommitsLost(LogChanged):
    """The group's commit is behind one that it had, which this worker knows of.

    Kafka has taken back what it committed, or somebody reset the group's offsets. Rows and sends of
    what lies between may be there or not: find out before another worker does it again.
    """

    def __init__(self, *, topic: str, partition: int, known: int, found: int) -> None:
        super().__init__(
            f"the group is at offset {found} of {topic}[{partition}], and was at {known} before: "
            "a commit was lost, or its offsets were reset"
        )
        self.topic = topic
        self.partition = partition
        self.known = known
        self.found = found


class CommitsMissing(LogChanged):
    """The group has no commit for a partition whose tables hold what was read before.

    The group's offsets were deleted, or expired while nobody was in it.
    """

    def __init__(self, *, topic: str, partition: int) -> None:
        super().__init__(
            f"the group has no commit for {topic}[{partition}], but its tables hold what was read: "
            "its offsets were deleted, or have expired"
        )
        self.topic = topic
        self.partition = partition


class PositionsMoved(LogChanged):
    """The group's commit was made by nobody of us, and what was told and folded says otherwise.

    Somebody reset the group's offsets: records would be told twice, or passed over. `way` is the
    command that goes on from there.
    """

    def __init__(
        self, *, topic: str, partition: int, found: int, why: str, way: str = "headroom resume"
    ) -> None:
        super().__init__(
            f"the group is at offset {found} of {topic}[{partition}], where no worker has put it: "
            f"{why}; its offsets were reset: see `{way}`"
        )
        self.topic = topic
        self.partition = partition
        self.found = found


class RecordsGone(LogChanged):
    """Records were deleted before they were read: retention or an operator overtook the worker."""

    def __init__(self, *, topic: str, partition: int, position: int, begin: int) -> None:
        super().__init__(
            f"{topic}[{partition}] begins at offset {begin}, but was read up to {position}: "
            f"{begin - position} offsets were deleted before they were read"
        )
        self.topic = topic
        self.partition = partition
        self.position = position
        self.begin = begin


class LogShortened(LogChanged):
    """A partition ends before the group's commit: what was read and committed is not there now."""

    def __init__(self, *, topic: str, partition: int, position: int, end: int) -> None:
        super().__init__(
            f"{topic}[{partition}] ends at offset {end}, but was read up to {position}: "
            "its end was lost, or an older copy took its place"
        )
        self.topic = topic
        self.partition = partition
        self.position = position
        self.end = end


class TopicReplaced(LogChanged):
    """A topic has another identity (KIP-516) than the one that was read.

    `known` is what was read; `found` is None where there is no such topic any more. `way` is the
    command that goes on from there: `headroom replay` where the topic held tables.
    """

    def __init__(
        self, *, topic: str, known: str, found: str | None, way: str = "headroom resume"
    ) -> None:
        now = "is gone" if found is None else f"is another topic now ({found})"
        super().__init__(f"{topic} {now}: the one that was read was {known}: see `{way}`")
        self.topic = topic
        self.known = known
        self.found = found


class TransactionHangs(EngineError):
    """A changelog cannot be read to its end: a transaction in it stays open beyond its time.

    Kafka has lost what became of it. `kafka-transactions.sh find-hanging` names it, and `abort`
    ends it, if that is what it was.
    """

    def __init__(self, *, topic: str, partition: int, offset: int, waited_seconds: float) -> None:
        super().__init__(
            f"{topic}[{partition}] cannot be read from offset {offset} on: a transaction there is "
            f"still open after {waited_seconds:g} s"
        )
        self.topic = topic
        self.partition = partition
        self.offset = offset


class ChangelogCut(EngineError):
    """A changelog is not the whole of its table any more: cut, deleted, replaced, or about to be.

    Serving on would take missing rows for empty ones: find out what happened, and make the tables
    anew from raw (a replay). `partition` is None where it is the topic's.
    """

    def __init__(self, topic: str, partition: int | None, reason: str) -> None:
        place = topic if partition is None else f"{topic}[{partition}]"
        super().__init__(f"the changelog {place} cannot be relied on: {reason}")
        self.topic = topic
        self.partition = partition
        self.reason = reason


class ForeignRow(EngineError):
    """A changelog, or the local table that was made of it, holds a row that is none of ours.

    Somebody else wrote over what was there, and what that was is not to be guessed: the replay
    makes the table anew. The key is told as a hash: it may name a user. `offset` is None where the
    row was found in the local table.
    """

    def __init__(
        self, *, topic: str, partition: int, key: bytes, why: str, offset: int | None = None
    ) -> None:
        place = f"{topic}[{partition}]" + ("" if offset is None else f" at offset {offset}")
        name = blake2b(key, digest_size=8).hexdigest()
        super().__init__(
            f"{place} holds a row that is none of ours (key {name} by blake2b-64): {why}; "
            "nothing is guessed: see `headroom replay`"
        )
        self.topic = topic
        self.partition = partition
        self.key = key
        self.offset = offset


class StoreUnusable(EngineError):
    """A local table cannot be used: another process has it, or the disk is full or damaged.

    Stop the other process, or remove `path`: the table is rebuilt from its changelog.
    """

    def __init__(self, path: str, cause: BaseException) -> None:
        super().__init__(f"cannot use the local table {path}: {cause}")
        self.path = path
        self.cause = cause


class DrainTimedOut(EngineError):
    """Records in flight were not acknowledged in time while partitions were being moved."""

    def __init__(self, *, batches: int, waited_seconds: float) -> None:
        super().__init__(
            f"{batches} batches were still not acknowledged by Kafka after {waited_seconds:g} s"
        )
        self.batches = batches
        self.waited_seconds = waited_seconds


class TopicsMissing(EngineError):
    """Topics that the agents read do not exist; nobody creates them by accident."""

    def __init__(self, topics: list[str]) -> None:
        super().__init__(f"topics are missing in Kafka: {', '.join(topics)}")
        self.topics = topics


class StopTimedOut(EngineError):
    """The app did not stop in time; what was in flight is done again by the next worker."""

    def __init__(self, waited_seconds: float) -> None:
        super().__init__(f"did not stop within {waited_seconds:g} s")
        self.waited_seconds = waited_seconds


class GroupRefused(EngineError):
    """The consumer group cannot be joined: its rights, its settings, or other programs in it."""

    def __init__(self, group: str, cause: BaseException) -> None:
        super().__init__(f"cannot be a member of group {group}: {cause!r}")
        self.group = group
        self.cause = cause


class NameTaken(EngineError):
    """Another worker has this one's name in the group, and has replaced it there.

    Two machines or folders that are copies of each other: the next start has to take a new name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            f"another worker goes by the name of this one ({name}): its folder was copied, or two "
            "machines share their name"
        )
        self.name = name


class CredentialsRefused(EngineError):
    """Kafka does not take the credentials: they were changed there while this worker ran."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(
            f"Kafka refuses these credentials ({cause}): set the right ones and start again"
        )
        self.cause = cause


class ChangelogShared(EngineError):
    """A changelog holds records between ours: another worker has this partition.

    This one was suspended for longer than its session, or cut off, and went on as if nothing had
    happened. Its local table is behind; the next start reads on from where it was right.
    """

    def __init__(self, *, topic: str, partition: int, expected: int, found: int) -> None:
        super().__init__(
            f"{topic}[{partition}] goes on at offset {found}, not at {expected}: another worker "
            "has written there"
        )
        self.topic = topic
        self.partition = partition
        self.expected = expected
        self.found = found
