"""Who holds a key, and asking them: the one asked passes the question on to the owner."""

import asyncio
import logging
import time
from typing import Any, Final, NamedTuple

import aiohttp
import orjson
from aiohttp import web
from yarl import URL

from processors.engine.app import EngineApp
from processors.engine.copies import Copy
from processors.engine.table import Table
from processors.http.access import FOR_COPY, FORWARDED, TO_HOLDER, passed_on
from processors.http.fellows import Fellows
from processors.http.problems import RETRY_AFTER_SECONDS, Problem, not_yet
from schemas.secrets import Secret
from schemas.words import Words

log = logging.getLogger("headroom.http")

COMPRESSED_BYTES_MIN: Final = 4 * 1024
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5.0)


ANSWERED_BY: Final = "X-Headroom-Answered-By"
"""Who an answer about a user comes from: `owner`, also where that says no, or a kind of copy."""
OWNER: Final = "owner"
LAG: Final = "X-Headroom-Lag-Records"
"""How far behind a copy is, empty where nobody knows."""
COPY_SECONDS: Final = 1.0
"""So long the owner is waited for, and then the copies, where a copy would do."""


class NoAnswer(Problem):
    """503: a worker, `url`, does not answer."""

    def __init__(self, url: str) -> None:
        detail = "the worker that holds this key does not answer"
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        super().__init__(503, "Service Unavailable", detail, headers)
        self.url = url


class Answer(NamedTuple):
    """Another worker's answer; `tag` is what it is known by, where it says that."""

    status: int
    content_type: str
    body: bytes
    tag: str | None
    answered_by: str | None = None
    lag: str | None = None

    def response(self) -> web.Response:
        """The same, as it goes out."""
        found = answered(
            self.body,
            self.content_type,
            status=self.status,
            tag=self.tag,
            answered_by=self.answered_by,
        )
        if self.lag is not None:
            found.headers[LAG] = self.lag
            found.headers["Cache-Control"] = "no-store"
        return found


def answered(
    body: bytes | None,
    content_type: str = "application/json",
    *,
    status: int = web.HTTPOk.status_code,
    tag: str | None = None,
    answered_by: str | None = None,
) -> web.Response:
    """An answer as it goes out: compressed where that is worth it and wanted."""
    headers = {} if tag is None else {"ETag": tag, "Cache-Control": "no-cache"}
    if answered_by is not None:
        headers[ANSWERED_BY] = answered_by
    if status == web.HTTPServiceUnavailable.status_code:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if status == web.HTTPNotModified.status_code:
        return web.Response(status=status, headers=headers)
    response = web.Response(status=status, body=body, content_type=content_type, headers=headers)
    if body is not None and len(body) >= COMPRESSED_BYTES_MIN:
        response.enable_compression()
    return response


def is_of_owner(answer: web.Response | Problem) -> bool:
    """Whether who holds a user's row said so: also that there is none, or why it is no answer.

    A worker of an earlier version does not say who it is; but 503 is all that it says for others.
    """
    by = answer.headers.get(ANSWERED_BY)
    return by == OWNER or (by is None and answer.status != web.HTTPServiceUnavailable.status_code)


class Ownership:
    """This worker's view of which worker holds which partition.

    `credential` is what the others know it by, where they answer only to who has one.
    """

    def __init__(self, app: EngineApp, url: str, credential: Secret | None) -> None:
        self._app = app
        self._url = url
        self._fellows = Fellows(credential, timeout=_TIMEOUT)
        self._words = Words()

    async def close(self) -> None:
        """Let go of the connections to other workers."""
        await self._fellows.close()

    def require_serving(self) -> None:
        """Raises 503 while tables are restored or moved."""
        if not self._app.serving:
            raise not_yet("tables are being restored or moved between workers")

    def partition_here(self, table: Table, key: bytes) -> int | None:
        """The partition of a key if this worker holds it; None if another one does.

        Raises 503 where nobody is known to hold it.
        """
        self.require_serving()
        partition, owner = self._app.owner(table, key)
        if owner is None:
            raise not_yet("no worker holds this key yet")
        return partition if owner == self._url else None

    def holds(self, table: Table, key: bytes) -> bool:
        """Whether this worker may answer for a key."""
        return self._app.serving and self._app.owner(table, key)[1] == self._url

    async def copy_of(self, table: Table, key: bytes) -> Copy | None:
        """A row as it lies here, whoever holds it; None where it does not."""
        return await self._app.copy_of(table, key)

    async def pass_on(
        self, request: web.Request, table: Table, key: bytes, *, seconds: float | None = None
    ) -> web.Response:
        """The owner's own answer. A question is passed on once: views may differ for a moment."""
        if passed_on(request):
            raise not_yet("this key is being moved between workers")
        answer = await self.ask_owner(
            table,
            key,
            request.rel_url.raw_path_qs,
            known=request.headers.get("If-None-Match"),
            seconds=seconds,
        )
        return answer.response()

    async def ask_owner(
        self,
        table: Table,
        key: bytes,
        path: str,
        *,
        known: str | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """The owner's answer to `path`; raises 503 without one. `known`: which one we have."""
        _, owner = self._app.owner(table, key)
        if owner is None:
            raise not_yet("this key is being moved between workers")
        return await self._ask(owner, path, known=known, seconds=seconds)

    async def ask_copies(
        self, path: str, *, body: bytes | None = None, but: frozenset[str]
    ) -> list[Answer]:
        """The answers of others that have a copy, or think that they hold the rows themselves."""
        others = [url for url in self._app.workers() if url != self._url and url not in but]
        asked = (
            self._ask(url, path, body=body, seconds=COPY_SECONDS, forwarded=FOR_COPY)
            for url in others
        )
        answers = await asyncio.gather(*asked, return_exceptions=True)
        broken = [one for one in answers if isinstance(one, BaseException)]
        if unforeseen := [one for one in broken if not isinstance(one, Problem)]:
            raise unforeseen[0]
        return [
            one
            for one in answers
            if isinstance(one, Answer) and one.status == web.HTTPOk.status_code
        ]

    def owner_of(self, table: Table, key: bytes) -> str | None:
        """The URL of the worker that holds a key, None if this one does; raises 503 as above."""
        if self.partition_here(table, key) is not None:
            return None
        return self._app.owner(table, key)[1]

    async def ask(self, url: str, path: str, body: bytes, *, seconds: float | None = None) -> bytes:
        """Another worker's answer to what is sent to it; raises 503 where it is none."""
        answer = await self._ask(url, path, body=body, seconds=seconds)
        if answer.status != web.HTTPOk.status_code:
            raise not_yet("another worker is not ready")
        return answer.body

    async def gather(self, path: str) -> list[Any]:
        """The answers of all other workers to `path`; raises 503 where one does not answer."""
        others = [url for url in self._app.workers() if url != self._url]
        answers = await asyncio.gather(*(self._ask(url, path) for url in others))
        if any(answer.status != web.HTTPOk.status_code for answer in answers):
            raise not_yet("another worker is not ready")
        return [orjson.loads(answer.body) for answer in answers]

    async def _ask(
        self,
        url: str,
        path: str,
        *,
        known: str | None = None,
        body: bytes | None = None,
        seconds: float | None = None,
        forwarded: str = TO_HOLDER,
    ) -> Answer:
        headers = {FORWARDED: forwarded}
        if known is not None:
            headers["If-None-Match"] = known
        try:
            place = URL(url + path, encoded=True)
            asked = self._fellows.ask(place, body=body, headers=headers, seconds=seconds)
            async with asked as response:
                status, said = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswer(url) from error
        if status == web.HTTPUnauthorized.status_code:
            # Theirs to mend who run the workers, and nothing that who asks could do better.
            text = f"{url} refuses this worker's HEADROOM_WORKER_TOKEN"
            if (line := self._words.say(text, int(time.monotonic()))) is not None:
                log.error("%s", line)
            raise not_yet("the worker that holds this key does not know this one")
        given = response.headers
        return Answer(
            status,
            response.content_type,
            said,
            given.get("ETag"),
            given.get(ANSWERED_BY),
            given.get(LAG),
        )
