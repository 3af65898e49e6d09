"""On what terms a worker answers: over HTTP, by the worker that holds the user and by another."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from processors.freshness import AccountFreshness, Freshness
from processors.http.problems import Problem
from processors.http.terms import Terms, is_known, tag_of, terms_of
from tests.conftest import KafkaHandle
from tests.processors.pipeline import EPOCH, Pipeline, answered, sfox_frame, status

USERS = [f"user-{number}" for number in range(8)]


def asked(headers: dict[str, str] | None = None, **query: str) -> Any:
    return SimpleNamespace(query=query, headers=headers or {})


def fresh(age_seconds: float = 1.0, state: Any = "live", **fields: Any) -> Freshness:
    account = AccountFreshness("sfox", "a", state, None, None, None, age_seconds)
    return Freshness(
        source={"topic": "raw", "partition": 0, "offset": 7},
        source_time="2024-03-13T22:00:25.310000000Z",
        age_seconds=age_seconds,
        stale=state != "live",
        state=state,
        cause=None,
        reason="nobody asked",
        since=None,
        accounts=[account],
        **fields,
    )


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1e9", "nan", "inf", "86401", "\u0661", "0" * 41, " "]
)
def test_an_age_that_is_none_is_400(text: str) -> None:
    with pytest.raises(Problem) as caught:
        terms_of(asked(max_age_seconds=text))
    assert caught.value.status == 400


def test_what_is_asked_for_is_required() -> None:
    assert terms_of(asked()) == Terms()
    assert terms_of(asked(max_age_seconds="1.5", require="live")) == Terms(1.5, True)
    with pytest.raises(Problem):
        terms_of(asked(require="fresh"))
    Terms(1.0).require(fresh(1.0))
    with pytest.raises(Problem, match="Service Unavailable") as caught:
        Terms(1.0).require(fresh(1.001))
    assert json.loads(caught.value.text or "")["detail"].startswith("1.001 s old")
    Terms(None, True).require(fresh(1e6))
    with pytest.raises(Problem) as caught:
        Terms(None, True).require(fresh(state="stale"))
    assert json.loads(caught.value.text or "")["detail"] == "not live but stale: nobody asked"


def test_an_answer_is_known_by_its_version_and_state_and_not_by_its_age() -> None:
    tag = tag_of(3, fresh(1.0))
    assert tag == tag_of(3, fresh(2.0))
    assert len({tag, tag_of(4, fresh()), tag_of(3, fresh(state="stale"))}) == 3
    assert is_known(asked({"If-None-Match": f'W/"x", {tag}'}), tag)
    assert is_known(asked({"If-None-Match": "*"}), tag)
    assert not is_known(asked(), tag)


@pytest.fixture
async def pipeline(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with Pipeline(kafka.bootstrap, f"{unique}.", tmp_path).topics() as made:
        yield made


async def test_two_workers_answer_on_terms(pipeline: Pipeline) -> None:
    frames = [(user, sfox_frame(user, n + 1, btc=f"1.{n}0")) for n, user in enumerate(USERS)]
    await pipeline.send("sfox", frames)
    await pipeline.tell(status(EPOCH, state="disconnected"))
    with pipeline.worker("one") as one, pipeline.worker("two") as two:
        urls = [await worker.ready() for worker in (one, two)]
        await pipeline.drained()
        async with aiohttp.ClientSession() as session:
            for url in urls:
                names = [f"sfox:{user}" for user in USERS]
                for name in names:
                    await answered(url, f"/v1/users/{name}/balances")
                    await _one(session, f"{url}/v1/users/{name}/balances")
                body = {"users": [*names, "sfox:nobody"]}
                async with session.post(f"{url}/v1/users/balances:batch", json=body) as answer:
                    assert answer.status == 200
                    assert answer.headers["Content-Encoding"] in ("gzip", "deflate")
                    found = (await answer.json())["users"]
                totals = [found[name]["totals"]["BTC"]["total"] for name in names]
                assert totals == [f"1.{n}0" for n in range(len(USERS))]
                assert found["sfox:nobody"] is None
                for wrong in (b"", b"{}", b'{"users": [1]}', json.dumps({"users": ["a"] * 501})):
                    at = f"{url}/v1/users/balances:batch"
                    async with session.post(at, data=wrong) as answer:
                        assert answer.status == 400


async def _one(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as answer:
        tag = answer.headers["ETag"]
        assert (await answer.json())["freshness"]["state"] != "live"
    async with session.get(url, headers={"If-None-Match": tag}) as answer:
        assert (answer.status, answer.headers["ETag"]) == (304, tag)
        assert await answer.read() == b""
    async with session.get(url, params={"require": "live"}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert "not live but " in (await answer.json(content_type=None))["detail"]
    async with session.get(url, params={"max_age_seconds": "0"}) as answer:
        assert answer.status == 503
    async with session.get(url, params={"max_age_seconds": "86400"}) as answer:
        assert answer.status == 200
