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
from processors.engine.table import Table
from processors.http.access import passed_on
from processors.http.fellows import Fellows
from processors.http.problems import RETRY_AFTER_SECONDS, not_yet
from schemas.secrets import Secret
from schemas.words import Words

log = logging.getLogger("headroom.http")

COMPRESSED_BYTES_MIN: Final = 4 * 1024
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5.0)


class Answer(NamedTuple):
    """Another worker's answer; `tag` is what it is known by, where it says that."""

    status: int
    content_type: str
    body: bytes
    tag: str | None


def answered(
    body: bytes | None,
    content_type: str = "application/json",
    *,
    status: int = web.HTTPOk.status_code,
    tag: str | None = None,
) -> web.Response:
    """An answer as it goes out: compressed where that is worth it and wanted."""
    headers = {} if tag is None else {"ETag": tag, "Cache-Control": "no-cache"}
    if status == web.HTTPServiceUnavailable.status_code:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if status == web.HTTPNotModified.status_code:
        return web.Response(status=status, headers=headers)
    response = web.Response(status=status, body=body, content_type=content_type, headers=headers)
    if body is not None and len(body) >= COMPRESSED_BYTES_MIN:
        response.enable_compression()
    return response


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

    async def pass_on(self, request: web.Request, table: Table, key: bytes) -> web.Response:
        """The owner's own answer. A question is passed on once: views may differ for a moment."""
        if passed_on(request):
            raise not_yet("this key is being moved between workers")
        answer = await self.ask_owner(
            table, key, request.rel_url.raw_path_qs, request.headers.get("If-None-Match")
        )
        return answered(answer.body, answer.content_type, status=answer.status, tag=answer.tag)

    async def ask_owner(
        self, table: Table, key: bytes, path: str, known: str | None = None
    ) -> "Answer":
        """The owner's answer to `path`; raises 503 without one. `known`: which one we have."""
        _, owner = self._app.owner(table, key)
        if owner is None:
            raise not_yet("this key is being moved between workers")
        return await self._ask(owner + path, known=known)

    def owner_of(self, table: Table, key: bytes) -> str | None:
        """The URL of the worker that holds a key, None if this one does; raises 503 as above."""
        if self.partition_here(table, key) is not None:
            return None
        return self._app.owner(table, key)[1]

    async def ask(self, url: str, body: bytes) -> bytes:
        """Another worker's answer to what is sent to it; raises 503 where it is none."""
        answer = await self._ask(url, body=body)
        if answer.status != web.HTTPOk.status_code:
            raise not_yet("another worker is not ready")
        return answer.body

    async def gather(self, path: str) -> list[Any]:
        """The answers of all other workers to `path`; raises 503 where one does not answer."""
        others = [url for url in self._app.workers() if url != self._url]
        answers = await asyncio.gather(*(self._ask(url + path) for url in others))
        if any(answer.status != web.HTTPOk.status_code for answer in answers):
            raise not_yet("another worker is not ready")
        return [orjson.loads(answer.body) for answer in answers]

    async def _ask(
        self, url: str, *, known: str | None = None, body: bytes | None = None
    ) -> "Answer":
        headers = {} if known is None else {"If-None-Match": known}
        try:
            place = URL(url, encoded=True)
            async with self._fellows.ask(place, body=body, headers=headers) as response:
                status, said = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise not_yet("the worker that holds this key does not answer") from error
        if status == web.HTTPUnauthorized.status_code:
            # Theirs to mend who run the workers, and nothing that who asks could do better.
            text = f"{url.partition('/v1')[0]} refuses this worker's HEADROOM_WORKER_TOKEN"
            if (line := self._words.say(text, int(time.monotonic()))) is not None:
                log.error("%s", line)
            raise not_yet("the worker that holds this key does not know this one")
        return Answer(status, response.content_type, said, response.headers.get("ETag"))
