"""What a worker's topics are called: the contract's names, each behind a prefix or none."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from schemas.topics import ADOPTIONS, BALANCES, CONTRIBUTIONS, MOVES
from schemas.venues import VENUES

USERS_TABLE: Final = "users"
ASSETS_TABLE: Final = "assets"
ALERTS_TABLE: Final = "alerts"
"""What a worker's tables are called."""

Accounts = frozenset[bytes] | None
"""Ids of accounts at a venue; None: all of them."""

EVERYTHING: Final[Mapping[str, Accounts]] = MappingProxyType(dict.fromkeys(VENUES))
"""Of each venue all accounts."""


class Names(msgspec.Struct, frozen=True):
    """The prefixes: of what is read from producers, of what is told to others, of what is private.

    A worker that rebuilds the past reads what the live one reads, and tells it beside what the live
    one tells.
    """

    sources: str = ""
    outputs: str = ""
    private: str = ""

    @classmethod
    def behind(cls, prefix: str) -> "Names":
        """All behind one prefix: several systems on one Kafka."""
        return cls(sources=prefix, outputs=prefix, private=prefix)

    def source(self, topic: str) -> str:
        """What a topic of the producers is called."""
        return self.sources + topic

    def output(self, topic: str) -> str:
        """What a topic for others is called."""
        return self.outputs + topic

    @property
    def contributions(self) -> str:
        """What the way from the users to the sums is called."""
        return self.private + CONTRIBUTIONS

    @property
    def adoptions(self) -> str:
        """What the way from one user to another is called."""
        return self.private + ADOPTIONS

    @property
    def folded(self) -> tuple[str, ...]:
        """All that is read but frames."""
        return self.source(MOVES), self.output(BALANCES), self.adoptions, self.contributions
