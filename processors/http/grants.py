"""What a token allows."""

import hashlib
from typing import Final

import msgspec


class Grant(msgspec.Struct, frozen=True):
    """What a token allows: all users (None) or these, and with all users the sums over them.

    `digest` is the SHA-256 of the token. `questions_per_minute` None: as many as it likes. Of one
    that an issuer signed: until when it counts (since 1970), and by which key.
    """

    name: str
    digest: bytes
    users: frozenset[str] | None
    questions_per_minute: int | None = None
    until_seconds: float | None = None
    key: tuple[str, str] | None = None

    def covers(self, user: str) -> bool:
        """Whether this user may be asked for."""
        return self.users is None or user in self.users


EVERYTHING: Final = Grant("", b"", None)


def hashed(token: str) -> bytes:
    """What a token is known by. It is random and long, so that a plain hash cannot be reversed."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
