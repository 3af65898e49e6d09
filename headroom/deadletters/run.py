"""`headroom deadletters`: each command's work."""

import json
import sys
from collections import Counter, deque
from pathlib import Path
from typing import Final

from headroom.deadletters import show
from headroom.deadletters.letter import DeadLetter, Place
from headroom.deadletters.retry import send_again
from headroom.deadletters.wanted import Wanted, letters, retried
from headroom.errors import OperatorError
from headroom.settings import Settings
from headroom.topics import require

BYTES_AT_ONCE_MAX: Final = 256 * 1024 * 1024


class NotThere(OperatorError):
    """No dead letter is meant by what was asked for."""


async def run_list(settings: Settings, wanted: Wanted, *, limit: int, as_json: bool) -> None:
    """Counts first, then the newest letters."""
    kafka = settings.kafka.arguments()
    await require(kafka, partitions=settings.partitions)
    again = await retried(kafka, partitions=settings.partitions)
    counted: Counter[tuple[str, str]] = Counter()
    newest: deque[DeadLetter] = deque(maxlen=limit)
    async for letter in letters(kafka, wanted, partitions=settings.partitions):
        counted[letter.venue, letter.reason] += 1
        newest.append(letter)
    if as_json:
        rows = [{"venue": v, "reason": r, "count": n} for (v, r), n in sorted(counted.items())]
        shown = [show.exported(letter, again) for letter in newest]
        sys.stdout.write(json.dumps({"counts": rows, "letters": shown}, ensure_ascii=False) + "\n")
        return
    for text in show.counts(counted):
        sys.stdout.write(f"{text}\n")
    for letter in sorted(newest, key=lambda each: each.appended_time):
        sys.stdout.write(f"{show.line(letter, again)}\n")


async def run_show(settings: Settings, place: Place) -> None:
    """One letter with all that is known of it; raises `NotThere`."""
    kafka = settings.kafka.arguments()
    await require(kafka, partitions=settings.partitions)
    again = await retried(kafka, partitions=settings.partitions)
    (letter,) = await _found(settings, Wanted(places=frozenset({place})))
    for text in show.whole(letter, again):
        sys.stdout.write(f"{text}\n")


async def run_export(settings: Settings, wanted: Wanted, path: Path) -> None:
    """All that are meant into a new file, one JSON object a line."""
    kafka = settings.kafka.arguments()
    await require(kafka, partitions=settings.partitions)
    again = await retried(kafka, partitions=settings.partitions)
    number = 0
    try:
        with path.open("x", encoding="utf-8") as file:
            async for letter in letters(kafka, wanted, partitions=settings.partitions):
                file.write(json.dumps(show.exported(letter, again), ensure_ascii=False) + "\n")
                number += 1
    except OSError as error:
        raise OperatorError(f"{path} cannot be written: {error.strerror}") from error
    sys.stderr.write(f"{number} dead letters in {path}\n")


async def run_retry(settings: Settings, wanted: Wanted, *, again: bool, dry_run: bool) -> None:
    """Send all that are meant to raw again; raises `NotThere`."""
    kafka = settings.kafka.arguments()
    await require(kafka, partitions=settings.partitions)
    found = await _found(settings, wanted)
    if dry_run:
        done = {} if again else await retried(kafka, partitions=settings.partitions)
        before = sum(1 for letter in found if str(letter.origin) in done)
        sys.stdout.write(f"would send {len(found) - before} again, {before} had been already\n")
        return
    sent = await send_again(kafka, found, partitions=settings.partitions, again=again)
    for each in sent:
        if each.place is not None:
            sys.stdout.write(f"{each.origin}  now {each.place}\n")
    before = sum(1 for each in sent if each.place is None)
    sys.stderr.write(f"{len(sent) - before} sent again, {before} had been already\n")


async def _found(settings: Settings, wanted: Wanted) -> list[DeadLetter]:
    kafka, found, size = settings.kafka.arguments(), [], 0
    async for letter in letters(kafka, wanted, partitions=settings.partitions):
        found.append(letter)
        size += len(letter.frame)
        if size > BYTES_AT_ONCE_MAX:
            message = f"more than {BYTES_AT_ONCE_MAX >> 20} MiB are meant: ask for fewer at a time"
            raise OperatorError(message)
    missing = sorted(wanted.places - {letter.origin for letter in found})
    if missing:
        raise NotThere(f"no dead letter of {', '.join(map(str, missing))}")
    if not found:
        raise NotThere("no dead letter is meant")
    return found
