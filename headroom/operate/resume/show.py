"""What a person sees of it: what is wrong and what each choice would do, or what was done."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from headroom.base.clients import Place
from headroom.base.known_topics import KnownTopic
from headroom.base.printable import printable
from headroom.operate.resume.picture import Kind, Picture, Span
from headroom.operate.resume.plan import Wrong

REPLAY = "nothing here goes on with that: `headroom replay` makes the tables anew"


def report(picture: Picture, found: Sequence[Wrong], members: Sequence[str]) -> str:
    """A line for each partition that is read, and below what is wrong with each topic."""
    lines = [f"generation {picture.live}"]
    if members:
        lines.append(f"its workers are running: {', '.join(map(printable, sorted(members)))}")
    for topic in picture.kinds:
        lines += ["", _head(picture, topic)]
        of_topic = [wrong for wrong in found if wrong.topic == topic]
        marked = {wrong.partition for wrong in of_topic}
        for partition in range(picture.partitions):
            span = picture.spans.get((topic, partition))
            if span is not None:
                sign = "!" if partition in marked else " "
                lines.append(f"{sign} {partition:>4}  {_offsets(span, picture.kinds[topic])}")
        lines += [f"  ! {words}" for words in dict.fromkeys(one.words for one in of_topic)]
        ways = {choice: does for wrong in of_topic for choice, does in wrong.ways.items()}
        lines += [f"    --from {choice:<9} {does}" for choice, does in ways.items()]
        if of_topic and not ways:
            lines.append(f"    {REPLAY}")
    for topic, small in picture.small.items():
        of_topic = [wrong for wrong in found if wrong.topic == topic]
        if of_topic:
            lines += ["", f"{topic}: {small.found}"]
            lines += [f"  ! {one.words}" for one in of_topic]
            lines += [f"    --from {way:<9} {does}" for way, does in of_topic[0].ways.items()]
    lines += ["", _sum(found)]
    return "\n".join(lines) + "\n"


def _head(picture: Picture, topic: str) -> str:
    found, known = picture.found[topic], picture.known.get(topic)
    if found is None:
        return f"{topic}: not there"
    if known is None:
        return f"{topic}: {found}, not known yet"
    later = f", incarnation {known.incarnation}" if known.incarnation > 1 else ""
    return f"{topic}: {found}{later}" + ("" if found == known.id else f", known as {known.id}")


def _offsets(span: Span, kind: Kind) -> str:
    offsets = f"from {span.begin} to {span.end}"
    if kind is Kind.TABLE:
        return offsets
    return f"{offsets}, read up to {'nowhere' if span.commit is None else span.commit}"


def _sum(found: Sequence[Wrong]) -> str:
    if not found:
        return "nothing is wrong: start the workers"
    return f"{len(found)} partitions are not what they were"


def as_json(picture: Picture, found: Sequence[Wrong], members: Sequence[str]) -> str:
    """The same as one JSON object."""
    topics = [
        {
            "topic": topic,
            "kind": str(kind),
            "found": picture.found[topic],
            "known": None if topic not in picture.known else picture.known[topic].id,
            "incarnation": picture.known[topic].incarnation if topic in picture.known else 1,
            "partitions": [
                _span(picture.spans[topic, number])
                for number in range(picture.partitions)
                if (topic, number) in picture.spans
            ],
        }
        for topic, kind in picture.kinds.items()
    ]
    wrong = [
        {
            "topic": one.topic,
            "partition": one.partition,
            "what": str(one.what),
            "words": one.words,
            "from": one.ways,
        }
        for one in found
    ]
    told = {
        "generation": picture.live,
        "members": sorted(members),
        "topics": topics,
        "wrong": wrong,
    }
    return json.dumps(told) + "\n"


def _span(span: Span) -> dict[str, int | None]:
    return {"begin": span.begin, "end": span.end, "commit": span.commit}


def nothing(*, as_json: bool) -> str:
    """That there was nothing to do."""
    return json.dumps({"stands": []}) + "\n" if as_json else "nothing is wrong: start the workers\n"


def done(
    stands: Mapping[Place, int],
    doubtful: int,
    retold: int,
    topics: Sequence[KnownTopic],
    *,
    written_again: int = 0,
    as_json: bool,
) -> str:
    """What was done."""
    if as_json:
        told: dict[str, Any] = {
            "stands": [
                {"topic": topic, "partition": number, "offset": offset}
                for (topic, number), offset in sorted(stands.items())
            ],
            "doubtful": doubtful,
            "retold": retold,
            "written_again": written_again,
            "topics": [
                {"topic": one.name, "id": one.id, "incarnation": one.incarnation} for one in topics
            ],
        }
        return json.dumps(told) + "\n"
    lines = [f"{topic}[{number}] goes on at {at}" for (topic, number), at in sorted(stands.items())]
    lines += [f"{one.name} is incarnation {one.incarnation}, {one.id}" for one in topics]
    if doubtful:
        lines.append(f"{doubtful:,} accounts are in doubt until their next frame")
    if retold:
        lines.append(f"{retold:,} records tell the sums every share again")
    if written_again:
        lines.append(f"{written_again:,} records that were lost are written again")
    return "\n".join([*lines, "start the workers"]) + "\n"
