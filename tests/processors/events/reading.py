"""A reader of events as a test needs one: raw aiohttp, and a parser of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp

from tests.processors.pipeline import DEADLINE_SECONDS


class Event(NamedTuple):
    kind: str
    data: Any
    id: str | None


class Stream:
    """What an answer tells; `last_id` is what a browser would send when it comes back."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.last_id = ""
        self.seen: list[Event] = []

    async def next(self) -> Event:
        """The next event; signs of life are passed over. EOFError at the end."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                line = (await self.response.content.readline()).decode()
                if not line:
                    raise EOFError
                if line == "\n":
                    self.last_id = fields.get("id", self.last_id)
                    if "data" in fields:
                        kind, data = fields.get("event", "message"), json.loads(fields["data"])
                        self.seen.append(Event(kind, data, fields.get("id")))
                        return self.seen[-1]
                    fields = {}
                    continue
                name, _, value = line.rstrip("\n").partition(":")
                if name:
                    fields[name] = value.removeprefix(" ")

    async def until(self, wanted: Callable[[Event], object]) -> list[Event]:
        """All events up to the first that is wanted, that one included."""
        found = [await self.next()]
        while not wanted(found[-1]):
            found.append(await self.next())
        return found

    async def all_current(self, partitions: set[int]) -> list[Event]:
        """All events until these are known."""
        left, found = set(partitions), list[Event]()
        while left:
            found.append(await self.next())
            if found[-1].kind == "current":
                left -= set(found[-1].data["partitions"])
            elif found[-1].kind == "moved":
                left |= set(found[-1].data["partitions"]) & partitions
        return found


@asynccontextmanager
async def reading(
    url: str, query: str = "", *, last_id: str | None = None, token: str | None = None
) -> AsyncIterator[Stream]:
    """Read events of a worker while the block runs."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        session.get(f"{url}/v1/events{query}", headers=headers) as response,
    ):
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield Stream(response)
