"""Events about alerts, from rows that the ledger of alerts wrote: as told, and as they stand."""

import json
from decimal import Decimal
from typing import Any

import pytest

from processors.alerts.ledger import AlertLedger
from processors.alerts.rules import Mark, Rule
from processors.http.access import Access, Grant, hashed
from processors.http.events import alerts, hub
from schemas.codec import encode
from schemas.documents import AssetBalance, BalanceSnapshot
from schemas.secrets import Secret
from tests.processors.events.reading import Event, Stream, reading
from tests.processors.events.site import Site, serving
from tests.processors.ledger.snapshots import snapshot

LOW = Rule("low", "balance_below", Mark(Decimal(10), Decimal(10)), None, every_asset=True)
HELD = Rule("held", "held_above", None, Mark(Decimal(5), Decimal(5)), every_asset=True)


class Judging:
    """Snapshots judged one after the other, their rows settled; `told` is what alerts.v1 has."""

    def __init__(self, site: Site) -> None:
        self._rows = site.alerts
        self._ledger = AlertLedger((LOW, HELD))
        self._number = 0
        self.told: list[Any] = []

    def take(self, account: str, *, venue: str = "sfox", **amounts: str) -> None:
        """A frame; an amount of 6 to 9 crosses `held`, too."""
        self._number += 1
        frame: BalanceSnapshot = snapshot(
            1,
            self._number,
            self._number,
            venue=venue,
            account=account,
            assets={asset.upper(): balance(amount) for asset, amount in amounts.items()},
        )
        found = self._ledger.fold(0, [frame], self._rows.rows.get, lambda _: None)
        self.told += [json.loads(encode(one.alert)) for one in found.told]
        self._rows.settle(found.rows)


def balance(amount: str) -> AssetBalance:
    return AssetBalance(amount, amount, amount if amount in "6789" else "0", {}, None)


def alerts_of(events: list[Event]) -> list[Any]:
    return [event.data for event in events if event.kind == "alert"]


def is_alert(event: Event) -> bool:
    return event.kind == "alert"


async def until_told(stream: Stream, count: int) -> list[Any]:
    while len(alerts_of(stream.seen)) < count:
        await stream.next()
    return alerts_of(stream.seen)


async def test_each_change_of_level_is_told_as_on_the_topic_and_what_stands_on_request() -> None:
    site = Site()
    judging = Judging(site)
    async with serving(site) as url:
        async with reading(url, "?kind=alert") as stream:
            await stream.until(lambda e: e.kind == "current")
            judging.take("a", btc="1", eth="20")
            assert await until_told(stream, 1) == judging.told
            # Only what is new, not once more what stands.
            judging.take("a", btc="1", eth="2")
            assert await until_told(stream, 2) == judging.told
            judging.take("a", btc="30", eth="2")
            assert await until_told(stream, 3) == judging.told
            assert [(one["asset"], one["level"]) for one in judging.told] == [
                ("BTC", "warning"),
                ("ETH", "warning"),
                ("BTC", "cleared"),
            ]
        async with reading(url, "?kind=alert&snapshot=true") as stream:
            found = await stream.until(lambda e: e.kind == "current")
            assert [e.kind for e in found] == ["reset", "alert", "current"]
            assert alerts_of(found) == [judging.told[1]]


async def test_whoever_comes_back_is_told_what_began_and_ended_meanwhile() -> None:
    """The newest of each, once; the id of another worker's life brings what stands instead."""
    site = Site()
    judging = Judging(site)
    async with serving(site) as url:
        async with reading(url, "?kind=alert") as stream:
            await stream.until(lambda e: e.kind == "current")
            judging.take("a", btc="1")
            await until_told(stream, 1)
            last_id = stream.last_id
        async with reading(url, "?kind=alert&user=sfox:b") as other:
            judging.take("a", btc="20")
            judging.take("a", btc="7")
            judging.take("a", btc="20")
            judging.take("b", btc="1")
            await until_told(other, 1)
        async with reading(url, "?kind=alert", last_id=last_id) as stream:
            found = await until_told(stream, 3)
            last = {(one["user"], one["rule"]): one for one in judging.told}
            assert {(one["user"], one["rule"]): one for one in found} == last
            assert len(found) == 3
            assert "reset" not in {event.kind for event in stream.seen}
            site.alerts.unseen(0)
            again = await stream.until(
                lambda e: e.kind == "current" and stream.seen[-2].kind == "alert"
            )
            assert [e.kind for e in again] == ["moved", "reset", "alert", "current"]
            assert [one["user"] for one in alerts_of(again)] == ["sfox:b"]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("user=sfox:a&user=sfox:none", {("sfox:a", "BTC"), ("sfox:a", "ETH")}),
        ("asset=eth", {("sfox:a", "ETH"), ("hercle:b", "ETH")}),
        ("venue=hercle", {("hercle:b", "ETH")}),
        ("venue=hercle&asset=btc", set()),
    ],
)
async def test_filters_hold_for_alerts_and_a_token_sees_its_users(
    query: str, wanted: set[tuple[str, str]]
) -> None:
    site = Site()
    access = Access(
        [Grant("risk", hashed("risk"), None), Grant("b", hashed("b"), frozenset({"hercle:b"}))],
        Secret("w" * 32),
    )
    judging = Judging(site)
    async with (
        serving(site, access) as url,
        reading(url, f"?kind=alert&{query}", token="risk") as one,
        reading(url, "?kind=alert&snapshot=true", token="b") as mine,
        reading(url, "?kind=alert", token="risk") as every,
    ):
        for stream in (one, mine, every):
            await stream.until(lambda e: e.kind == "current")
        judging.take("a", btc="1", eth="1")
        judging.take("b", venue="hercle", eth="1")
        await until_told(every, 3)
        await until_told(mine, 1)
        found = await until_told(one, len(wanted))
        assert {(alert["user"], alert["asset"]) for alert in found} == wanted
        assert {alert["user"] for alert in alerts_of(mine.seen)} == {"hercle:b"}
        asked = f"?kind=alert&snapshot=true&{query}"
        async with reading(url, asked, token="risk") as later:
            first = await later.until(lambda e: e.kind == "current")
            assert {(alert["user"], alert["asset"]) for alert in alerts_of(first)} == wanted


async def test_what_stands_of_many_is_told_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of those who were named, and where many had alerts of which nothing stands."""
    monkeypatch.setattr(alerts, "_ROWS_AT_ONCE", 3)
    monkeypatch.setattr(hub, "EVENTS_AT_ONCE", 4)
    site = Site()
    judging = Judging(site)
    for number in range(12):
        judging.take(f"{number}", btc="1", eth="1")
        judging.take(f"o{number}", btc="1")
        judging.take(f"o{number}", btc="20")
    named = "".join(f"&user=sfox:{number}&user=sfox:o{number}" for number in range(12))
    async with serving(site) as url:
        for query in ("", named):
            async with reading(url, f"?kind=alert&snapshot=true{query}") as stream:
                found = alerts_of(await stream.until(lambda e: e.kind == "current"))
                assert len(found) == 24
                assert {one["level"] for one in found} == {"warning"}
                # Who was there at first is not new.
                judging.take("0", btc="1", eth="20")
                (cleared,) = alerts_of(await stream.until(is_alert))
                assert (cleared["user"], cleared["level"]) == ("sfox:0", "cleared")
                judging.take("0", btc="1", eth="1")
