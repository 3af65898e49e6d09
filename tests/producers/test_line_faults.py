"""Each case of `line_faults` befalls a feed at a simulated venue, and it comes back by itself."""

import time
from decimal import Decimal
from pathlib import Path

import pytest

from headroom.local.sandbox import HercleConfig, HercleSandbox, SfoxConfig, SfoxSandbox
from headroom.local.sandbox.faults import HERCLE, SFOX
from producers.hercle import HercleLine, HercleSettings
from producers.settings import Deadlines
from producers.sfox import SfoxLine, SfoxSettings
from schemas.secrets import Secret
from tests.headroom.local.sandbox.clients import journal_lines
from tests.producers.line_faults import CASES, Case, befall
from tests.producers.worlds import CANARY, Given, running

HASTY = Deadlines(
    open_seconds=1.0,
    answer_seconds=1.0,
    ping_seconds=0.5,
    pong_seconds=0.5,
    close_seconds=0.5,
    silence_seconds=1.0,
)


def test_every_fault_that_both_venues_have_is_a_case() -> None:
    """But the certificate's, which needs papers (test_certificates)."""
    both = {name for name in SFOX.keys() & HERCLE.keys() if not name.startswith("key-")}
    named = {case.name for case in CASES}
    assert both - named == {"certificate"}
    assert named <= SFOX.keys() | HERCLE.keys()


@pytest.mark.parametrize(
    ("case", "venue"),
    [pytest.param(c, v, id=f"{v} {c.label}") for c in CASES for v in c.venues],
)
async def test_a_feed_comes_back(tmp_path: Path, case: Case, venue: str) -> None:
    """What the journal says was sent is published, but what the case says is lost."""
    # A deadline that is short is missed by a busy machine, too.
    deadlines = HASTY if case.reconnects else Deadlines()
    given, sandbox = at(venue, tmp_path / "journal", deadlines)
    async with sandbox:
        given = given(sandbox)
        async with running(given):
            await given.published.until(3)
            befallen = await befall(
                case,
                sandbox,
                reconnects=lambda: sum(given.feed.reconnects.values()),
                is_connected=lambda: given.feed.status().state == "connected",
                clock=time.monotonic,
                scale=0.05,
            )
            await given.published.until(len(given.published.frames) + 3)
            assert (befallen.noticed_seconds is not None) == case.reconnects
            if not case.reconnects:
                assert not given.feed.reconnects
        sent = [line for line in journal_lines(tmp_path / "journal") if "frame" in line]
    told = set(given.published.frames)
    missing = [line for line in sent if line["frame"].encode() not in told]
    if not case.lost:
        assert missing == []
    # What is lost is the end of what one connection was sent: nothing came behind it.
    for name in {line["connection"] for line in missing}:
        lost = [line for line in missing if line["connection"] == name]
        assert [line for line in sent if line["connection"] == name][-len(lost) :] == lost
    assert len(given.published.frames) == len(set(given.published.order))


def at(venue: str, journal: Path, deadlines: Deadlines):
    secret = Secret(CANARY)
    if venue == "sfox":
        config = SfoxConfig(
            users=3,
            api_key=CANARY,
            rate_per_second=Decimal(100),
            journal=journal,
            close_seconds=Decimal(1),
        )
        return (
            lambda box: Given(
                SfoxLine(SfoxSettings(api_key=secret, url=box.url, deadlines=deadlines))
            ),
            SfoxSandbox(config),
        )
    config = HercleConfig(
        keys={CANARY: "u"},
        rate_per_second=Decimal(20),
        journal=journal,
        close_seconds=Decimal(1),
        ping_seconds=Decimal("0.2"),
    )
    return (
        lambda box: Given(
            HercleLine(
                HercleSettings(
                    api_keys=(secret,),
                    client_id="me",
                    url=box.url,
                    poll_seconds=Decimal("0.05"),
                    deadlines=deadlines,
                ),
                1,
            )
        ),
        HercleSandbox(config),
    )
