"""An issuer of JWTs, with keys made here, and its JWKS over HTTP."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

ISSUER, AUDIENCE, USERS = "https://issuer.example/", "headroom", "headroom_users"
NOW = 1_790_000_000.0


class Signer:
    """A private key of a name, and what its issuer says of the public one."""

    def __init__(self, algorithm: str, kid: str, *, bits: int = 2_048) -> None:
        self.algorithm, self.kid = algorithm, kid
        self.private: Any
        if algorithm == "RS256":
            self.private = rsa.generate_private_key(65_537, bits)
        elif algorithm == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
        else:
            self.private = ed25519.Ed25519PrivateKey.generate()

    def jwk(self, **fields: Any) -> dict[str, Any]:
        made = get_default_algorithms()[self.algorithm]
        return {**made.to_jwk(self.private.public_key(), as_dict=True), "kid": self.kid, **fields}

    @property
    def pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def token(self, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token of the issuer's for all users; a claim that is None is left out."""
        said = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "portal",
            "exp": NOW + 60,
            "nbf": NOW,
            USERS: "all",
            **claims,
        }
        given = {name: value for name, value in said.items() if value is not None}
        headers = {"kid": self.kid, **(header or {})}
        return jwt.encode(given, self.private, algorithm=self.algorithm, headers=headers)


class Jwks:
    """What an issuer's address says: its keys, or that it cannot."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.status = 200
        self.asked = 0
        self.url = ""

    @property
    def text(self) -> bytes:
        return json.dumps({"keys": self.keys}).encode()

    async def _answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(status=self.status, body=self.text, content_type="application/json")

    @asynccontextmanager
    async def served(self) -> AsyncIterator["Jwks"]:
        app = web.Application()
        app.add_routes([web.get("/jwks", self._answer)])
        async with TestServer(app) as server:
            self.url = str(server.make_url("/jwks"))
            yield self
