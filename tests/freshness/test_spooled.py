"""A number is not called live while a newer one waits for Kafka."""

from processors.engine.librdkafka import properties
from tests.engine.proxy import Kind, Proxy
from tests.freshness.system import System
from tests.freshness.test_sfox import ONE, TWO, sfox


async def test_while_newer_frames_wait_for_kafka_accounts_are_unconfirmed_and_then_right(
    system: System,
) -> None:
    """Raw's leader hangs: its connections stand, and nothing is answered; all else goes on."""
    async with (
        Proxy(system.bootstrap) as proxy,
        sfox(
            system, 31, access=lambda: properties({"bootstrap_servers": proxy.bootstrap})
        ) as scene,
    ):
        venue, eyes = scene.venue, scene.eyes
        old = venue.holding(ONE)
        with proxy.holding(Kind.PRODUCE):
            await venue.tell(ONE)
            seen = await eyes.reaches(ONE, "unconfirmed", "spooled", old)
            assert seen.reason == "frames wait until Kafka takes them"
            await eyes.reaches(TWO, "unconfirmed", "spooled")
            # However long that lasts, and whatever else is told of the connection.
            eyes.forget()
            await eyes.more(ONE, 60)
            assert eyes.live(ONE) == []
        await eyes.reaches(ONE, "live", None, venue.holding(ONE))
        await eyes.reaches(TWO, "live", None, venue.holding(TWO))
        assert eyes.shown(ONE) == [old, venue.holding(ONE)]
