"""JWTs of one issuer: what one has to say to be a grant (RFC 7519, RFC 7515, RFC 8725).

Whose key signed it is looked at first, and nothing of a token counts before. Nothing of one is ever
told: not in an answer, not in a log.
"""

import time
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

import jwt
import msgspec

from processors.http.grants import Grant, hashed
from processors.http.issuer_keys import ALGORITHMS, Keys
from schemas.identity import is_user

TOKEN_LETTERS_MAX: Final = 8_000
"""A longer one does not fit into the header that the listener takes."""
LEEWAY_SECONDS: Final = 10.0
SUBJECT_PREFIX: Final = "jwt:"
"""Before a subject in audit lines and rates: nobody of the tokens file is meant."""
_SUBJECT_LETTERS_MAX: Final = 255
_USERS_MAX: Final = 1_000
_TIME_MAX: Final = 2**53


class Refused(Exception):
    """Why a token is no grant, in words of ours that say nothing of it."""


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: Annotated[str, msgspec.Meta(min_length=1, max_length=_SUBJECT_LETTERS_MAX)]
    crit: Any = None


Seconds = Annotated[float, msgspec.Meta(ge=0, le=_TIME_MAX)]


class _Times(msgspec.Struct, frozen=True):
    sub: Annotated[str, msgspec.Meta(min_length=1, max_length=_SUBJECT_LETTERS_MAX)]
    exp: Seconds
    nbf: Seconds = 0.0


class Issuer:
    """Who is believed, by its `keys`; `now` gives seconds since 1970.

    A token is for `audience`, and its claim `users_claim` says of whom it may ask: `"all"`, or a
    list of users. Each subject may ask `questions_per_minute` times (None: as often as it likes).
    """

    def __init__(
        self,
        keys: Keys,
        *,
        issuer: str,
        audience: str,
        users_claim: str,
        questions_per_minute: int | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.keys = keys
        self._issuer = issuer
        self._audience = audience
        self._users_claim = users_claim
        self._questions_per_minute = questions_per_minute
        self._now = now

    async def grant(self, token: str) -> Grant:
        """What a token allows; raises `Refused`, or `KeysUnknown` where nobody can tell."""
        if len(token) > TOKEN_LETTERS_MAX:
            raise Refused("the token is too long")
        header = _header(token)
        name = header.kid, header.alg
        key = await self.keys.of(name)
        if key is None:
            raise Refused("no key of the issuer is of this name and algorithm")
        claims = self._claims(token, key)
        times = _times(claims)
        now = self._now()
        if now >= times.exp + LEEWAY_SECONDS:
            raise Refused("the token has expired")
        if now < times.nbf - LEEWAY_SECONDS:
            raise Refused("the token is not valid yet")
        return Grant(
            SUBJECT_PREFIX + times.sub,
            hashed(token),
            _users(claims.get(self._users_claim)),
            self._questions_per_minute,
            until_seconds=times.exp + LEEWAY_SECONDS,
            key=name,
        )

    def knows(self, grant: Grant) -> bool:
        """Whether a token that was taken would be so still: not expired, its key not withdrawn."""
        until, key = grant.until_seconds, grant.key
        return until is not None and self._now() < until and key is not None and self.keys.has(key)

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        """What a token says, once it is certain who says it to whom."""
        try:
            found: dict[str, Any] = jwt.decode(
                token,
                key,
                # The key's own, whatever the token says: no key is used in another way.
                algorithms=[key.algorithm_name],
                issuer=self._issuer,
                audience=self._audience,
                options={
                    "require": ["exp", "iss", "aud", "sub"],
                    "enforce_minimum_key_length": True,
                    # By our clock, see `grant`.
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidSignatureError:
            raise Refused("the signature is not the issuer's") from None
        except jwt.InvalidIssuerError:
            raise Refused("the token is of another issuer") from None
        except jwt.InvalidAudienceError:
            raise Refused("the token is for another audience") from None
        except jwt.MissingRequiredClaimError:
            raise Refused("the token lacks one of exp, iss, aud, sub") from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Refused(_NO_TOKEN) from None
        return found


_NO_TOKEN: Final = "this token is not known"  # noqa: S105 - a sentence


def _header(token: str) -> _Header:
    """A token's header, of which nothing is believed but which key to try."""
    try:
        header = msgspec.convert(jwt.get_unverified_header(token), _Header)
    except (jwt.PyJWTError, msgspec.ValidationError, ValueError, RecursionError):
        raise Refused(_NO_TOKEN) from None
    if header.alg not in ALGORITHMS:
        raise Refused("the token is signed in a way that is not taken")
    if header.crit is not None:
        raise Refused("the token wants something that is not known here")
    return header


def _times(claims: dict[str, Any]) -> _Times:
    try:
        found = msgspec.convert(claims, _Times)
        found.sub.encode()
    except (msgspec.ValidationError, UnicodeEncodeError):
        raise Refused("one of the token's exp, nbf, sub is none") from None
    return found


def _users(said: object) -> frozenset[str] | None:
    """Whom a claim names: all (None) or some; raises `Refused` where it is not wholly right."""
    try:
        found = msgspec.convert(
            said,
            Literal["all"]
            | Annotated[list[str], msgspec.Meta(min_length=1, max_length=_USERS_MAX)],
        )
    except msgspec.ValidationError:
        found = []
    if found == "all":
        return None
    if not (found and all(map(is_user, found))):
        raise Refused("the token does not say of which users")
    return frozenset(found)
