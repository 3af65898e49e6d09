"""The venues that Headroom reads: a line each. Whatever else a venue needs is found by its name."""

from typing import Final

import msgspec


class Venue(msgspec.Struct, frozen=True):
    """A venue's name and the feed of it that carries balances.

    The name stands in topics, commands and settings: small letters and digits, a letter first.
    """

    name: str
    feed: str

    @property
    def raw_topic(self) -> str:
        """The topic that holds this venue's frames, byte for byte."""
        return f"raw.{self.name}.balances.v1"


VENUES: Final = {
    venue.name: venue
    for venue in (
        Venue("sfox", feed="private.enterprise.users.balances"),
        Venue("hercle", feed="account.balances.snapshot"),
    )
}
