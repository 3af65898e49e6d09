"""An issuer's public keys, as its JWKS says them (RFC 7517): read beside the questions, and kept.

A key that is not known makes them read again, once in `again_seconds` at most whoever asks: anybody
can send a token that names any key. Where they cannot be read, those of before stay.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import jwt
import msgspec

log = logging.getLogger("headroom.tokens")

ALGORITHMS: Final = frozenset({"RS256", "ES256", "EdDSA"})
"""All that is taken: each of a private and a public key, so that nobody signs by a public one."""
BYTES_MAX: Final = 1024 * 1024
_KEYS_MAX: Final = 100
_WAIT_SECONDS: Final = 5.0

Name = tuple[str, str]
"""A key's `kid` and its algorithm."""


class KeysUnknown(Exception):
    """The keys could not be read, so that nobody can tell whether there is such a one."""


class _Set(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


def keys_of(text: bytes) -> dict[Name, jwt.PyJWK]:
    """The keys of a JWKS that tokens may be signed with; raises ValueError where there is none.

    Others are passed over: secret ones, those to encrypt with, without a name, of other algorithms,
    or too short. Of two with one name the first counts.
    """
    try:
        said = msgspec.json.decode(text, type=_Set).keys
    except (msgspec.DecodeError, RecursionError):
        raise ValueError("it is no JWKS") from None
    found: dict[Name, jwt.PyJWK] = {}
    for one in said[:_KEYS_MAX]:
        key = _usable(one)
        if key is not None:
            found.setdefault((str(key.key_id), key.algorithm_name), key)
    if not found:
        raise ValueError("it has no key that could be used")
    return found


def _usable(said: Mapping[str, Any]) -> jwt.PyJWK | None:
    kid, uses, operations = said.get("kid"), said.get("use", "sig"), said.get("key_ops", ["verify"])
    is_public = "d" not in said and said.get("kty") in ("RSA", "EC", "OKP")
    verifies = uses == "sig" and isinstance(operations, list) and "verify" in operations
    if not (isinstance(kid, str) and kid and is_public and verifies):
        return None
    try:
        key = jwt.PyJWK(dict(said))
        if key.algorithm_name not in ALGORITHMS or key.Algorithm.check_key_length(key.key):
            return None
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    return key


class Keys:
    """The keys by their names; `read` brings the JWKS, and raises OSError or ValueError.

    `monotonic` counts seconds. What was read is read again every `every_seconds`.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[bytes]],
        *,
        every_seconds: float,
        again_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._read = read
        self._every_seconds = every_seconds
        self._again_seconds = again_seconds
        self._monotonic = monotonic
        self._sleep = sleep
        self._keys: dict[Name, jwt.PyJWK] = {}
        self._text = b""
        self._begun = -math.inf
        self._reading: asyncio.Task[None] | None = None
        self._is_known = False
        self.failures = 0
        self._read_at: float | None = None

    def age_seconds(self) -> float | None:
        """How long ago the keys were last read; None: never."""
        return None if self._read_at is None else self._monotonic() - self._read_at

    def has(self, name: Name) -> bool:
        """Whether a key is one of the issuer's, as far as that is known."""
        return name in self._keys

    async def of(self, name: Name) -> jwt.PyJWK | None:
        """A key, None where the issuer has none of this name; raises `KeysUnknown`."""
        if name not in self._keys and (reading := self._again()) is not None:
            await asyncio.wait({reading}, timeout=_WAIT_SECONDS)
        found = self._keys.get(name)
        if found is None and not self._is_known:
            raise KeysUnknown
        return found

    async def keep_reading(self) -> None:
        """Read the keys, again and again, until cancelled."""
        while True:
            await asyncio.wait({self._reading_now()})
            await self._sleep(self._every_seconds if self._is_known else self._again_seconds)

    def _again(self) -> "asyncio.Task[None] | None":
        """A reading that is under way or may begin; None where the last one began just now."""
        is_under_way = self._reading is not None and not self._reading.done()
        if is_under_way or self._monotonic() - self._begun >= self._again_seconds:
            return self._reading_now()
        return None

    def _reading_now(self) -> "asyncio.Task[None]":
        if self._reading is None or self._reading.done():
            self._begun = self._monotonic()
            self._reading = asyncio.create_task(self._read_once())
        return self._reading

    async def _read_once(self) -> None:
        try:
            text = await self._read()
            if text != self._text:
                # Not in the loop: a hundred keys take their time.
                self._keys = await asyncio.to_thread(keys_of, text)
                self._text = text
                log.info("the issuer's keys were read: %d of them", len(self._keys))
        except (OSError, ValueError, TimeoutError) as error:
            self.failures += 1
            self._is_known = False
            why = error if isinstance(error, ValueError) else type(error).__name__
            log.warning("the issuer's keys cannot be read, those of before stay: %s", why)
        else:
            self._is_known, self._read_at = True, self._monotonic()

    async def close(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
