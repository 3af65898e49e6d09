"""Messages of several accounts, and assets that nobody can read, through a worker and Kafka."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from headroom.audit import audit
from schemas.topics import BALANCES, EXPOSURE_USER
from tests.conftest import KafkaHandle
from tests.processors.pipeline import Pipeline, answered, get, sfox_frame


@pytest.fixture
async def pipeline(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with Pipeline(kafka.bootstrap, f"{unique}.", tmp_path).topics() as made:
        yield made


def account(name: str, sequence: int, amount: int, **changes: Any) -> dict[str, Any]:
    """A Hercle account's `data`."""
    held = {"name": "BTC", "available": amount, "allocated": 0, "currentExposure": 1}
    return {
        "userId": name,
        "sequence": sequence,
        "assets": [held | {"maxExposure": 4}],
        "baseCurrency": "EUR",
        "totalCurrentExposure": 10,
        "totalMaxExposure": 20,
        "deleted": False,
        **changes,
    }


def message(*data: Any) -> bytes:
    """A hub message with these `data`, an argument each."""
    events = [{"subject": "account.balances.snapshot", "data": one} for one in data]
    return json.dumps({"type": 1, "target": "executionEvents", "arguments": events}).encode()


def path(user: str, what: str = "balances") -> str:
    return f"/v1/users/{quote(user, safe='')}/{what}"


def told(records: list[Any], name: str) -> list[str]:
    return sorted(dict(record.headers)[name].decode() for record in records)


async def test_each_account_of_a_message_has_its_outcome_and_its_answer(pipeline: Pipeline) -> None:
    """A list, a list as a text, a second argument: a fault stays with its account (I2)."""
    bad = account("bad", 1, 1, deleted=None)
    sent = [
        ("a", message([account("a", 1, 1), bad, account("b", 1, 2)])),
        ("a", message(json.dumps([account("a", 2, 3), account("c", 1, 4)]))),
        ("b", message(account("b", 2, 5), account("d", 1, 6))),
        ("e", message([account("e", 1, 7)])),
        ("x", message([])),
    ]
    await pipeline.send("hercle", sent)
    with pipeline.worker("one", in_assets=["hercle"]) as worker:
        url = await worker.ready()
        await pipeline.drained()
        held = {}
        for name in "abcde":
            document = await answered(url, path(f"hercle:{name}"))
            held[name] = document["totals"]["BTC"]["total"]
        assert held == {"a": "3", "b": "5", "c": "4", "d": "6", "e": "7"}
        assert (await get(url, path("hercle:bad")))[0] == 404
        exposure = await answered(url, path("hercle:a", "exposure"))
        limits = [(limit["asset"], limit["base_currency"]) for limit in exposure["limits"]]
        assert limits == [(None, "EUR"), ("BTC", None)]
        overview = await answered(url, "/v1/overview?limit=100")
        bases = {(limit["asset"], limit["base_currency"]) for limit in overview["limits"]}
        assert bases == {(None, "EUR"), ("BTC", None)}
        assert (await answered(url, "/v1/bases/EUR/exposure"))["current"] == "50"
        assert worker.stop() == 0
    part, whole = sorted(
        (dict(record.headers) for record in await pipeline.dead_letters()),
        key=lambda headers: headers.get("headroom.part", b"~"),
    )
    assert (part["headroom.part"], part["headroom.parts"]) == (b"1", b"3")
    assert b"data[1].deleted" in part["__connect.errors.exception.message"]
    assert "headroom.parts" not in whole
    records = await pipeline.records(BALANCES)
    parts = [r for r in records if "headroom.parts" in dict(r.headers)]
    assert (len(records), len(parts)) == (7, 6)
    assert [identity.rsplit("/")[-1] for identity in told(parts, "ce_id")].count("0") == 3
    found = await audit(pipeline.kafka, topic_prefix=pipeline.prefix, in_assets=["hercle"])
    assert found.findings == []
    assert (found.raw, found.normalised, found.dead_lettered, found.lost) == (5, 3, 2, 0)


async def test_after_a_kill_every_outcome_of_a_message_is_there_once(pipeline: Pipeline) -> None:
    """Without transactions some may come again, each under its own identity, the same."""
    with pipeline.worker("one", guarantee="at_least_once") as worker:
        await worker.ready()
        for sequence in range(1, 200):
            many = [account(f"u{number}", sequence, sequence) for number in range(5)]
            await pipeline.send("hercle", [("u0", message(many))])
            if sequence == 120:
                worker.kill()
                worker.start()
        await worker.ready()
        await pipeline.drained()
        assert worker.stop() == 0
    found = await audit(pipeline.kafka, topic_prefix=pipeline.prefix)
    assert found.findings == []
    assert (found.raw, found.normalised, found.users, found.lost) == (199, 199, 5, 0)


async def test_of_some_accounts_frames_only_these_are_told_of(pipeline: Pipeline) -> None:
    """As a replay for some users reads them: whatever the record's key is, it is looked into."""
    sent = [
        ("b", message([account("b", 1, 2), account("a", 1, 1), account("c", 1, 3, deleted=None)])),
        ("b", message(account("b", 2, 9), {"nobody": 1})),
        (None, b"{cut"),
        ("a", message(account("a", 2, 4))),
        ("b", message(account("b", 3, 5))),
        (None, message(account("a", 3, 6))),
    ]
    await pipeline.send("hercle", sent)
    await pipeline.send("sfox", [("a", sfox_frame("a", 1, btc="1"))])
    with pipeline.worker("one", accounts={"hercle": ["a", "c"], "sfox": []}) as worker:
        await worker.ready()
        await pipeline.drained()
        assert worker.stop() == 0
    assert told(await pipeline.records(BALANCES), "ce_subject") == ["hercle:a"] * 3
    (letter,) = await pipeline.dead_letters()
    assert dict(letter.headers)["headroom.part"] == b"2"


async def test_an_entry_of_another_kind_leaves_the_user_fresh_and_says_so(
    pipeline: Pipeline,
) -> None:
    ordinary = sfox_frame("a", 1, btc="1")
    frame = json.loads(sfox_frame("a", 2, btc="2"))
    frame["payload"]["updates"].append({"currency": "sol", "balance": "5", "address": "x"})
    await pipeline.send("sfox", [("a", ordinary), ("a", json.dumps(frame).encode())])
    with pipeline.worker("one") as worker:
        url = await worker.ready()
        await pipeline.drained()
        for what in ("balances", "exposure"):
            document = await answered(url, path("sfox:a", what))
            assert document["unknown"] == ["SOL"]
        assert document["assets"]["BTC"]["total"] == "2"
        # What is known again is told without the field.
        await pipeline.send("sfox", [("a", sfox_frame("a", 3, btc="3"))])
        await pipeline.drained()
        assert "unknown" not in await answered(url, path("sfox:a"))
        assert worker.stop() == 0
    assert await pipeline.dead_letters() == []
    found = await audit(pipeline.kafka, topic_prefix=pipeline.prefix)
    assert (found.findings, found.lost) == ([], 0)
    assert b"unknown" not in (await pipeline.records(EXPOSURE_USER))[-1].value
