"""Who holds a key, and asking them: the one asked passes the question on to the owner."""

import asyncio
from typing import Any, Final

import aiohttp
import orjson
from aiohttp import web
from yarl import URL

from processors.engine import EngineApp, Table
from processors.http.problems import not_yet

FORWARDED: Final = "X-Headroom-Forwarded"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5.0)


class Ownership:
    """This worker's view of which worker holds which partition."""

    def __init__(self, app: EngineApp, url: str) -> None:
        self._app = app
        self._url = url
        self._session: aiohttp.ClientSession | None = None

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
        _, owner = self._app.owner(table, key)
        if owner is None or FORWARDED in request.headers:
            raise not_yet("this key is being moved between workers")
        status, content_type, body = await self._get(owner + request.rel_url.raw_path_qs)
        return web.Response(status=status, body=body, content_type=content_type)

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
                URL(url, encoded=True), headers={FORWARDED: "1"}, allow_redirects=False
            ) as response:
                return response.status, response.content_type, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise not_yet("the worker that holds this key does not answer") from error
