"""How the workers of a group ask each other: by what they know each other, and over what."""

from collections.abc import Mapping
from typing import Any, Final

import aiohttp
from yarl import URL

from processors.http.access import FORWARDED, TO_HOLDER
from schemas.secrets import Secret

_AT_ONCE_MAX: Final = 100


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

    async def close(self) -> None:
        """Let go of all connections."""
        if self._session is not None:
            await self._session.close()

    def ask(
        self,
        url: URL,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Any:  # noqa: ANN401 - aiohttp's context of a response
        """Another worker's response, for `async with`; raises what aiohttp raises.

        What is passed on is compressed once, by who passes it on. `seconds` is how long to wait
        for it at most, where that is another time than for all.
        """
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._at_once_max)
            self._session = aiohttp.ClientSession(timeout=self._timeout, connector=connector)
        given = {FORWARDED: TO_HOLDER, "Accept-Encoding": "identity", **(headers or {})}
        if self._credential is not None:
            given["Authorization"] = f"Bearer {self._credential.reveal()}"
        method = "GET" if body is None else "POST"
        timeout = self._timeout if seconds is None else aiohttp.ClientTimeout(total=seconds)
        return self._session.request(
            method, url, headers=given, data=body, allow_redirects=False, timeout=timeout
        )
