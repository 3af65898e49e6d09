"""What the user of one of Hercle's keys sees when its own connection fails, and the others see."""

from typing import Any

import msgspec
import pytest

from producers import neighbours
from tests.freshness.hercle import hercle
from tests.freshness.producing import CALM, Hercle, producing
from tests.freshness.system import Eyes, System, until

HASTY = msgspec.structs.replace(CALM, answer_seconds=0.3)


async def test_a_key_that_gets_503_for_a_while_disconnects_its_own_user(
    system: System, unique: str
) -> None:
    """With the reason, until the venue lets it in; then the new number, and live."""
    async with hercle(system, unique) as scene:
        scene.venue.order("unavailable")
        await scene.eyes.reaches(scene.one, "disconnected", "connection_lost")
        scene.venue.move(scene.one)
        await until(lambda: "HTTP 503" in str(scene.eyes.seen[scene.one][-1].reason))
        await scene.stays_in_doubt()
        await scene.neighbours_are_well()
        scene.sandbox.clear("unavailable")
        scene.producer.pauses.over.set()
        await scene.right(scene.one)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("refused-once", "HTTP 401 on negotiate"),
        ("refused-html", "HTTP 403 on negotiate"),
        ("redirect-refused", "HTTP 401 on negotiate, with a token that the hub gave"),
    ],
)
async def test_a_key_that_is_refused_once_is_refused_for_its_user_and_then_accepted(
    system: System, unique: str, name: str, words: str
) -> None:
    """The user reads that, and the right number again after the next negotiation."""
    async with hercle(system, unique) as scene:
        scene.venue.order(name)
        seen = await scene.eyes.reaches(scene.one, "refused", "key_refused")
        assert seen.reason == words
        scene.venue.move(scene.one)
        await scene.stays_in_doubt()
        assert (await scene.eyes.feeds())["hercle/1"]["state"] == "refused"
        await scene.neighbours_are_well()
        scene.producer.pauses.over.set()
        await scene.right(scene.one)
        report = await scene.producer.stop()
        assert (report.keys_refused, report.reconnects["key_refused"]) == (0, 1)


async def test_a_connection_that_is_cut_is_unconfirmed_until_its_first_answer(
    system: System, unique: str
) -> None:
    """Not connected says nothing of today, neither does a new connection without an answer."""
    async with hercle(system, unique) as scene:
        held = scene.venue.holding(scene.one)
        scene.venue.by_hand()
        await until(lambda: scene.venue.hand.waiting)
        scene.venue.order("cut")
        await scene.eyes.reaches(scene.one, "unconfirmed", "reconnected", held)
        scene.venue.move(scene.one)
        await scene.stays_in_doubt()
        await scene.neighbours_are_well()
        await scene.venue.answer()
        # The question of the connection that was cut was the first in the row.
        await scene.venue.answer()
        await scene.right(scene.one)


async def test_a_key_that_is_taken_out_of_the_settings_leaves_nobody_for_its_user(
    system: System, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is disconnected, and `/v1/feeds` and `feeds.v1` have its connection no more."""
    monkeypatch.setattr(neighbours, "SILENT_SECONDS", 1.0)
    async with Hercle(unique) as venue, Eyes(system, venue.users) as eyes:
        one, two, three = venue.users
        async with producing(system, "hercle", venue.lines()) as before:
            for user in venue.users:
                await eyes.reaches(user, "live", None, venue.holding(user))
            await before.stop()
            await eyes.reaches(three, "disconnected", "connection_lost")
            gone = await system.forgotten()
            async with producing(system, "hercle", venue.lines(keys=2)):
                seen = await eyes.reaches(three, "disconnected", "no_connection")
                assert seen.reason == "no connection speaks for this account"
                assert set(await eyes.feeds()) == {"hercle/1", "hercle/2"}
                assert gone | {b"hercle/3"} == await system.forgotten()
                venue.move(one, two)
                for user in (one, two):
                    await eyes.reaches(user, "live", None, venue.holding(user))


async def test_a_second_producer_that_came_and_went_leaves_the_first_one_in_charge(
    system: System, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its later epoch outranks the first one's frames: they are told so, then begin a later one."""
    monkeypatch.setattr(neighbours, "GONE_SECONDS", float("inf"))
    async with (
        hercle(system, unique) as scene,
        producing(system, "hercle", scene.venue.lines()) as second,
    ):
        await until(lambda: scene.sandbox.connections >= 6)
        scene.venue.move(*scene.venue.users)
        await scene.right(*scene.venue.users)
        await second.stop()
        for user in scene.venue.users:
            seen = await scene.eyes.reaches(user, "unconfirmed", "superseded")
            assert seen.reason == "a later connection, which is gone, told of this account"
        scene.venue.move(*scene.venue.users)
        await scene.stays_in_doubt()
        monkeypatch.setattr(neighbours, "GONE_SECONDS", 0.3)
        await scene.right(*scene.venue.users)
        report = await scene.producer.stop()
        assert report.reconnects["superseded"] >= 3


@pytest.mark.parametrize(
    ("name", "cause", "words"),
    [
        ("completion-error", "venue_error", "An unexpected error occurred invoking 'GetBalances'"),
        ("error-event", "venue_error", "InvalidRequest: Balances are not available"),
        ("no-event", "unanswered", "the hub completes the question and sends no balances"),
        ("pings-only", "unanswered", "no answer to GetBalances within 0.3 s"),
    ],
)
async def test_a_hub_that_lives_and_tells_no_balances_confirms_none(
    system: System, unique: str, name: str, cause: Any, words: str
) -> None:
    """The user reads why; overview and metric count it; after three questions: a new connection."""
    async with hercle(system, unique, first=HASTY) as scene:
        connections = scene.sandbox.connections
        scene.venue.order(name)
        seen = await scene.eyes.reaches(scene.one, "unconfirmed", cause)
        assert words in str(seen.reason)
        await scene.eyes.counts("hercle", live=2, unconfirmed=1)
        scene.venue.move(scene.one)
        await scene.stays_in_doubt()
        await until(lambda: scene.sandbox.connections > connections)
        await scene.stays_in_doubt()
        await scene.neighbours_are_well()
        scene.sandbox.clear(name)
        scene.producer.pauses.over.set()
        await scene.right(scene.one)
