"""What another worker tells of its partitions, passed on."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Final

import aiohttp
from aiohttp import web
from yarl import URL

from processors.http.events import text
from processors.http.events.common import Common, Commons
from processors.http.events.log import Place, places_of, told
from processors.http.events.reader import HEARTBEAT_SECONDS, EventReader, Part
from processors.http.events.wanted import Wanted
from processors.http.fellows import Fellows
from schemas.secrets import Secret
from schemas.words import Words

log = logging.getLogger("headroom.http")

PATH: Final = "/v1/events"
_TIMEOUT: Final = aiohttp.ClientTimeout(
    total=None, sock_connect=5.0, sock_read=3 * HEARTBEAT_SECONDS
)
# A stretch, and one event of somebody who holds as much as a record of Kafka can say.
_STRETCH_BYTES_MAX: Final = 8 * 1024 * 1024
_READ_BYTES: Final = 32 * 1024
_NAMES_BYTES_MAX: Final = 2_000


class Relays:
    """Connections to other workers: for who reads all one in common, else one for each reader.

    `credential` is what the others know this one by, where they answer only to who has one.
    """

    def __init__(self, credential: Secret | None) -> None:
        # Readers are counted, and no reader has more than one for each worker.
        self._fellows = Fellows(credential, timeout=_TIMEOUT, at_once_max=0)
        self._words = Words()
        self._commons = Commons(self._newest)

    async def close(self) -> None:
        """Let go of all."""
        await self._commons.close()
        await self._fellows.close()

    async def __call__(self, part: Part, reader: EventReader) -> None:
        """Pass on what a worker tells of a part, until it ends or does not answer."""
        try:
            if reader.wanted.keys is None:
                await self._with_others(part, reader)
            else:
                await self._alone(part, reader, None)
        except (aiohttp.ClientConnectionResetError, ConnectionError) as error:
            if reader.is_gone():
                raise
            self._say(part, error)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            self._say(part, error)

    async def _with_others(self, part: Part, reader: EventReader) -> None:
        """Tell a reader what is read for all; while it is not there, alone."""
        while part.partitions:
            partitions = frozenset(part.partitions)
            with self._commons.held(part.owner, partitions, reader.wanted) as common:
                places = await common.newest() if part.begins_now else None
                if places is not None:
                    reader.current(partitions)
                    control = text.control("current", partitions=sorted(partitions))
                    await reader.out.send(control, places)
                elif not await self._alone(part, reader, common):
                    return
                # From here on it has a past.
                part.begins_now = part.is_asked = False
                await _follow(common, part, reader)

    async def _alone(self, part: Part, reader: EventReader, common: Common | None) -> bool:
        """Tell a reader what is read for it alone; True once it may go on with the others."""
        stretches = self._read(part.owner, list(_asked(part, reader)))
        async with contextlib.aclosing(stretches):
            async for stretch in stretches:
                await _tell(stretch, part, reader)
                if common is not None and _number_in(common, part, reader) is not None:
                    return True
        return False

    def _newest(
        self, owner: str, partitions: frozenset[int], wanted: Wanted
    ) -> AsyncGenerator[text.Stretch, None]:
        return self._read(owner, list(_asked_from_now(partitions, wanted)))

    async def _read(
        self, owner: str, asked: list[tuple[str, str]]
    ) -> AsyncGenerator[text.Stretch, None]:
        async with self._fellows.ask(URL(owner + PATH).with_query(asked)) as response:
            if response.status != web.HTTPOk.status_code:
                raise ValueError(f"status {response.status}")
            reading = text.Reading(_STRETCH_BYTES_MAX)
            async for some in response.content.iter_chunked(_READ_BYTES):
                for stretch in reading.take(some):
                    yield stretch

    def _say(self, part: Part, error: Exception) -> None:
        said = f"no events of {part.owner}: {type(error).__name__}"
        if isinstance(error, ValueError) and str(error).startswith("status "):
            said = f"no events of {part.owner}: {error}"
        line = self._words.say(said, int(time.monotonic()))
        if line is not None:
            log.warning("%s", line)


def _asked(part: Part, reader: EventReader) -> Iterator[tuple[str, str]]:
    yield from _asked_from_now(frozenset(part.partitions), reader.wanted)
    if part.is_asked:
        yield "snapshot", "true"
    elif not part.begins_now:
        yield "last_event_id", told(_places(part, reader))


def _asked_from_now(partitions: frozenset[int], wanted: Wanted) -> Iterator[tuple[str, str]]:
    yield "partitions", ",".join(map(str, sorted(partitions)))
    for kind in sorted(wanted.kinds):
        yield "kind", kind
    for name, values in (("asset", wanted.assets), ("venue", wanted.venues)):
        for value in sorted(values or ()):
            yield name, value
    keys = sorted(wanted.keys or ())
    # Of more than fit into a request it is told all, and passes on those that it wants.
    if sum(map(len, keys)) <= _NAMES_BYTES_MAX:
        for key in keys:
            yield "user", key.decode()


def _places(part: Part, reader: EventReader) -> dict[int, Place]:
    """How far a reader was told of a part."""
    return {one: place for one, place in reader.out.places.items() if one in part.partitions}


def _number_in(common: Common, part: Part, reader: EventReader) -> int | None:
    """Where in what is read for all a reader is; None: it is not there."""
    if common.partitions != part.partitions:
        return None
    return common.number_of(_places(part, reader))


async def _follow(common: Common, part: Part, reader: EventReader) -> None:
    """Tell a reader what is told to all, for as long as it keeps up with them."""
    number = _number_in(common, part, reader)
    while number is not None and (found := await common.following(number)) is not None:
        number, (events, after) = found
        if events:
            await reader.out.send(events, after)
        else:
            reader.out.places.update(after)
        if common.is_newest(number):
            await asyncio.sleep(reader.hub.pace_seconds)


async def _tell(stretch: text.Stretch, part: Part, reader: EventReader) -> None:
    """Pass on a stretch; raises ValueError where it is none of ours."""
    places = {one: place for one, place in places_of(stretch.id).items() if one in part.partitions}
    if not stretch.text:
        reader.out.places.update(places)
        return
    control = text.control_of(stretch.text)
    if control is None:
        keys = reader.wanted.keys
        events = stretch.text if keys is None else text.only_of(stretch.text, keys)
        if events:
            await reader.out.send(events, places)
        return
    kind, said = control
    about = part.partitions.intersection(said.partitions)
    if kind == "moved":
        part.partitions -= about
        await reader.lost(about)
        return
    if kind == "current":
        reader.current(about)
    less = frozenset(about if kind == "reset" else ())
    again = text.control(kind, partitions=sorted(about), why=said.why)
    await reader.out.send(again, {} if less else places, less=less)
