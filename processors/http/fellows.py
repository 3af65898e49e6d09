"""How the workers of a group ask each other: by what they know each other, and over what."""

import asyncio
import contextlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import aiohttp
from yarl import URL

from processors.http.access import FORWARDED, TO_HOLDER
from processors.http.lines import Lines, Odd, Said, place_of, request_of
from schemas.secrets import Secret

_AT_ONCE_MAX: Final = 100
_WORKERS_REMEMBERED: Final = 1_000
_ODD_SECONDS: Final = 60.0
_place_of: Final = lru_cache(_WORKERS_REMEMBERED)(place_of)


class Fellows:
    """Connections to other workers; nothing is opened before the first question.

    `credential` is what they know this one by, where they answer only to who has one. `at_once_max`
    bounds the connections; 0: whoever asks counts them.
    """

    def __init__(
        self,
        credential: Secret | None,
        *,
        timeout: aiohttp.ClientTimeout,
        at_once_max: int = _AT_ONCE_MAX,
    ) -> None:
        self._credential = credential
        self._timeout = timeout
        self._at_once_max = at_once_max
        self._session: aiohttp.ClientSession | None = None
        self._lines: Lines | None = None
        # Who does not answer as workers do, as where something stands between, and until when
        # that is believed, by the loop's clock.
        self._odd: dict[str, float] = {}

    async def close(self) -> None:
        """Let go of all connections."""
        if self._lines is not None:
            self._lines.close()
        if self._session is not None:
            await self._session.close()

    async def answer(
        self,
        url: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str],
        seconds: float,
    ) -> Said:
        """A worker's whole answer, not compressed, within so many seconds.

        Raises OSError and aiohttp's ClientError where there is none.
        """
        place = None if self._is_odd(url) else _place_of(url)
        request = None
        if place is not None:
            with contextlib.suppress(Odd):  # a question that is odd makes nobody else so
                request = request_of(place, path, self._headers(headers), body)
        if place is not None and request is not None:
            if self._lines is None:
                self._lines = Lines(self._at_once_max)
            try:
                return await self._lines.ask(place, request, seconds=seconds, again=body is None)
            except Odd:
                self._odd[url] = asyncio.get_running_loop().time() + _ODD_SECONDS
        asked = self.ask(URL(url + path, encoded=True), body=body, headers=headers, seconds=seconds)
        async with asked as response:
            said = await response.read()
            return Said(response.status, response.content_type, response.headers, said)

    def _is_odd(self, url: str) -> bool:
        until = self._odd.get(url)
        if until is None or until > asyncio.get_running_loop().time():
            return until is not None
        del self._odd[url]
        return False

    def _headers(self, headers: Mapping[str, str] | None) -> dict[str, str]:
        """What a question says of itself: an answer is compressed once, by who passes it on."""
        given = {FORWARDED: TO_HOLDER, "Accept-Encoding": "identity", **(headers or {})}
        if self._credential is not None:
            given["Authorization"] = f"Bearer {self._credential.reveal()}"
        return given

    def ask(
        self,
        url: URL,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Any:  # noqa: ANN401 - aiohttp's context of a response
        """Another worker's response, for `async with`; raises what aiohttp raises.

        `seconds` is how long to wait for it at most, where that is another time than for all.
        """
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._at_once_max)
            self._session = aiohttp.ClientSession(timeout=self._timeout, connector=connector)
        method = "GET" if body is None else "POST"
        timeout = self._timeout if seconds is None else aiohttp.ClientTimeout(total=seconds)
        return self._session.request(
            method,
            url,
            headers=self._headers(headers),
            data=body,
            allow_redirects=False,
            timeout=timeout,
        )
