"""`headroom deadletters`: each command's work."""

import heapq
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

from headroom.base import whole
from headroom.base.errors import OperatorError
from headroom.base.known_topics import RESUME
from headroom.base.settings import Settings
from headroom.operate.deadletters import show
from headroom.operate.deadletters.letter import DeadLetter, Place
from headroom.operate.deadletters.retry import send_again
from headroom.operate.deadletters.wanted import Wanted, letters, retried
from headroom.operate.topics import require
from headroom.operate.topics.known import known_book
from schemas.topics import RETRIES

BYTES_AT_ONCE_MAX: Final = 256 * 1024 * 1024


class NotThere(OperatorError):
    """No dead letter is meant by what was asked for."""


async def run_list(settings: Settings, wanted: Wanted, *, limit: int, as_json: bool) -> None:
    """Counts first, then the newest letters."""
    again = await _sent_again(settings)
    counted: Counter[tuple[str, str]] = Counter()
    newest: list[tuple[str, Place, DeadLetter]] = []
    async for letter in _letters(settings, wanted):
        counted[letter.venue, letter.reason] += 1
        heapq.heappush(newest, (letter.appended_time, letter.origin, letter))
        if len(newest) > limit:
            heapq.heappop(newest)
    shown = [letter for *_, letter in sorted(newest)]
    if as_json:
        rows = [{"venue": v, "reason": r, "count": n} for (v, r), n in sorted(counted.items())]
        told = {"counts": rows, "letters": [show.exported(letter, again) for letter in shown]}
        _print([json.dumps(told, ensure_ascii=False)])
        return
    _print([*show.counts(counted), *(show.line(letter, again) for letter in shown)])


async def run_show(settings: Settings, place: Place) -> None:
    """One letter, or those of one frame, with all that is known of it; raises `NotThere`."""
    again = await _sent_again(settings)
    for letter in await _found(settings, Wanted(places=frozenset({place}))):
        _print(show.whole(letter, again))


async def run_export(settings: Settings, wanted: Wanted, path: Path) -> None:
    """All that are meant into a new file, one JSON object a line."""
    again = await _sent_again(settings)
    number = 0
    try:
        with path.open("x", encoding="utf-8") as file:
            async for letter in _letters(settings, wanted):
                file.write(json.dumps(show.exported(letter, again), ensure_ascii=False) + "\n")
                number += 1
    except OSError as error:
        raise OperatorError(f"{path} cannot be written: {error.strerror}") from error
    sys.stderr.write(f"{number} dead letters in {path}\n")


async def run_retry(settings: Settings, wanted: Wanted, *, again: bool, dry_run: bool) -> None:
    """Send all that are meant to raw again; raises `NotThere`."""
    await require(settings.kafka, partitions=settings.partitions)
    found = await _found(settings, wanted)
    if dry_run:
        done = {} if again else await _sent_again(settings)
        frames = {str(letter.origin.record) for letter in found}
        before = len(frames & done.keys())
        _print([f"would send {len(frames) - before} again, {before} had been already"])
        return
    kafka = settings.kafka.arguments()
    book = await known_book(settings.kafka, partitions=settings.partitions, names=[RETRIES])
    # What was sent before must be known, all of it.
    begins = await whole.begins_of(kafka, RETRIES, partitions=settings.partitions)
    whole.check(RETRIES, begins, book.topics.get(RETRIES), RESUME)
    sent = await send_again(
        kafka,
        found,
        partitions=settings.partitions,
        again=again,
        incarnations=book.incarnations,
    )
    _print(f"{each.origin}  now {each.place}" for each in sent if each.place is not None)
    before = sum(1 for each in sent if each.place is None)
    sys.stderr.write(f"{len(sent) - before} sent again, {before} had been already\n")


def _letters(settings: Settings, wanted: Wanted) -> AsyncIterator[DeadLetter]:
    return letters(settings.kafka.arguments(), wanted, partitions=settings.partitions)


async def _sent_again(settings: Settings) -> dict[str, str]:
    """The first question of each command: that Kafka is as it should be, and what was retried."""
    kafka = settings.kafka.arguments()
    await require(settings.kafka, partitions=settings.partitions)
    return await retried(kafka, partitions=settings.partitions)


def _print(lines: Iterable[str]) -> None:
    for text in lines:
        sys.stdout.write(f"{text}\n")


async def _found(settings: Settings, wanted: Wanted) -> list[DeadLetter]:
    found, size = [], 0
    async for letter in _letters(settings, wanted):
        found.append(letter)
        size += len(letter.frame)
        if size > BYTES_AT_ONCE_MAX:
            message = f"more than {BYTES_AT_ONCE_MAX >> 20} MiB are meant: ask for fewer at a time"
            raise OperatorError(message)
    there = {place for letter in found for place in (letter.origin, letter.origin.record)}
    missing = sorted(wanted.places - there)
    if missing:
        raise NotThere(f"no dead letter of {', '.join(map(str, missing))}")
    if not found:
        raise NotThere("no dead letter is meant")
    return found
