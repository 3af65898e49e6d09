"""JWTs of an issuer: which count, which do not, and that nothing of one is ever told."""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import get_default_algorithms
from prometheus_client import CollectorRegistry

from headroom.operate.jwks import _from_url
from processors.http.access import Access, grant_of, guarded
from processors.http.asked import note_asked
from processors.http.grants import Grant, hashed
from processors.http.issuer import LEEWAY_SECONDS, TOKEN_LETTERS_MAX, Issuer, Refused
from processors.http.issuer_keys import Keys, KeysUnknown, keys_of
from processors.http.rates import Rates
from processors.metrics import KeysCollector
from schemas.secrets import Secret
from tests.processors.events.reading import reading
from tests.processors.events.site import Site, serving
from tests.processors.issuing import AUDIENCE, ISSUER, NOW, USERS, Jwks, Signer

WORKER = "canary-w-0123456789-0123456789-0123456789"
RSA, EC, ED = Signer("RS256", "r"), Signer("ES256", "e"), Signer("EdDSA", "d")
STRANGER = Signer("ES256", "e")


class Guarded:
    """A worker's guard that believes an issuer, with clocks in a test's hand."""

    def __init__(self, *keys: dict[str, Any], questions_per_minute: int | None = None) -> None:
        self.jwks = Jwks(*(keys or (RSA.jwk(), EC.jwk(), ED.jwk())))
        self.now, self.seconds = NOW, 0.0

        async def read() -> bytes:
            return await _from_url(self.jwks.url)()

        self.keys = Keys(
            read,
            every_seconds=300,
            again_seconds=30,
            monotonic=lambda: self.seconds,
        )
        issuer = Issuer(
            self.keys,
            issuer=ISSUER,
            audience=AUDIENCE,
            users_claim=USERS,
            questions_per_minute=questions_per_minute,
            now=lambda: self.now,
        )
        self.access = Access([Grant("risk", hashed("risk"), None)], Secret(WORKER), issuer=issuer)
        self.url = ""

    async def _user(self, request: web.Request) -> web.Response:
        user = request.match_info["user"]
        note_asked(request, [user])
        return web.json_response({"covers": grant_of(request).covers(user)})

    async def ask(self, token: str, user: str = "sfox:a") -> tuple[int, Any, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(
                f"{self.url}/v1/users/{user}", headers={"Authorization": f"Bearer {token}"}
            ) as response,
        ):
            return response.status, await response.json(content_type=None), response.headers

    async def why(self, token: str) -> str:
        """Why a token is refused, in the words of the challenge."""
        status, problem, headers = await self.ask(token)
        said = headers["WWW-Authenticate"]
        assert (status, problem["status"]) == (401, 401)
        assert headers["Content-Type"].startswith("application/problem+json")
        assert said.startswith('Bearer realm="headroom", error="invalid_token"')
        assert f'error_description="{problem["detail"]}"' in said
        assert not shows(token, f"{problem}{said}")
        return str(problem["detail"])


def shows(token: str, text: str) -> bool:
    """Whether a text holds a part of a token; of a few letters any text may."""
    return any(len(part) > 8 and part in text for part in token.split("."))


@asynccontextmanager
async def started(site: Guarded) -> AsyncIterator[Guarded]:
    app = web.Application(middlewares=[guarded(site.access)])
    app.add_routes([web.get("/v1/users/{user}", site._user)])
    async with site.jwks.served(), TestServer(app) as server:
        site.url = str(server.make_url("")).rstrip("/")
        yield site
    await site.keys.close()


@pytest.fixture
async def site() -> AsyncIterator[Guarded]:
    async with started(Guarded()) as one:
        yield one


@pytest.mark.parametrize("signer", [RSA, EC, ED], ids=["RS256", "ES256", "EdDSA"])
async def test_a_token_allows_what_its_claim_says(site: Guarded, signer: Signer) -> None:
    status, found, _ = await site.ask(signer.token())
    assert (status, found["covers"]) == (200, True)
    some = signer.token(**{USERS: ["sfox:b", "hercle:ü"]}, aud=["other", AUDIENCE], nbf=None)
    assert [(await site.ask(some, u))[1]["covers"] for u in ("sfox:a", "sfox:b")] == [False, True]
    # The tokens of the file, and the workers' own, count as before.
    assert (await site.ask("risk"))[0] == (await site.ask(WORKER))[0] == 200
    assert await site.why("risky") == "this token is not known"


def _unsigned(**header: Any) -> str:
    said = jsons({"kid": "r", **header}), RSA.token().split(".")[1], ""
    return ".".join(said)


def jsons(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _by_public_key(key: bytes, algorithm: str = "HS256") -> str:
    """Signed as a secret by what everybody knows."""
    signed = f"{jsons({'alg': algorithm, 'kid': 'r'})}.{RSA.token().split('.')[1]}"
    digest = hmac.new(key, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _forged() -> str:
    """A token's signature under other claims."""
    header, _, signature = EC.token().split(".")
    return f"{header}.{EC.token(sub='admin').split('.')[1]}.{signature}"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: EC.token(exp=NOW - LEEWAY_SECONDS), "has expired"),
        (lambda: EC.token(nbf=NOW + LEEWAY_SECONDS + 1), "not valid yet"),
        (lambda: EC.token(aud="other"), "another audience"),
        (lambda: EC.token(aud=[]), "lacks one of"),
        (lambda: EC.token(iss="https://issuer.example"), "another issuer"),
        *[
            (lambda n=n: EC.token(**{n: None}), "lacks one of")
            for n in ("exp", "iss", "aud", "sub")
        ],
        (lambda: EC.token(exp="9999999999"), "is none"),
        (lambda: EC.token(exp=float("inf")), "is none"),
        (lambda: EC.token(exp=True), "is none"),
        (lambda: EC.token(sub="\ud800"), "is none"),
        (lambda: EC.token(sub="x" * 256), "is none"),
        (lambda: EC.token(**{USERS: None}), "of which users"),
        (lambda: EC.token(**{USERS: []}), "of which users"),
        (lambda: EC.token(**{USERS: "sfox:a"}), "of which users"),
        (lambda: EC.token(**{USERS: ["sfox:a", 1]}), "of which users"),
        (lambda: EC.token(**{USERS: ["all", ""]}), "of which users"),
        (STRANGER.token, "signature is not the issuer's"),
        (_forged, "signature is not the issuer's"),
        (lambda: Signer("RS256", "e").token(), "no key of the issuer"),
        (lambda: Signer("EdDSA", "x").token(), "no key of the issuer"),
        (lambda: _by_public_key(RSA.pem), "in a way that is not taken"),
        (lambda: _by_public_key(RSA.pem, "RS256"), "signature is not the issuer's"),
        (lambda: _by_public_key(json.dumps(RSA.jwk()).encode()), "in a way that is not taken"),
        (lambda: _unsigned(alg="none"), "in a way that is not taken"),
        (lambda: _unsigned(alg="RS256"), "signature is not the issuer's"),
        (lambda: EC.token(header={"crit": ["exp"]}), "not known"),
        (lambda: _unsigned(alg="RS256", crit=["b64"], b64=True), "wants something"),
        (lambda: EC.token(header={"kid": ""}), "not known"),
        (lambda: EC.token(more="x" * TOKEN_LETTERS_MAX), "too long"),
        (lambda: "a.b.c", "not known"),
        (lambda: "..", "not known"),
        (lambda: f"{'W1tb' * 1_500}.a.a", "not known"),
    ],
)
async def test_a_token_that_is_not_wholly_right_is_401_and_says_nothing_of_itself(
    make: Callable[[], str], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Asked of the issuer itself: a header of more than 8 KiB never comes through."""
    caplog.set_level(logging.DEBUG)
    site = Guarded()
    token = make()
    async with started(site):
        with pytest.raises(Refused, match=why):
            await site.access.issuer.grant(token)  # type: ignore[union-attr]
        if len(token) < TOKEN_LETTERS_MAX:
            assert why in await site.why(token)
    assert not shows(token, caplog.text)


@given(token=st.text(max_size=200) | st.binary(max_size=100).map(lambda b: f"{jsons(1)}.{b!r}."))
async def test_whatever_a_stranger_sends_is_refused(token: str) -> None:
    async def read() -> bytes:
        return Jwks(EC.jwk()).text

    keys = Keys(read, every_seconds=1, again_seconds=1)
    issuer = Issuer(keys, issuer=ISSUER, audience=AUDIENCE, users_claim=USERS)
    with pytest.raises(Refused):
        await issuer.grant(token)


def test_of_a_jwks_only_keys_to_verify_with_are_taken() -> None:
    weak = Signer("RS256", "weak", bits=1_024)
    others = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"},
        RSA.jwk(kid="enc", use="enc"),
        RSA.jwk(kid="ops", key_ops=["encrypt"]),
        RSA.jwk(kid="ps", alg="PS256"),
        RSA.jwk(kid=None),
        RSA.jwk(kid="cut", n="AQAB"),
        {**get_default_algorithms()["EdDSA"].to_jwk(ED.private, as_dict=True), "kid": "private"},
        weak.jwk(),
        {"kid": "bare"},
    ]
    found = keys_of(Jwks(*others, RSA.jwk(use="sig", key_ops=["verify"]), STRANGER.jwk()).text)
    assert set(found) == {("r", "RS256"), ("e", "ES256")}
    for text in (b"", b"[]", b'{"keys": 1}', Jwks().text, Jwks(*others).text, b"[" * 100_000):
        with pytest.raises(ValueError, match=r"no JWKS|no key"):
            keys_of(text)


async def test_a_key_that_was_changed_is_read_at_once_and_no_stampede_follows(
    site: Guarded,
) -> None:
    assert (await site.ask(EC.token()))[0] == 200
    assert site.jwks.asked == 1
    new = Signer("ES256", "new")
    site.jwks.keys = [new.jwk()]
    # Strangers name keys that nobody has: within half a minute nothing is read for that.
    for number in range(20):
        await site.why(Signer("EdDSA", f"x{number}").token())
    assert (site.jwks.asked, (await site.ask(EC.token()))[0]) == (1, 200)
    site.seconds += 30
    assert (await site.ask(new.token()))[0] == 200
    assert site.jwks.asked == 2
    # The one that was withdrawn counts no more.
    assert "no key" in await site.why(EC.token())


async def test_a_jwks_that_is_away_leaves_the_keys_of_before(
    site: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    site.jwks.status = 503
    # Nothing was ever known: nobody is told that a good token is a bad one.
    status, problem, headers = await site.ask(EC.token())
    assert (status, headers["Retry-After"]) == (503, "1")
    assert "keys" in problem["detail"]
    assert site.keys.age_seconds() is None
    site.jwks.status, site.seconds = 200, 30.0
    assert (await site.ask(EC.token()))[0] == 200
    site.jwks.status, site.seconds = 500, 60.0
    assert (await site.ask(Signer("ES256", "new").token()))[0] == 503
    assert (await site.ask(EC.token()))[0] == 200
    site.jwks.status, site.jwks.keys, site.seconds = 200, [], 90.0
    assert (await site.ask(Signer("ES256", "new").token()))[0] == 503
    assert (await site.ask(EC.token()))[0] == 200
    registry = CollectorRegistry()
    registry.register(KeysCollector(lambda: site.keys.failures, site.keys.age_seconds))
    assert registry.get_sample_value("headroom_jwks_failures_total") == 3.0
    assert registry.get_sample_value("headroom_jwks_age_seconds") == 60.0
    assert caplog.text.count("those of before stay") == 3


async def test_the_subject_is_written_down_and_counted_and_never_the_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with started(Guarded(questions_per_minute=2)) as site:
        tokens = [EC.token(sub="portal", jti=str(number)) for number in range(3)]
        assert [(await site.ask(token))[0] for token in tokens] == [200, 200, 429]
        assert (await site.ask(EC.token(sub="other")))[0] == 200
        # Who is taken out of the tokens file is forgotten; a subject's count stays.
        site.access.replace([])
        assert (await site.ask(tokens[0]))[0] == 429
        assert (await site.ask("risk"))[0] == 401
    lines = [json.loads(r.getMessage()) for r in caplog.records if r.name == "headroom.questions"]
    assert [(one["by"], one["users"]) for one in lines] == [
        ("jwt:portal", ["sfox:a"]),
        ("jwt:portal", ["sfox:a"]),
        ("jwt:other", ["sfox:a"]),
    ]
    assert not any(shows(token, caplog.text) for token in tokens)


def test_subjects_that_are_quiet_are_forgotten() -> None:
    now = 0.0
    rates = Rates(lambda: now)
    for number in range(10_000):
        rates.take(f"jwt:{number}", 1)
        now += 1.0
    assert len(rates._buckets) <= 1_000
    assert rates.take("jwt:9999", 1) > 0


async def test_a_stream_ends_when_its_token_does() -> None:
    """And another one's when the key that signed it is withdrawn."""
    guard, site = Guarded(), Site()
    async with guard.jwks.served(), serving(site, guard.access) as url:
        for _ in range(2):
            async with reading(url, token=EC.token(exp=guard.now + 60)) as stream:
                await stream.until(lambda e: e.kind == "current")
                if guard.now == NOW:
                    guard.now += 60 + LEEWAY_SECONDS
                else:
                    guard.jwks.keys, guard.seconds = [RSA.jwk()], 30.0
                    assert (await guard.keys.of(("x", "ES256"))) is None
                with pytest.raises(EOFError):
                    await stream.until(lambda _: False)
    await guard.keys.close()


async def test_nothing_is_known_before_the_keys_are() -> None:
    async def read() -> bytes:
        raise OSError

    keys = Keys(read, every_seconds=1, again_seconds=1)
    with pytest.raises(KeysUnknown):
        await keys.of(("e", "ES256"))
