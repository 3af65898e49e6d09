"""What the producers say of their connections, followed by every worker."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from processors.compiled import Account
from processors.freshness import Connections, Freshness, Now, Told, user_freshness
from processors.ledger.users import UserState
from schemas.feeds import Doubt, status_of
from schemas.following import Follow, Followed

ACCOUNTS_TOLD_MAX: Final = 20
TOGETHER_SECONDS: Final = 10.0
"""Producers that tell of the same connection within this time all count; else the last one does."""
# What follows from the statuses is worked out once for all who ask at nearly the same time.
_KEPT_SECONDS: Final = 0.05


class Feeds:
    """The last word on every connection; `followed` follows the topic, the rest only looks.

    Until it has read what was there at first, nobody's number is known to be right; and what was
    there vouches for nothing until it is told again, a second later. What is not told for long
    grows stale by itself: nothing has to be noticed for that, not even that Kafka is away.
    """

    def __init__(
        self,
        follow: Follow,
        *,
        topic: str,
        stale_after_seconds: float,
        clock_ns: Callable[[], int],
        monotonic: Callable[[], float],
        foreign: Callable[[], object] = lambda: None,
    ) -> None:
        self._follow = follow
        self._foreign = foreign
        self._topic = topic
        self._stale_after_seconds = stale_after_seconds
        self._clock_ns = clock_ns
        self._monotonic = monotonic
        # By key of the topic (venue and connection), then by the producer that told it.
        self._told: dict[bytes | None, dict[str, Told]] = {}
        self._following: Followed | None = None
        self._began = monotonic()
        self._kept: Connections | None = None
        self._kept_at = 0.0

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Follow the topic while the block runs."""
        # It has no transactions: what is there at all counts at once.
        follow = self._follow(
            self._topic,
            self.take,
            forget=self.forget,
            foreign=self._foreign,
            read_committed=False,
        )
        async with follow as self._following:
            self._began = self._monotonic()
            yield

    def take(self, key: bytes | None, value: bytes | None, since: float | None) -> None:
        """Take one record of the topic; raises ValueError where nobody of us wrote it.

        `since`: see `schemas.following.Take`.
        """
        self._kept = None
        if value is None:
            self._told.pop(key, None)
            return
        status = status_of(key or b"", value)
        if any(status.lease < one.status.lease for one in self._told.get(key, {}).values()):
            return  # Another producer has its place by now.
        if since is None:
            # Of what was there before only the last word is a word: who else told, tells again.
            self._told[key] = {status.instance: Told(status, self._monotonic(), is_news=False)}
            return
        told = {**self._told.get(key, {}), status.instance: Told(status, since)}
        self._told[key] = {
            name: one
            for name, one in told.items()
            if since - one.at <= TOGETHER_SECONDS and one.status.lease >= status.lease
        }

    def forget(self) -> None:
        """Nobody has told anything."""
        self._told.clear()
        self._kept = None

    def all(self) -> list[dict[str, Any]]:
        """Every connection, by venue and name, as HTTP has it: of its accounts not too many."""
        found = [one for told in self._told.values() for one in told.values()]
        found.sort(key=lambda one: (one.status.venue, one.status.connection, one.status.instance))
        return [self._document(one) for one in found]

    def now(self) -> Connections:
        """How the connections are at this moment."""
        now = self._monotonic()
        if self._kept is None or now - self._kept_at >= _KEPT_SECONDS:
            self._kept_at = now
            self._kept = Connections(
                (one for told in self._told.values() for one in told.values()),
                Now(
                    at=now,
                    time_ns=self._clock_ns(),
                    listened_seconds=now - self._began,
                    stale_after_seconds=self._stale_after_seconds,
                ),
                known=self._following is not None and self._following.known,
            )
        return self._kept

    def freshness(self, state: UserState | Account, copied: Doubt | None = None) -> Freshness:
        """How fresh a user is who has an account that is not deleted: see `user_freshness`."""
        return user_freshness(state, self.now(), copied)

    def _document(self, told: Told) -> dict[str, Any]:
        fields: dict[str, Any] = msgspec.to_builtins(told.status)
        accounts = fields["accounts"]
        if accounts is not None:
            fields["accounts"] = accounts[:ACCOUNTS_TOLD_MAX]
        silent_seconds = round(max(0.0, self._monotonic() - told.at), 3) if told.is_news else None
        return {
            **fields,
            "accounts_count": None if accounts is None else len(accounts),
            "silent_seconds": silent_seconds,
        }
