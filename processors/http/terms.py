"""On what terms an answer is taken: how old it may be, whether it must be live, which is known.

An answer that does not meet the terms is 503 with the reason, never another number. A copy's, which
`allow_stale` lets in, has to meet the others, too.
"""

import hashlib
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec
from aiohttp import web

from processors.freshness import Freshness
from processors.http.problems import bad_request, not_yet

AGE_SECONDS_MAX: Final = 86_400
_DIGITS_MAX: Final = 40
_TAG_LETTERS: Final = 16


class Terms(msgspec.Struct, frozen=True):
    """`max_age_seconds` is None where any age will do.

    `allows_stale`: a copy of the row will do while nobody who holds it answers.
    """

    max_age_seconds: float | None = None
    is_live_required: bool = False
    allows_stale: bool = False

    @property
    def may_be_copy(self) -> bool:
        """Whether a copy could be taken: none is ever live."""
        return self.allows_stale and not self.is_live_required

    def require(self, freshness: Freshness) -> None:
        """Raises 503 where a number is not what is asked for."""
        if self.is_live_required and freshness.state != "live":
            raise not_yet(f"not live but {freshness.state}: {freshness.reason}")
        age, oldest = freshness.age_seconds, self.max_age_seconds
        if oldest is not None and age > oldest:
            raise not_yet(f"{age:.3f} s old, and {oldest:g} s at most are wanted")


_ANY: Final = Terms()


def terms_of(request: web.Request) -> Terms:
    """What a question asks for by its parameters; raises 400."""
    if not request.query:
        return _ANY
    wanted, age = request.query.get("require"), request.query.get("max_age_seconds")
    if wanted not in (None, "live"):
        raise bad_request("require is live, or is left out")
    return Terms(None if age is None else _seconds(age), wanted == "live", allows_stale(request))


def allows_stale(request: web.Request) -> bool:
    """Whether a question says `allow_stale`; raises 400."""
    said = request.query.get("allow_stale", "false")
    if said not in ("true", "false"):
        raise bad_request("allow_stale is true or false")
    return said == "true"


def tag_of(version: int, freshness: Freshness) -> str:
    """What an answer is known by (RFC 9110, a weak validator): its age, which passes, aside."""
    states = [
        (one.venue, one.account, one.state, one.cause, one.since) for one in freshness.accounts
    ]
    said = msgspec.json.encode([freshness.source, freshness.state, freshness.since, states])
    return f'W/"{version}-{hashlib.sha256(said).hexdigest()[:_TAG_LETTERS]}"'


def is_known(request: web.Request, tag: str) -> bool:
    """Whether who asks has this very answer (`If-None-Match`)."""
    said = request.headers.get("If-None-Match")
    return said is not None and any(one.strip() in (tag, "*") for one in said.split(","))


def _seconds(text: str) -> float:
    try:
        # Digits are counted before they are read: a number of any length may stand in a URL.
        number = Decimal(text) if text.isascii() and len(text) <= _DIGITS_MAX else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not (number.is_finite() and 0 <= number <= AGE_SECONDS_MAX):
        raise bad_request(f"max_age_seconds is a number from 0 to {AGE_SECONDS_MAX}")
    return float(number)
