"""A scene of Hercle's: a key, and so a connection, for each user; the first is the one struck."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from producers.settings import Deadlines
from tests.freshness.producing import CALM, Hercle, Producer, producing
from tests.freshness.system import Eyes, System


class Scene:
    """A venue, a producer, and somebody who looks at the users."""

    def __init__(self, venue: Hercle, producer: Producer, eyes: Eyes) -> None:
        self.venue = venue
        self.sandbox = venue.sandbox
        self.producer = producer
        self.eyes = eyes
        self.one, *self.neighbours = venue.users

    async def right(self, *users: str) -> None:
        """These come to be live with what the venue says of them now."""
        for user in users:
            await self.eyes.reaches(user, "live", None, self.venue.holding(user))

    async def neighbours_are_well(self) -> None:
        """The others were live all the time, and their changes come."""
        self.venue.move(*self.neighbours)
        await self.right(*self.neighbours)
        await self.eyes.stay_live(self.neighbours)

    async def stays_in_doubt(self) -> None:
        """The first user's number, whatever it is, is not called fresh in the next answers."""
        self.eyes.seen[self.one].clear()
        await self.eyes.more(self.one, 10)
        assert self.eyes.live(self.one) == []


@asynccontextmanager
async def hercle(
    system: System,
    unique: str,
    *,
    first: Deadlines = CALM,
    poll: str = "0.1",
    **changes: Any,
) -> AsyncIterator[Scene]:
    """A scene in which all accounts are live and right."""
    async with Hercle(unique, **changes) as venue:
        lines = venue.lines(first=first, poll=poll)
        async with (
            producing(system, "hercle", lines) as producer,
            Eyes(system, venue.users) as eyes,
        ):
            scene = Scene(venue, producer, eyes)
            await scene.right(*venue.users)
            venue.move(*venue.users, times=3)
            await scene.right(*venue.users)
            eyes.forget()
            yield scene
