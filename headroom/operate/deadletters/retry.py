"""Sending dead letters to their raw topic again, each once, whatever happens in between.

The frame and the note that it was sent are one transaction, under a name that all who retry share:
who begins ends what another left open, and sees what another has done. A frame keeps its epoch and
receipt, so that one that is old by now changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerFenced

from headroom.base.errors import OperatorError
from headroom.operate.deadletters.letter import DeadLetter, Place
from headroom.operate.deadletters.wanted import retried
from schemas.headers import RETRY_OF
from schemas.incarnations import Incarnation, number_at
from schemas.topics import RECORD_BYTES_MAX, RETRIES
from schemas.venues import VENUES

TRANSACTIONAL_ID: Final = "headroom-deadletters"
_AT_ONCE: Final = 500
_REQUEST_BYTES_MAX: Final = RECORD_BYTES_MAX + 64 * 1024


class RetriedElsewhere(OperatorError):
    """Somebody else began to retry: what was not sent yet is theirs."""


class NotRaw(OperatorError):
    """A dead letter that says it came from a topic that holds no frames."""


class Sent(msgspec.Struct, frozen=True):
    """What became of a dead letter: where it lies now in raw, None where it was sent before.

    `origin` is its raw record: letters of one frame are sent again once.
    """

    origin: Place
    place: Place | None


async def send_again(
    kafka: Mapping[str, Any],
    letters: Sequence[DeadLetter],
    *,
    partitions: int,
    again: bool = False,
    incarnations: Mapping[str, Sequence[Incarnation]] = {},
) -> list[Sent]:
    """Send dead letters again; those that were sent before only with `again`.

    `incarnations` are those of the raw topics, by which the new places are named.
    Raises `NotRaw`, `RetriedElsewhere`, KafkaError. Whatever is raised, each letter was sent whole
    or not at all.
    """
    _check_origins(letters)
    frames = list({letter.origin.record: letter for letter in letters}.items())
    producer = AIOKafkaProducer(
        **kafka, transactional_id=TRANSACTIONAL_ID, max_request_size=_REQUEST_BYTES_MAX
    )
    # From here on nobody else's transaction under this name can be committed.
    await producer.start()
    try:
        done = {} if again else await retried(kafka, partitions=partitions)
        found = [Sent(origin, None) for origin, _ in frames if str(origin) in done]
        left = [frame for frame in frames if str(frame[0]) not in done]
        for begin in range(0, len(left), _AT_ONCE):
            async with producer.transaction():
                for origin, letter in left[begin : begin + _AT_ONCE]:
                    found.append(await _send(producer, origin, letter, incarnations))
    except ProducerFenced:
        raise RetriedElsewhere("somebody else retries dead letters at this moment") from None
    finally:
        await producer.stop()
    return found


def _check_origins(letters: Sequence[DeadLetter]) -> None:
    """That they go to raw topics: the headers of a record that somebody forged may name any."""
    raw = {venue.raw_topic for venue in VENUES.values()}
    for letter in letters:
        if letter.origin.topic not in raw:
            raise NotRaw(f"{letter.origin} names no raw topic: nothing was sent")


async def _send(
    producer: AIOKafkaProducer,
    origin: Place,
    letter: DeadLetter,
    incarnations: Mapping[str, Sequence[Incarnation]],
) -> Sent:
    headers = [header for header in letter.headers if header[0] != RETRY_OF]
    placed = await producer.send_and_wait(
        origin.topic,
        letter.frame,
        key=letter.key,
        # The same one, also where a key that cannot be read leaves it to chance.
        partition=origin.partition,
        headers=[*headers, (RETRY_OF, str(origin).encode())],
    )
    history = incarnations.get(placed.topic, ())
    number = number_at(history, placed.partition, placed.offset)
    place = Place(placed.topic, placed.partition, placed.offset, incarnation=number)
    await producer.send_and_wait(RETRIES, str(place).encode(), key=str(origin).encode())
    return Sent(origin, place)
