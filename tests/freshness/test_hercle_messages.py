"""What a user of Hercle's sees of its sequence, of its messages' forms, and of a slow hub."""

from decimal import Decimal

import msgspec
import pytest

from tests.freshness.hercle import hercle
from tests.freshness.producing import CALM
from tests.freshness.system import System, until


async def test_a_sequence_that_falls_is_in_doubt_until_a_second_answer_bears_it_out(
    system: System, unique: str
) -> None:
    """5000, then 1: the number of 5000 stays, unconfirmed; with 2 the venue counts anew."""
    async with hercle(system, unique) as scene:
        venue, eyes, one = scene.venue, scene.eyes, scene.one
        venue.by_hand()
        venue.order("sequence-falls")
        await venue.answer()
        before = venue.holding(one)
        await eyes.reaches(one, "live", None, before)
        await venue.answer()
        assert venue.holding(one) != before
        seen = await eyes.reaches(one, "unconfirmed", "wrong_order", before)
        assert seen.reason == "the account's sequence fell from 5000 to 1"
        await scene.stays_in_doubt()
        assert eyes.shown(one) == [before]
        for _ in range(2):
            await venue.answer()
            await scene.right(one)
        venue.move(one)
        await venue.answer()
        await scene.right(one)
        await scene.neighbours_are_well()


async def test_an_account_that_was_deleted_and_is_back_is_there_again(
    system: System, unique: str
) -> None:
    """404 while that is the venue's word, and no longer."""
    async with hercle(system, unique) as scene:
        venue, eyes, one = scene.venue, scene.eyes, scene.one
        venue.move(one, times=4)
        await scene.right(one)
        venue.by_hand()
        venue.order("deleted-then-falls")
        await venue.answer()
        await eyes.reaches(one, "unknown")
        await venue.answer()
        eyes.seen[one].clear()
        await venue.answer()
        await scene.right(one)
        assert eyes.live(one) == [venue.holding(one)]
        await scene.neighbours_are_well()


@pytest.mark.parametrize("name", ["list", "list-text", "second-argument"])
async def test_each_account_of_a_message_is_a_user_with_its_own_number(
    system: System, unique: str, name: str
) -> None:
    """Both are live and right, and change on their own; nothing is a dead letter."""
    async with hercle(system, unique) as scene:
        letters = await system.dead_letters()
        second = f"hercle:second-{scene.venue.names[0]}"
        scene.venue.order(name)
        scene.eyes.users.append(second)
        scene.eyes.seen[second] = []
        await scene.eyes.reaches(second, "live")
        scene.venue.move(scene.one)
        await scene.right(scene.one)
        # It moves with each answer: told once more by hand, it stands still.
        scene.venue.by_hand()
        await scene.venue.answer()
        await until(lambda: scene.venue.hand.waiting)
        await scene.right(scene.one, second)
        assert scene.venue.holding(second) != scene.venue.holding(scene.one)
        assert await system.dead_letters() == letters
        await scene.neighbours_are_well()
        # The one that is not told of any more is not called fresh either.
        scene.sandbox.clear(name)
        scene.sandbox.clear("slow")
        await scene.eyes.reaches(second, "unconfirmed", "untold")
        await scene.right(scene.one)


@pytest.mark.parametrize("name", ["split", "glued"])
async def test_only_0x1e_ends_a_record_whatever_messages_it_comes_in(
    system: System, unique: str, name: str
) -> None:
    """Live all the time, each change comes, nothing is a dead letter."""
    async with hercle(system, unique) as scene:
        letters = await system.dead_letters()
        scene.venue.order(name)
        for _ in range(3):
            scene.venue.move(scene.one)
            await scene.right(scene.one)
        scene.sandbox.clear(name)
        scene.venue.move(scene.one)
        await scene.right(scene.one)
        assert await system.dead_letters() == letters
        await scene.eyes.stay_live(scene.venue.users)
        await scene.neighbours_are_well()


async def test_a_slow_hub_has_one_question_at_a_time(system: System, unique: str) -> None:
    """However often it pings, and its neighbours are asked; its answer counts when it comes."""
    async with hercle(system, unique, poll="0.05", ping_seconds=Decimal("0.05")) as scene:
        scene.venue.by_hand()
        await until(lambda: scene.venue.hand.waiting)
        asked = scene.sandbox.frames_sent
        await until(lambda: scene.sandbox.frames_sent > asked + 20)
        assert len(scene.sandbox._acts._tasks) == 1  # An unanswered question each.
        scene.venue.move(scene.one)
        await scene.venue.answer()
        await scene.right(scene.one)
        await until(lambda: scene.venue.hand.waiting)
        await scene.eyes.stay_live(scene.venue.users)


@pytest.mark.parametrize("name", ["slow", "deaf"])
async def test_a_hub_that_answers_too_late_or_reads_nothing_is_left_for_a_new_connection(
    system: System, unique: str, name: str
) -> None:
    """Its user is unconfirmed by the first question that is late, and comes back by itself."""
    hasty = msgspec.structs.replace(CALM, answer_seconds=0.3, close_seconds=0.2)
    pings = Decimal("0.05")
    async with hercle(system, unique, first=hasty, ping_seconds=pings) as scene:
        connections = scene.sandbox.connections
        if name == "slow":
            scene.venue.by_hand()
        else:
            scene.venue.order("deaf")
        seen = await scene.eyes.reaches(scene.one, "unconfirmed", "unanswered")
        assert seen.reason == "no answer to GetBalances within 0.3 s"
        await until(lambda: scene.sandbox.connections > connections)
        await scene.neighbours_are_well()
        scene.sandbox.clear(name)
        scene.producer.pauses.over.set()
        scene.venue.move(scene.one)
        await scene.right(scene.one)


async def test_an_amount_that_is_none_marks_its_account_alone(system: System, unique: str) -> None:
    """The old number with the place of the fault, until a frame that can be read."""
    async with hercle(system, unique) as scene:
        old = scene.venue.holding(scene.one)
        scene.venue.order("bad-amount")
        seen = await scene.eyes.reaches(scene.one, "unconfirmed", "unreadable", old)
        assert "data.assets[0].available" in str(seen.reason)
        scene.venue.move(scene.one)
        await scene.stays_in_doubt()
        assert scene.eyes.shown(scene.one) == [old]
        await scene.neighbours_are_well()
        scene.sandbox.clear("bad-amount")
        await scene.right(scene.one)
