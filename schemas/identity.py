"""Who owns an account: the one place where accounts become users."""

from typing import Final

from schemas.venues import VENUES

ACCOUNT_BYTES_MAX: Final = 1_024


def user_for(venue: str, account: str) -> str:
    """The user who owns an account: in version 1 of the contract `venue:account`.

    Two people who chose the same id at two venues are never merged.
    """
    return f"{venue}:{account}"


def is_account(text: str) -> bool:
    """Whether a venue's text can be an account's id: 1 to 1,024 bytes of UTF-8."""
    return len(text) > 0 and len(text.encode()) <= ACCOUNT_BYTES_MAX


def is_user(text: str) -> bool:
    """Whether a text can be a user's name: 1 to 1,024 bytes of UTF-8, or an account's own name.

    That one is the venue's name and a colon longer.
    """
    if not text or any("\ud800" <= letter <= "\udfff" for letter in text):
        return False
    venue, _, account = text.partition(":")
    return is_account(account if account and venue in VENUES else text)


def accounts_of(user: str) -> dict[str, list[str]]:
    """The accounts that a user can have, by venue: in version 1 the one that the name tells."""
    venue, _, account = user.partition(":")
    return {venue: [account]} if venue in VENUES and is_account(account) else {}
