"""What a user of sFOX's accounts sees while the venue behaves as venues can."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headroom.local.sandbox import Order
from producers import neighbours
from producers.errors import WrongKey
from tests.freshness.producing import Producer, Sfox, others, producing
from tests.freshness.system import DEADLINE_SECONDS, Eyes, System, until

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


class Clock:
    """A producer's monotonic clock: it stands, so that what may be done once in 10 s is."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@asynccontextmanager
async def sfox(system: System, seed: int, **around: Any) -> AsyncIterator[Scene]:
    """A scene in which all accounts are live and right."""
    async with (
        Sfox(seed) as venue,
        producing(system, "sfox", [venue.line()], **around) as producer,
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


async def test_a_key_that_was_never_accepted_is_tried_in_all_patience_and_then_given_up(
    system: System,
) -> None:
    """Four attempts, each beyond the venue's block of two minutes; the supervisor reads why."""
    async with (
        Sfox(2, faults=(Order(name="auth-error", times=99),)) as venue,
        producing(system, "sfox", [venue.line()]) as producer,
    ):
        producer.pauses.over.set()
        with pytest.raises(WrongKey, match="sfox: the venue refuses the API key"):
            async with asyncio.timeout(DEADLINE_SECONDS):
                await producer.task
        assert venue.sandbox.refused == 4
        assert [seconds > 120 for seconds in producer.pauses.asked] == [True] * 3


async def test_a_second_producer_that_came_and_went_leaves_the_first_one_in_charge(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its later epoch outranks the first one's frames: they are told so, then begin a later one."""
    monkeypatch.setattr(neighbours, "GONE_SECONDS", float("inf"))
    async with sfox(system, 4) as scene:
        venue, eyes = scene.venue, scene.eyes
        async with producing(system, "sfox", [venue.line()]) as second:
            await until(lambda: len(scene.sandbox._subscribers) == 2)
            await scene.all_live()
            await second.stop()
            for user in venue.users:
                await eyes.reaches(user, "unconfirmed", "superseded")
            old = venue.holding(ONE)
            await venue.tell(ONE)
            eyes.forget()
            await eyes.more(ONE, 10)
            assert (eyes.live(ONE), eyes.shown(ONE)) == ([], [old])
            monkeypatch.setattr(neighbours, "GONE_SECONDS", 0.3)
            await eyes.reaches(ONE, "unconfirmed", "reconnected")
            await scene.all_live()


async def leave_a_gap(scene: Scene) -> None:
    """A change of the first account is never told; the next frame of the second shows it."""
    scene.sandbox.order("gap", user="user-0001")
    await scene.venue.tell(ONE, TWO)


async def test_after_a_gap_nobody_is_live_until_told_on_a_new_connection(system: System) -> None:
    """What was withheld may have been anybody's: the old number is not called fresh again."""
    async with sfox(system, 11) as scene:
        old, connections = scene.venue.holding(ONE), scene.sandbox.connections
        await leave_a_gap(scene)
        for user in scene.venue.users:
            await scene.eyes.reaches(user, "unconfirmed", "reconnected")
        assert (await scene.eyes.feeds())["sfox/1"]["gaps"] == 1
        assert scene.sandbox.connections == connections + 1
        scene.eyes.forget()
        await scene.venue.tell(TWO)
        await scene.eyes.reaches(TWO, "live", None, scene.venue.holding(TWO))
        await scene.eyes.more(ONE)
        assert (scene.eyes.live(ONE), scene.eyes.shown(ONE)) == ([], [old])
        await scene.all_live()


async def test_a_gap_soon_after_a_gap_is_told_of_and_waited_out_on_the_open_connection(
    system: System,
) -> None:
    """Never two reconnects within 10 s: each account's next frame ends its doubt meanwhile."""
    clock = Clock()
    async with sfox(system, 12, monotonic=clock) as scene:
        await leave_a_gap(scene)
        await scene.eyes.reaches(ONE, "unconfirmed", "reconnected")
        await scene.all_live()
        connections, old = scene.sandbox.connections, scene.venue.holding(ONE)
        await leave_a_gap(scene)
        seen = await scene.eyes.reaches(ONE, "unconfirmed", "gap", old)
        assert seen.reason is not None
        assert seen.reason.startswith("the venue's sequence has a gap: ")
        await scene.eyes.reaches(THREE, "unconfirmed", "gap")
        # The frame behind the gap is sound: its account is right.
        await scene.eyes.reaches(TWO, "live", None, scene.venue.holding(TWO))
        await scene.venue.tell(ONE)
        await scene.eyes.reaches(ONE, "live", None, scene.venue.holding(ONE))
        assert scene.sandbox.connections == connections
        assert (await scene.eyes.feeds())["sfox/1"]["gaps"] == 2
        clock.seconds += 60
        await scene.venue.tell(TWO)
        await scene.eyes.reaches(THREE, "unconfirmed", "reconnected")
        assert scene.sandbox.connections == connections + 1
        await scene.all_live()


async def test_a_frame_that_comes_late_does_not_become_the_number(system: System) -> None:
    """n, n + 2, then n + 1 with the last time: n + 2 stays, unconfirmed until the next frame."""
    async with sfox(system, 13) as scene:
        scene.sandbox.order("wrong-order", user="user-0001")
        await scene.venue.tell(ONE)
        newest = scene.venue.holding(ONE)
        await scene.eyes.reaches(ONE, "unconfirmed", "reconnected", newest)
        scene.eyes.forget()
        await scene.eyes.more(ONE)
        assert (scene.eyes.live(ONE), scene.eyes.shown(ONE)) == ([], [newest])
        await scene.all_live()


async def test_a_late_frame_is_told_of_where_the_connection_is_kept(system: System) -> None:
    """All accounts of it are unconfirmed, since some order is wrong, and none takes the old."""
    async with sfox(system, 14, monotonic=Clock()) as scene:
        await leave_a_gap(scene)
        await scene.eyes.reaches(ONE, "unconfirmed", "reconnected")
        await scene.all_live()
        scene.sandbox.order("wrong-order", user="user-0001")
        await scene.venue.tell(ONE)
        newest = scene.venue.holding(ONE)
        await scene.eyes.reaches(ONE, "unconfirmed", "wrong_order", newest)
        for user in (TWO, THREE):
            seen = await scene.eyes.reaches(user, "unconfirmed", "wrong_order")
            assert seen.reason is not None
            assert seen.reason.startswith("the venue's sequence fell to ")
        scene.eyes.forget()
        await scene.eyes.more(ONE)
        assert (scene.eyes.live(ONE), scene.eyes.shown(ONE)) == ([], [newest])
        await scene.all_live()


@pytest.mark.parametrize("name", ["counts-anew", "counts-anew-untimed"])
async def test_a_venue_that_counts_from_1_again_is_followed_at_once(
    system: System, name: str
) -> None:
    """With and without timestamps: the first frame counts, the others wait for theirs."""
    async with sfox(system, 15) as scene:
        connections = scene.sandbox.connections
        scene.sandbox.order(name)
        await scene.venue.tell(ONE)
        await scene.eyes.reaches(ONE, "live", None, scene.venue.holding(ONE))
        for user in (TWO, THREE):
            await scene.eyes.reaches(user, "unconfirmed", "counts_anew")
        await scene.all_live()
        await scene.venue.tell(ONE)
        await scene.eyes.reaches(ONE, "live", None, scene.venue.holding(ONE))
        assert scene.sandbox.connections == connections


async def test_a_frame_that_comes_twice_changes_nothing(system: System) -> None:
    """One version more, live all the time, on the same connection."""
    async with sfox(system, 16) as scene:
        before = (await scene.eyes.reaches(ONE, "live")).version
        scene.sandbox.order("duplicate", user="user-0001")
        await scene.venue.tell(ONE)
        await scene.venue.tell(TWO)
        await scene.eyes.reaches(TWO, "live", None, scene.venue.holding(TWO))
        seen = await scene.eyes.reaches(ONE, "live", None, scene.venue.holding(ONE))
        assert seen.version == before + 1
        await scene.eyes.stay_live(scene.venue.users)


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


@pytest.mark.parametrize(
    ("name", "place"), [("held-number", "held"), ("null-wallet", "trading_wallet")]
)
async def test_a_frame_that_cannot_be_read_marks_its_account_alone(
    system: System, name: str, place: str
) -> None:
    """The old number stands there as what it is, with the place of the fault, until a sound one."""
    async with sfox(system, 6) as scene:
        venue, eyes = scene.venue, scene.eyes
        old, letters = venue.holding(ONE), await system.dead_letters()
        scene.sandbox.order(name, user="user-0001")
        await venue.tell(ONE, TWO)
        seen = await eyes.reaches(ONE, "unconfirmed", "unreadable", old)
        assert seen.reason is not None
        assert seen.reason.startswith(f"unreadable frame at payload.updates[0].{place} ")
        await eyes.reaches(TWO, "live", None, venue.holding(TWO))
        eyes.seen[ONE].clear()
        await eyes.more(ONE)
        assert (eyes.live(ONE), eyes.shown(ONE)) == ([], [old])
        assert await system.dead_letters() == letters + 1
        scene.sandbox.clear(name)
        await venue.tell(ONE)
        await eyes.reaches(ONE, "live", None, venue.holding(ONE))
        await eyes.stay_live((TWO, THREE))


@pytest.mark.parametrize("name", ["web3-entry", "web3-in-place"])
async def test_an_entry_of_another_kind_makes_its_asset_unknown_and_the_user_no_older(
    system: System, name: str
) -> None:
    """All else is told, live; of the asset more is held than anybody can tell."""
    async with sfox(system, 7) as scene:
        venue, letters = scene.venue, await system.dead_letters()
        scene.sandbox.order(name, user="user-0001")
        await venue.tell(ONE)
        known = venue.holding(ONE)
        asset = "UNI"
        if name == "web3-in-place":
            asset = next(iter(venue.accounts[ONE].holdings))
            known.pop(asset, None)
        seen = await scene.eyes.reaches(ONE, "live", None, known)
        assert seen.unknown == [asset]
        scene.sandbox.clear(name)
        await scene.all_live()
        assert scene.eyes.seen[ONE][-1].unknown == []
        assert await system.dead_letters() == letters
        await scene.eyes.stay_live(venue.users)
