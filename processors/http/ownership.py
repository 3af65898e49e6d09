"""Who holds a key, and asking them: the one asked passes the question on to the owner."""

import asyncio
import logging
import time
from typing import Any, Final

import aiohttp
import orjson
from aiohttp import web
from yarl import URL

from processors.engine import EngineApp, Table
from processors.http.access import FORWARDED, passed_on
from processors.http.problems import not_yet
from schemas.secrets import Secret
from schemas.words import Words

log = logging.getLogger("headroom.http")

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5.0)


class Ownership:
    """This worker's view of which worker holds which partition.

    `credential` is what the others know it by, where they answer only to who has one.
    """

    def __init__(self, app: EngineApp, url: str, credential: Secret | None) -> None:
        self._app = app
        self._url = url
        self._credential = credential
        self._session: aiohttp.ClientSession | None = None
        self._words = Words()

    async def close(self) -> None:
        """Let go of the connections to other workers."""
        if self._session is not None:
            await self._session.close()

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
        path = request.rel_url.raw_path_qs
        status, content_type, body = await self.ask_owner(table, key, path)
        return web.Response(status=status, body=body, content_type=content_type)

    async def ask_owner(self, table: Table, key: bytes, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body of the owner's answer to `path`; raises 503 without one."""
        _, owner = self._app.owner(table, key)
        if owner is None:
            raise not_yet("this key is being moved between workers")
        return await self._get(owner + path)

    async def gather(self, path: str) -> list[Any]:
        """The answers of all other workers to `path`; raises 503 where one does not answer."""
        others = [url for url in self._app.workers() if url != self._url]
        answers = await asyncio.gather(*(self._get(url + path) for url in others))
        if any(status != web.HTTPOk.status_code for status, _, _ in answers):
            raise not_yet("another worker is not ready")
        return [orjson.loads(body) for _, _, body in answers]

    async def _get(self, url: str) -> tuple[int, str, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        try:
            async with self._session.get(
                URL(url, encoded=True), headers=self._headers(), allow_redirects=False
            ) as response:
                status, body = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise not_yet("the worker that holds this key does not answer") from error
        if status == web.HTTPUnauthorized.status_code:
            # Theirs to mend who run the workers, and nothing that who asks could do better.
            text = f"{url.partition('/v1')[0]} refuses this worker's HEADROOM_WORKER_TOKEN"
            if (line := self._words.say(text, int(time.monotonic()))) is not None:
                log.error("%s", line)
            raise not_yet("the worker that holds this key does not know this one")
        return status, response.content_type, body

    def _headers(self) -> dict[str, str]:
        headers = {FORWARDED: "1"}
        if self._credential is not None:
            headers["Authorization"] = f"Bearer {self._credential.reveal()}"
        return headers
