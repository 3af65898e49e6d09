"""What a worker tells as it changes (`/v1/events`), for a terminal, over breaks of the connection.

The stream is read by what workers read each other's with: each stretch of events ends with the id
that says how far it goes, and that id is where the next connection goes on.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Final

import aiohttp
import click
import msgspec
import orjson
from yarl import URL

from headroom.base.asking import NotAnswered, NotYet, refused, session
from headroom.look.event_lines import line_of
from processors.http.events import text
from processors.http.events.reader import HEARTBEAT_SECONDS
from processors.http.events.relay import PATH
from producers.pace import Backoff
from producers.waiting import unless_stopped
from schemas.secrets import Secret

_OK: Final = 200
_READ_BYTES: Final = 32 * 1024
_STRETCH_BYTES_MAX: Final = 8 * 1024 * 1024
_TIMEOUT: Final = aiohttp.ClientTimeout(
    total=None, sock_connect=5.0, sock_read=3 * HEARTBEAT_SECONDS
)
_LONGEST_PAUSE_SECONDS: Final = 10.0

Pause = Callable[[float], Awaitable[object]]


class Wanted(msgspec.Struct, frozen=True):
    """Of which worker, and what; `after` is the id of the event behind which it goes on."""

    url: str
    users: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    venues: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    snapshot: bool = False
    after: str | None = None

    def query(self, last_id: str) -> Iterator[tuple[str, str]]:
        """What is asked by somebody who was told so far."""
        for name, values in (
            ("user", self.users),
            ("asset", self.assets),
            ("venue", self.venues),
            ("kind", self.kinds),
        ):
            for value in values:
                yield name, value
        if self.snapshot and not last_id:
            yield "snapshot", "true"


async def follow(
    wanted: Wanted,
    stop: asyncio.Event,
    *,
    as_json: bool,
    token: Secret | None,
    rng: Random | None = None,
    sleep: Pause = asyncio.sleep,
) -> None:
    """Print events until told to stop; raises `NotAnswered` where nobody will ever tell any."""
    pauses = Backoff(rng or Random(), longest_seconds=_LONGEST_PAUSE_SECONDS)  # noqa: S311 - jitter
    await unless_stopped(stop, _Follower(wanted, token, as_json=as_json).run(pauses, sleep))


class _NobodyReads(Exception):
    """Standard output is closed."""


class _Follower:
    def __init__(self, wanted: Wanted, token: Secret | None, *, as_json: bool) -> None:
        self._wanted = wanted
        self._token = token
        self._as_json = as_json
        self._last_id = wanted.after or ""
        self._is_answered = False

    async def run(self, pauses: Backoff, sleep: Pause) -> None:
        """Read, and read on after each break, until nobody wants to hear more."""
        async with session(self._token) as connections:
            while True:
                begun = time.monotonic()
                try:
                    why = await self._read(connections)
                except _NobodyReads:
                    return
                pauses.held(time.monotonic() - begun)
                click.echo(f"headroom: {why}; going on from where it was", err=True)
                await sleep(pauses.pause_seconds())

    async def _read(self, connections: aiohttp.ClientSession) -> str:
        """Tell what one connection tells, and then why it ended."""
        url = self._wanted.url
        # In one coding, so that what is encoded here is what comes there.
        address = URL(url + PATH).with_query(list(self._wanted.query(self._last_id)))
        headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
        try:
            async with connections.get(
                address, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                if response.status != _OK:
                    raise refused(response.status, await response.read())
                if response.content_type != "text/event-stream":
                    message = f"{url} tells no events"
                    raise NotAnswered(message)
                self._is_answered = True
                await self._tell_all(response)
        except NotYet as error:
            return str(error)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            if not self._is_answered:
                message = f"no worker answers at {url}: is `headroom work` running?"
                raise NotAnswered(message) from error
            return "the connection broke"
        except ValueError as error:
            message = f"{url} tells no events that can be read"
            raise NotAnswered(message) from error
        return "the worker ended the stream"

    async def _tell_all(self, response: aiohttp.ClientResponse) -> None:
        reading = text.Reading(_STRETCH_BYTES_MAX)
        async for some in response.content.iter_chunked(_READ_BYTES):
            for stretch in reading.take(some):
                events = [*text.events_of(stretch.text)] if stretch.text else []
                for number, (kind, data) in enumerate(events, 1):
                    # An id stands behind the last: who has seen half of them begins before them.
                    self._tell(kind, data, stretch.id if number == len(events) else None)
                self._last_id = stretch.id

    def _tell(self, kind: str, data: bytes, last_id: str | None) -> None:
        document = orjson.loads(data)  # raises ValueError
        if self._as_json:
            line = msgspec.json.encode({"event": kind, "id": last_id, "data": msgspec.Raw(data)})
        else:
            line = line_of(kind, document).encode()
        try:
            click.echo(line)
        except BrokenPipeError:
            # What is still in the buffer must not be written at the end, once more in vain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise _NobodyReads from None
