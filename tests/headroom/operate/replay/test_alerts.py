"""A replay says what it would have told, to nobody; a promotion tells nothing twice."""

import json
from pathlib import Path

import pytest

from headroom.operate.generations import names_of
from schemas.topics import ALERTS
from tests.headroom.commands import headroom
from tests.headroom.operate.replay.scene import Scene, scene

RULES = """
[[rule]]
name = "limit"
condition = "utilisation_above"
warning = "0.8"
breach = "1"
"""


def levels(its: Scene, topic: str = ALERTS) -> list[tuple[str, str]]:
    found = [json.loads(record.value()) for record in its.read(topic)]
    return sorted((alert["account"], alert["level"]) for alert in found)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_replay_tells_only_itself_and_a_promotion_tells_nothing_again(tmp_path: Path) -> None:
    rules = tmp_path / "alerts.toml"
    rules.write_text(RULES, "utf-8")
    with scene(tmp_path / "house", ALERTS_FILE=rules) as its:
        its.limits(90, "ann", "bob")
        its.limits(120, "bob")
        its.wait()
        told = [("ann", "warning"), ("bob", "breach"), ("bob", "warning")]
        assert levels(its) == told
        # Stricter rules: the generation would have told of more, and nobody hears it.
        stricter = tmp_path / "stricter.toml"
        stricter.write_text(RULES.replace('breach = "1"', 'breach = "0.85"'), "utf-8")
        assert its.compared("new", ALERTS_FILE=stricter)["equal"]
        own = names_of("new", live=False).output(ALERTS)
        assert levels(its, own) == [("ann", "breach"), ("bob", "breach")]
        assert levels(its) == told
        # The worker's rules are the old ones still, and what they led to is known.
        its.promoted("new")
        assert levels(its) == told
        its.limits(91, "ann")
        its.limits(121, "bob")
        its.wait("new")
        assert levels(its) == told
        its.limits(10, "ann", "bob")
        its.wait("new")
        assert levels(its) == sorted([*told, ("ann", "cleared"), ("bob", "cleared")])
        assert its.audit().findings == []
        said = headroom("alerts", "list", "--user", "hercle:ann", "--json", **its.house.settings)
        listed = [json.loads(line) for line in said.out.splitlines()]
        assert [one["alert"]["level"] for one in listed] == ["cleared", "warning"]
        shown = headroom("alerts", "show", listed[0]["event"], **its.house.settings)
        assert json.loads(shown.out) == listed[0]
        words = ("alerts", "test", str(stricter), "--url", its.house.url)
        assert headroom(*words, **its.house.settings).out == ""
