"""What a reader of events wants to be told of, and whether something belongs to it. Pure."""

import msgspec

Names = frozenset[str]


class Wanted(msgspec.Struct, frozen=True):
    """Kinds of events; users (as tables have them), assets and venues: None is all of them.

    Who held an asset once, or had an account at a venue, belongs to it for good: so that it is
    told, too, that nothing of it is held any more.
    """

    kinds: Names
    keys: frozenset[bytes] | None = None
    assets: Names | None = None
    venues: Names | None = None

    def takes(self, assets: Names, venues: Names) -> bool:
        """Whether a user who has, or had, these assets and venues belongs to it."""
        return (self.assets is None or bool(assets & self.assets)) and (
            self.venues is None or bool(venues & self.venues)
        )


def narrowed(asked: Names | None, granted: Names | None) -> Names | None:
    """The users that are both asked for and granted; None: all."""
    if asked is None:
        return granted
    return asked if granted is None else asked & granted
