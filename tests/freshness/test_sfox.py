"""What a user of sFOX's accounts sees while the venue behaves as venues can."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.freshness.producing import Producer, Sfox, others, producing
from tests.freshness.system import Eyes, System

ONE, TWO, THREE = (f"sfox:user-000{number}" for number in (1, 2, 3))


class Scene:
    """A venue, a producer, and somebody who looks at the users."""

    def __init__(self, venue: Sfox, producer: Producer, eyes: Eyes) -> None:
        self.venue = venue
        self.sandbox = venue.sandbox
        self.producer = producer
        self.eyes = eyes

    async def all_live(self) -> None:
        """Have each account told, and see it."""
        await self.venue.tell(*self.venue.users)
        for user in self.venue.users:
            await self.eyes.reaches(user, "live", None, self.venue.holding(user))


@asynccontextmanager
async def sfox(system: System, seed: int) -> AsyncIterator[Scene]:
    """A scene in which all accounts are live and right."""
    async with (
        Sfox(seed) as venue,
        producing(system, "sfox", [venue.line()]) as producer,
        Eyes(system, venue.users) as eyes,
    ):
        scene = Scene(venue, producer, eyes)
        await scene.all_live()
        eyes.forget()
        yield scene


async def test_one_refused_authentication_is_tried_again_and_visible_meanwhile(
    system: System,
) -> None:
    """The user reads `refused`, then that it is back and unconfirmed, then the new number."""
    async with sfox(system, 1) as scene:
        scene.sandbox.order("auth-error")
        seen = await scene.eyes.reaches(ONE, "refused", "key_refused")
        assert seen.reason == "no reason given"
        assert scene.sandbox.refused == 1
        scene.producer.pauses.over.set()
        for user in scene.venue.users:
            await scene.eyes.reaches(user, "unconfirmed", "reconnected")
        await scene.all_live()
        assert max(scene.producer.pauses.asked) > 120


@pytest.mark.parametrize("name", ["session-ended", "subscription-ended"])
async def test_a_session_that_ends_on_an_open_connection_is_begun_again(
    system: System, name: str
) -> None:
    """Nobody is live after that word of the venue until its account is told again."""
    async with sfox(system, 3) as scene:
        connections = scene.sandbox.connections
        scene.sandbox.order(name)
        for user in scene.venue.users:
            await scene.eyes.reaches(user, "unconfirmed", "reconnected")
        assert scene.sandbox.connections == connections + 1
        await scene.venue.tell(ONE)
        await scene.eyes.reaches(ONE, "live", None, scene.venue.holding(ONE))
        for user in others(scene.venue.users, ONE):
            assert {one.state for one in await scene.eyes.more(user)} == {"unconfirmed"}
        await scene.all_live()
    told = [one.confirmed_from for one in await system.told("sfox")]
    assert "venue_error" in {None if one is None else one.doubt.cause for one in told}


async def test_what_changed_while_away_is_unconfirmed_for_as_long_as_the_venue_is_silent(
    system: System,
) -> None:
    """The others are live at their first frame; the old number never is again."""
    async with sfox(system, 5) as scene:
        venue, eyes = scene.venue, scene.eyes
        old = venue.holding(ONE)
        scene.sandbox.order("missed-while-away", user="user-0001")
        seen = await eyes.reaches(ONE, "unconfirmed", "reconnected")
        assert seen.reason is not None
        assert seen.reason.endswith("no frame of this account since")
        eyes.forget()
        await venue.tell(TWO, THREE)
        for user in (TWO, THREE):
            await eyes.reaches(user, "live", None, venue.holding(user))
        assert venue.holding(ONE) != old
        await eyes.more(ONE)
        assert (eyes.live(ONE), eyes.shown(ONE)) == ([], [old])
        scene.sandbox.clear("missed-while-away")
        await venue.tell(ONE)
        await eyes.reaches(ONE, "live", None, venue.holding(ONE))
        assert eyes.live(ONE) == [venue.holding(ONE)]
