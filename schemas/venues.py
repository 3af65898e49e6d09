"""The venues that Headroom reads: one line of registration each."""

from typing import Final

import msgspec


class Venue(msgspec.Struct, frozen=True):
    """A venue's name and the feed of it that carries balances."""

    name: str
    feed: str

    @property
    def raw_topic(self) -> str:
        """The topic that holds this venue's frames, byte for byte."""
        return f"raw.{self.name}.balances.v1"


SFOX: Final = Venue("sfox", feed="private.enterprise.users.balances")
HERCLE: Final = Venue("hercle", feed="account.balances.snapshot")

VENUES: Final = {venue.name: venue for venue in (SFOX, HERCLE)}
