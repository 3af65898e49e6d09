"""What is wrong with a picture, and what to do about it: pure, nothing is read or written here.

raw            records gone      from where it begins now; whose frames these may be is in doubt
               lost its end      another incarnation behind what was read; the same doubts
               another topic     another incarnation from its beginning on; all are in doubt
               no commit         behind the last frame that has an outcome; so where it was reset
balances       records gone      from where it begins now; its users are in doubt
               lost its end      from its end on: what is missing was folded
               another topic     from its beginning; all are in doubt
               no commit         from the first record that the rows do not know; so, too
contributions  whatever it is    every share is told again from the rows, behind all of it
orders         no commit         from the first that the rows do not know; so, too
               lost its end      from its end on: what is missing was followed
               the rest          refused: the replay
tables         whatever it is    refused: the replay
small          see `small`
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, Literal

import msgspec

from headroom.base.clients import Place
from headroom.base.errors import OperatorError
from headroom.base.known_topics import KnownTopic
from headroom.operate.resume.picture import Kind, Picture, Span
from processors.engine.errors import (
    CommitsMissing,
    LogShortened,
    PositionsMoved,
    RecordsGone,
    TopicReplaced,
)

Choice = Literal["beginning", "end", "told"]
CHOICES: Final[tuple[Choice, ...]] = ("beginning", "end", "told")


class What(StrEnum):
    """What is wrong."""

    GONE = "records_gone"
    SHORTENED = "log_shortened"
    REPLACED = "topic_replaced"
    MISSING = "commits_missing"
    MOVED = "positions_moved"
    CUT = "changelog_cut"


class Wrong(msgspec.Struct, frozen=True):
    """One partition that is not what it was; `words` say what is wrong.

    `ways` say what each choice would do; none: there is no way but a replay, or another one.
    """

    topic: str
    partition: int
    kind: Kind
    what: What
    span: Span
    words: str
    ways: dict[Choice, str]


class Go(msgspec.Struct, frozen=True):
    """The group is to stand at an offset of a place; None: where the outcomes or rows say.

    A topic of which the book is to say that it begins there anew begins where the group stands.
    """

    place: Place
    offset: int | None = None


class Doubt(msgspec.Struct, frozen=True):
    """Frames that nobody reads: of whom they may be is in doubt until the next one.

    They are those of the place from `start` on. `name` is what their topic is called in identities.
    `by_user`: they were normalised, and the accounts are those of the users in this partition.
    """

    place: Place
    name: str
    words: str
    start: int = 0
    by_user: bool = False


class Retell(msgspec.Struct, frozen=True):
    """Every share of the sums of this partition is to be told again."""

    partition: int


class Know(msgspec.Struct, frozen=True):
    """What the book is to say of a topic."""

    topic: KnownTopic


Act = Go | Doubt | Retell | Know


class NoWay(OperatorError):
    """What cannot be gone on with here, or not so."""


def wrongs(picture: Picture) -> list[Wrong]:
    """All that is wrong, topic by topic; raises `NoWay` where a topic is not there at all."""
    return [
        wrong
        for topic, kind in picture.kinds.items()
        for wrong in (_of_table if kind is Kind.TABLE else _of_source)(picture, topic, kind)
    ]


def _of_table(picture: Picture, topic: str, kind: Kind) -> Iterator[Wrong]:
    found = picture.found[topic]
    known = picture.known.get(topic)
    read = picture.has_commits or picture.read_anything
    if found is None and (known is not None or read):
        words = f"{topic} is not there: it held a table"
        yield Wrong(topic, 0, kind, What.CUT, Span(0, 0), words, {})
    elif found is not None and known is not None and known.id != found:
        words = words_of(TopicReplaced(topic=topic, known=known.id, found=found))
        yield Wrong(topic, 0, kind, What.REPLACED, picture.spans[topic, 0], words, {})
    elif found is not None:
        for partition in range(picture.partitions):
            span = picture.spans[topic, partition]
            if span.begin > 0:
                words = (
                    f"{topic}[{partition}] begins at offset {span.begin}: "
                    "the first part of a table was deleted"
                )
                yield Wrong(topic, partition, kind, What.CUT, span, words, {})


def _of_source(picture: Picture, topic: str, kind: Kind) -> Iterator[Wrong]:
    found, known = picture.found[topic], picture.known.get(topic)
    if found is None:
        if known is not None or picture.read_anything:
            problem = f"{topic} is not there: `headroom topics apply` makes it"
            raise NoWay(f"{problem}, and then this goes on")
        return
    replaced = known is not None and known.id != found
    for partition in range(picture.partitions):
        span = picture.spans[topic, partition]
        what = What.REPLACED if replaced else _what(picture, (topic, partition), span)
        if what is not None:
            words = _said(picture, what, (topic, partition))
            yield Wrong(topic, partition, kind, what, span, words, _ways(kind, what))


def _what(picture: Picture, place: Place, span: Span) -> What | None:
    """What is wrong with where a topic is read that is the same one as before."""
    if span.commit is None:
        if span.end == 0 and picture.has_commits:
            return None  # nothing ever lay there
        nowhere = picture.read_anything and not picture.has_commits
        return What.MISSING if nowhere or picture.has_rows(place[1]) else None
    if span.commit < span.begin:
        return What.GONE
    if span.commit > span.end:
        return What.SHORTENED
    return What.MOVED if place in picture.moved else None


def _said(picture: Picture, what: What, place: Place) -> str:
    (topic, partition), span = place, picture.spans[place]
    known, found = picture.known.get(topic), picture.found[topic]
    if what is What.REPLACED and known is not None:
        return words_of(TopicReplaced(topic=topic, known=known.id, found=found))
    commit = span.commit or 0
    if what is What.GONE:
        gone = RecordsGone(topic=topic, partition=partition, position=commit, begin=span.begin)
        return words_of(gone)
    if what is What.SHORTENED:
        short = LogShortened(topic=topic, partition=partition, position=commit, end=span.end)
        return words_of(short)
    if what is What.MOVED:
        why = picture.moved[place]
        return words_of(PositionsMoved(topic=topic, partition=partition, found=commit, why=why))
    return words_of(CommitsMissing(topic=topic, partition=partition))


def words_of(error: Exception) -> str:
    """What the worker says, without the way to here."""
    return str(error).partition(": see `")[0]


_DOUBT: Final = "whose frames were lost is in doubt until the next one"
_WAYS: Final[Mapping[tuple[Kind, What], dict[Choice, str]]] = {
    (Kind.RAW, What.GONE): {
        "beginning": f"read on from where it begins now; {_DOUBT}",
        "told": f"the same: read on from where it begins now; {_DOUBT}",
    },
    (Kind.RAW, What.SHORTENED): {
        "end": f"another incarnation, behind the last frame that was read; {_DOUBT}",
        "told": f"the same: another incarnation, behind the last frame that was read; {_DOUBT}",
    },
    (Kind.RAW, What.REPLACED): {
        "beginning": f"another incarnation, from its beginning on; {_DOUBT}",
        "told": f"the same: another incarnation, from its beginning on; {_DOUBT}",
    },
    (Kind.RAW, What.MISSING): {
        "told": "read on behind the last frame that has an outcome",
    },
    (Kind.RAW, What.MOVED): {
        "told": "read on behind the last frame that has an outcome",
    },
    (Kind.BALANCES, What.GONE): {
        "beginning": "read on from where it begins now; its users' accounts are in doubt",
        "told": "the same: read on from where it begins now; its users' accounts are in doubt",
    },
    (Kind.BALANCES, What.SHORTENED): {
        "end": "read on from its end: what is missing was folded",
        "told": "the same: read on from its end, what is missing was folded",
    },
    (Kind.BALANCES, What.REPLACED): {
        "beginning": "read it from its beginning; all accounts are in doubt",
        "told": "the same: read it from its beginning; all accounts are in doubt",
    },
    (Kind.BALANCES, What.MISSING): {
        "told": "read on from the first record that the tables do not know",
    },
    (Kind.BALANCES, What.MOVED): {
        "told": "read on from the first record that the tables do not know",
    },
    (Kind.ORDERS, What.SHORTENED): dict.fromkeys(
        CHOICES, "read on from its end: what is missing was followed"
    ),
    (Kind.ORDERS, What.MISSING): dict.fromkeys(
        CHOICES, "read on from the first order that the tables do not know"
    ),
    (Kind.ORDERS, What.MOVED): dict.fromkeys(
        CHOICES, "read on from the first order that the tables do not know"
    ),
    **{
        (Kind.CONTRIBUTIONS, what): dict.fromkeys(
            CHOICES, "every user's shares are told again from the tables, and read from there on"
        )
        for what in What
    },
}


def _ways(kind: Kind, what: What) -> dict[Choice, str]:
    return _WAYS.get((kind, what), {})


# -- what to do


def plan(
    picture: Picture, found: Sequence[Wrong], choice: Choice, topics: Collection[str] = ()
) -> list[Act]:
    """What to do about all that is wrong, or about that of some topics.

    Raises `NoWay` where something has no such way: then nothing is to be done.
    """
    unknown = sorted(set(topics).difference(picture.kinds, picture.small))
    if unknown:
        raise NoWay(f"{', '.join(unknown)}: no topic that the workers read")
    for wrong in found:
        if wrong.kind is Kind.TABLE or not wrong.ways:
            raise NoWay(f"{wrong.words}: `headroom replay` makes the tables anew")
    meant = [wrong for wrong in found if not topics or wrong.topic in topics]
    for wrong in meant:
        if choice not in wrong.ways:
            ways = " or ".join(f"--from {way}" for way in wrong.ways)
            raise NoWay(f"{wrong.words}: {ways} goes on (and --topic, if others go on otherwise)")
    worked = [wrong for wrong in meant if wrong.kind is not Kind.SMALL]
    return [*_of_places(picture, worked), *_of_topics(picture, worked)]


def untouched(picture: Picture) -> list[Go]:
    """Where the group is to stand in partitions in which nothing ever lay, without a word."""
    if not picture.has_commits:
        return []
    return [
        Go(place, 0)
        for place, span in picture.spans.items()
        if picture.kinds[place[0]] is not Kind.TABLE and span.commit is None and span.end == 0
    ]


def _of_places(picture: Picture, meant: Sequence[Wrong]) -> Iterator[Act]:
    for wrong in meant:
        place, span = (wrong.topic, wrong.partition), wrong.span
        if wrong.kind is Kind.CONTRIBUTIONS:
            yield Go(place, span.end)
            yield Retell(wrong.partition)
        elif wrong.what in (What.MISSING, What.MOVED):
            yield Go(place, None)
        elif wrong.what is What.SHORTENED:
            yield Go(place, None if wrong.kind is Kind.RAW else span.end)
        else:
            yield Go(place, span.begin)
        if wrong.kind in (Kind.RAW, Kind.BALANCES):
            yield from _doubts(picture, wrong)


def _doubts(picture: Picture, wrong: Wrong) -> Iterator[Doubt]:
    if wrong.what in (What.MISSING, What.MOVED):
        return
    if (wrong.kind, wrong.what) == (Kind.BALANCES, What.SHORTENED):
        return
    place, span, by_user = (wrong.topic, wrong.partition), wrong.span, wrong.kind is Kind.BALANCES
    known = picture.known.get(wrong.topic)
    where = f"{wrong.topic}[{wrong.partition}]"
    commit = span.commit or 0
    start = {What.GONE: commit, What.SHORTENED: span.end}.get(wrong.what, 0)
    name = picture.name_of(place, start)
    if wrong.what is What.GONE:
        words = gone_words(place, commit, span.begin)
        yield Doubt(place, name, words, start, by_user=by_user)
    elif wrong.what is What.SHORTENED:
        words = f"{where} lost its end, from {span.end} on: frames may be lost that nobody has read"
        yield Doubt(place, name, words, start, by_user=by_user)
    elif known is not None:
        words = f"{wrong.topic} was made again: frames may be lost that nobody has read"
        yield Doubt(place, name, words, by_user=by_user)


def gone_words(place: Place, start: int, end: int) -> str:
    """Why accounts are in doubt of which frames from one offset to before another were deleted."""
    topic, number = place
    return f"frames were deleted before they were read: {topic}[{number}] from {start} to {end}"


def _of_topics(picture: Picture, meant: Sequence[Wrong]) -> Iterator[Know]:
    for topic in dict.fromkeys(wrong.topic for wrong in meant):
        of_topic = {wrong.partition: wrong for wrong in meant if wrong.topic == topic}
        found = picture.found[topic] or ""
        known = picture.known.get(topic) or KnownTopic(topic, found)
        whats = {wrong.what for wrong in of_topic.values()}
        is_raw = picture.kinds[topic] is Kind.RAW
        if What.REPLACED in whats:
            again = known.replaced(found, picture.partitions)
            yield Know(again if is_raw else msgspec.structs.replace(known, id=found))
        elif What.SHORTENED in whats and is_raw:
            # Whatever lies elsewhere keeps its name; nothing else can have been told of it.
            begins = [picture.end_of(topic, number) for number in range(picture.partitions)]
            yield Know(known.shortened(tuple(begins)))
