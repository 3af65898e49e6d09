"""Frames that a fenced producer had spooled come late: they are old news, and change nothing."""

import contextlib
import secrets
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from producers.publisher import SpoolSettings
from producers.turns import StandbySettings
from schemas.headers import read_receipt
from tests.engine.proxy import Proxy
from tests.freshness.producing import Sfox, producing
from tests.freshness.system import Eyes, System, until
from tests.freshness.test_sfox import ONE, THREE, TWO
from tests.processors.pipeline import PARTITIONS
from tests.producers import topics
from tests.producers_chaos.counting import Receipt, spooled


async def _leases(bootstrap: str) -> str:
    """A topic of one partition, where two producers agree on who works."""
    name = f"leases-{secrets.token_hex(4)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1)])
    finally:
        await admin.close()
    return name


async def _raw(system: System, accounts: list[str], since: int) -> dict[Receipt, list[bytes]]:
    """What lies in raw of these epochs on, by receipt; each time that it does."""
    topic, found = system.prefix + "raw.sfox.balances.v1", dict[Receipt, list[bytes]]()
    for record in await topics.records(system.bootstrap, topic, PARTITIONS, committed=True):
        receipt = read_receipt(record.headers, offset=record.offset, appended_ns=0)
        if receipt.epoch >= since and f"sfox:{(record.key or b'').decode()}" in accounts:
            found.setdefault((receipt.epoch, receipt.receipt), []).append(record.value)
    return found


async def test_late_frames_of_a_fenced_producer_do_not_overwrite_newer_ones(
    system: System, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One is cut off from Kafka and spools, another one takes over; the first has a turn later."""
    caplog.set_level("INFO", logger="tests.freshness")
    leases = await _leases(system.bootstrap)

    def said(words: str) -> int:
        return sum(words in record.getMessage() for record in caplog.records)

    def given(name: str) -> dict[str, Any]:
        return {
            "spool": SpoolSettings(tmp_path / name),
            "standby": StandbySettings("late", leases),
        }

    async with contextlib.AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(Proxy(system.bootstrap))
        beyond = msgspec.structs.replace(system, bootstrap=proxy.bootstrap)
        venue = await stack.enter_async_context(Sfox(41))
        lines = [venue.line()]
        one = await stack.enter_async_context(producing(beyond, "sfox", lines, **given("one")))
        eyes = await stack.enter_async_context(Eyes(system, venue.users))
        await venue.tell(*venue.users)
        for user in venue.users:
            await eyes.reaches(user, "live", None, venue.holding(user))
        first = max(epoch for epoch, _ in await _raw(system, venue.users, 0))
        other = await stack.enter_async_context(producing(system, "sfox", lines, **given("other")))
        await until(lambda: said("lease headroom-producer.sfox.late: waiting"))
        spool = tmp_path / "one" / "sfox" / "frames.db"
        with proxy.holding(*range(100)):
            # These come to the one that is cut off alone, and to nobody else for now.
            await venue.tell(ONE, TWO, ONE)
            late = venue.holding(ONE), venue.holding(TWO)
            await until(lambda: len(spooled(spool)) == 3)
            await until(lambda: said("connected, epoch") == 2)
            # From here on both have a connection; what the first one gets is of its old epoch.
            await venue.tell(*venue.users)
            for user in venue.users:
                await eyes.reaches(user, "live", None, venue.holding(user))
            await until(lambda: len(spooled(spool)) == 6)
        await until(lambda: said("another producer works"))
        kept = spooled(spool)
        assert {epoch for epoch, _ in kept} == {first}
        report = await one.stop()
        assert (report.spooled, report.stepped_back) == (6, 1)
        await venue.tell(ONE, TWO, THREE)
        newest = {user: venue.holding(user) for user in venue.users}
        assert (newest[ONE], newest[TWO]) != late
        for user in venue.users:
            await eyes.reaches(user, "live", None, newest[user])
        eyes.forget()

        # Its turn: it sends what it had kept.
        await stack.enter_async_context(producing(beyond, "sfox", lines, **given("one")))
        await until(lambda: said("lease headroom-producer.sfox.late: waiting") >= 2)
        for user in venue.users:
            await eyes.stay_live([user])
        await other.stop()
        for user in venue.users:
            await eyes.reaches(user, "unconfirmed", "reconnected", newest[user])
        # What it had kept lies before what is told now: who has read this has read that.
        await venue.tell(*venue.users)
        for user in venue.users:
            await eyes.reaches(user, "live", None, venue.holding(user))
            assert eyes.shown(user) == [newest[user], venue.holding(user)]
        raw = await _raw(system, venue.users, first)
        assert {at: raw[at] for at in kept} == {at: [frame] for at, frame in kept.items()}
        assert all(len(frames) == 1 for frames in raw.values())
        receipts = sorted(receipt for epoch, receipt in raw if epoch == first)
        assert receipts == list(range(1, len(receipts) + 1))
        assert len({epoch for epoch, _ in raw}) == 3
