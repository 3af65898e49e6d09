"""Who may ask what: bearer tokens, known by their hashes or signed by an issuer, for whom they say.

Without an `Access` everybody may ask everything, and then the worker listens on its own machine
alone (`headroom.base.settings` sees to that). A user that a token does not cover is answered as one
who does not exist: that there is such a user is something to know, too.

Who asks about users by name is written down (`asked`), also where the answer is no.
"""

import hmac
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import web

from processors.http.asked import write_down
from processors.http.grants import EVERYTHING, Grant, hashed
from processors.http.issuer import Issuer, Refused
from processors.http.issuer_keys import KeysUnknown
from processors.http.problems import Problem, not_yet
from processors.http.rates import Rates
from schemas.secrets import Secret

FORWARDED: Final = "X-Headroom-Forwarded"
"""What a worker says to another one to which it passes a question on; its value is one of these."""
TO_HOLDER: Final = "1"
FOR_COPY: Final = "copy"
_SCHEME: Final = "bearer "
_DOTS_OF_A_JWT: Final = 2
_OPEN: Final = frozenset({"/livez", "/readyz", "/metrics", "/openapi.json"})
_CHALLENGE: Final = 'Bearer realm="headroom"'


_GRANT: Final = web.RequestKey("grant", Grant)
_PASSED_ON: Final = web.RequestKey("passed_on", bool)


class Access:
    """The tokens of a worker, and the credential by which its fellows know each other.

    `clock` counts seconds, for those that may not ask at any rate. An `issuer`'s tokens count as
    well, where there is one.
    """

    def __init__(
        self,
        grants: Sequence[Grant],
        worker: Secret,
        *,
        issuer: Issuer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.worker = worker
        self.issuer = issuer
        self._fellow = Grant("worker", hashed(worker.reveal()), None)
        self._grants = (*grants, self._fellow)
        self._rates = Rates(clock)

    def replace(self, grants: Sequence[Grant]) -> None:
        """From now on these are the tokens: who had another one is not known any more."""
        names = frozenset(grant.name for grant in grants)
        self._rates.forget({grant.name for grant in self._grants}.difference(names))
        self._grants = (*grants, self._fellow)

    def knows(self, grant: Grant) -> bool:
        """Whether a token that was known is so still, and allows the same."""
        if grant.until_seconds is not None:
            return self.issuer is not None and self.issuer.knows(grant)
        return grant in self._grants

    async def check(self, request: web.Request) -> None:
        """Note what a request's token allows.

        Problem 401 where there is none that we know, 429 where it has asked too often, 503 where
        the issuer's keys are not known.
        """
        grant = await self._find(request.headers.getall("Authorization", []))
        request[_GRANT] = grant
        request[_PASSED_ON] = grant is self._fellow and FORWARDED in request.headers
        if grant.questions_per_minute is not None:
            wait_seconds = self._rates.take(grant.name, grant.questions_per_minute)
            if wait_seconds:
                raise _too_often(grant, wait_seconds)

    async def _find(self, headers: Sequence[str]) -> Grant:
        if len(headers) != 1 or not headers[0].lower().startswith(_SCHEME):
            raise _unknown("a bearer token is needed", _CHALLENGE)
        token = headers[0][len(_SCHEME) :].strip()
        digest = hashed(token)
        # All are compared, each in a time that says nothing: neither which one it is, nor how much.
        found = [grant for grant in self._grants if hmac.compare_digest(grant.digest, digest)]
        if found:
            return found[-1]
        try:
            if self.issuer is not None and token.count(".") == _DOTS_OF_A_JWT:
                return await self.issuer.grant(token)
        except Refused as why:
            raise _refused(str(why)) from None
        except KeysUnknown:
            raise not_yet("the keys of the tokens' issuer cannot be read") from None
        raise _refused("this token is not known")


def guarded(
    access: Access | None, also_open: frozenset[str] = frozenset()
) -> Callable[..., Awaitable[web.StreamResponse]]:
    """A middleware that lets nobody ask without a token; probes, and what says nothing of users.

    `also_open` are paths of the latter kind: the page's files, which hold no number.
    """

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if access is None:
            request[_PASSED_ON] = FORWARDED in request.headers
            return await handler(request)
        if request.path in _OPEN or request.path in also_open:
            return await handler(request)
        await access.check(request)
        status = None
        try:
            response = await handler(request)
            status = response.status
        except web.HTTPException as problem:
            status = problem.status
            raise
        finally:
            # What a fellow asks is for somebody whom it has checked, and written down.
            if not passed_on(request):
                write_down(request, grant_of(request).name, status)
        return response

    return guard


def grant_of(request: web.Request) -> Grant:
    """What this request may ask."""
    grant: Grant = request.get(_GRANT, EVERYTHING)
    return grant


def passed_on(request: web.Request) -> bool:
    """Whether another worker asks, for somebody whom it has checked."""
    is_passed_on: bool = request.get(_PASSED_ON, False)
    return is_passed_on


def wants_copy(request: web.Request) -> bool:
    """Whether another worker would take a copy, too: who holds the row does not answer it."""
    return passed_on(request) and request.headers.get(FORWARDED) == FOR_COPY


def require_all(request: web.Request) -> None:
    """Problem 403 where a token is for some users only: what is asked for is over all of them."""
    if grant_of(request).users is not None:
        raise Problem(403, "Forbidden", "this token is for some users only")


def _too_often(grant: Grant, wait_seconds: float) -> Problem:
    detail = f"this token may ask {grant.questions_per_minute} times a minute"
    return Problem(429, "Too Many Requests", detail, {"Retry-After": str(math.ceil(wait_seconds))})


def _refused(detail: str) -> Problem:
    """Of a token that was sent: RFC 6750 has a word for that, and none where there is no token."""
    return _unknown(detail, f'{_CHALLENGE}, error="invalid_token", error_description="{detail}"')


def _unknown(detail: str, challenge: str) -> Problem:
    return Problem(401, "Unauthorized", detail, {"WWW-Authenticate": challenge})
