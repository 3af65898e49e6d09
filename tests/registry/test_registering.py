"""`headroom schemas register`: what a release's pipeline is told."""

import json

import pytest

from headroom.operate.registry.client import RegistryAway
from headroom.operate.registry.release import NoRegistry, register_all
from schemas.export import schemas
from tests.headroom.commands import headroom
from tests.headroom.operate.test_registry import SIGNED, settings
from tests.registry.standin import OPEN, StandIn, answering, beside

SUBJECTS = [name.replace(".schema.json", "-value") for name in schemas()]


async def register(url: str, *, dry_run: bool = False, as_json: bool = False) -> tuple[bool, str]:
    lines: list[str] = []
    given = settings(url, **SIGNED)
    is_well = await register_all(given, dry_run=dry_run, as_json=as_json, echo=lines.append)
    return is_well, "\n".join(lines)


async def test_a_pipeline_sees_what_would_be_done_does_it_and_sees_that_it_is() -> None:
    registry = StandIn()
    async with answering(registry) as url:
        would = "\n".join(f"{one}: would be registered" for one in SUBJECTS)
        assert await register(url, dry_run=True) == (True, would)
        assert registry.schemas == {}
        is_well, lines = await register(url)
        assert (is_well, list(registry.schemas)) == (True, SUBJECTS)
        assert lines.startswith(f"{SUBJECTS[0]}: registered, version 1, id 1\n")
        is_well, lines = await register(url, as_json=True)
    assert (is_well, registry.writes) == (True, len(SUBJECTS))
    assert [json.loads(line) for line in lines.splitlines()] == [
        {"subject": one, "state": "there", "id": number, "version": 1}
        for number, one in enumerate(SUBJECTS, 1)
    ]


async def test_what_the_rule_of_a_subject_refuses_is_said_before_and_after() -> None:
    registry = StandIn()
    first, *others = SUBJECTS
    registry.put(first, "{}")
    registry.refused = {first}
    async with answering(registry) as url:
        is_well, would = await register(url, dry_run=True, as_json=True)
        assert not is_well
        told = [json.loads(line) for line in would.splitlines()]
        assert told[0] == {"subject": first, "state": "would_be_refused", "why": [OPEN]}
        assert told[1:] == [{"subject": one, "state": "new"} for one in others]
        is_well, done = await register(url)
    assert not is_well
    assert done.startswith(f"{first}: refused: status 409: Schema being registered is")
    assert list(registry.schemas) == SUBJECTS


async def test_a_registry_that_cannot_say_is_no_yes() -> None:
    async with answering(StandIn("500")) as url:
        is_well, would = await register(url, dry_run=True)
    assert not is_well
    assert would.startswith(f"{SUBJECTS[0]}: the registry cannot say: status 500: a word")


async def test_no_registry_is_told_apart_from_one_that_refuses() -> None:
    with pytest.raises(NoRegistry, match="HEADROOM_SCHEMA_REGISTRY_URL is not set"):
        await register_all(None, dry_run=True, as_json=False)
    async with answering(StandIn("html")) as url:
        with pytest.raises(RegistryAway, match="what answers there is no schema registry"):
            await register(url)


def test_by_a_persons_own_command() -> None:
    """Its status says how it went, and a password is nowhere; the workers' way is no matter."""
    registry = StandIn("read-only")
    with beside(registry) as url:
        given = {"SCHEMA_REGISTRY_URL": url, "SCHEMA_REGISTRY_MODE": "lookup", **SIGNED}
        done = headroom("schemas", "register", **given)
    assert (done.status, done.err) == (1, "")
    assert f"{SUBJECTS[0]}: refused: status 422: Subject is in read-only mode" in done.out
    away = headroom("schemas", "register", **given)
    away.is_one_line(f"no schema registry answers at {url.removeprefix('http://')}")
    assert SIGNED["SCHEMA_REGISTRY_PASSWORD"] not in done.out + away.err
