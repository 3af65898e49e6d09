"""`headroom alerts`: what is wrong with a file, and what it would tell of."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from headroom.base.errors import SettingsError
from headroom.cli import headroom
from headroom.operate.alerts.file import RulesWrong, load_rules
from headroom.operate.alerts.trial import Answer, Freshness, Live, would_tell
from processors.alerts.rules import read_rules, rules_of
from schemas.codec import encode
from schemas.documents import AccountExposure, BalanceSnapshot, Source, UserBalances

RULES = """
[[rule]]
name = "limit"
condition = "utilisation_above"
warning = "0.8"
breach = "0.9"
for_seconds = 30
"""
TIMED = '[[rule]]\nname = "dead"\ncondition = "not_live_for"\nwarning = "60"\nbreach = "600"\n'
SNAPSHOT = BalanceSnapshot(
    user="hercle:u",
    venue="hercle",
    account="u",
    epoch=1,
    sequence=1,
    receipt=1,
    venue_time=None,
    received_time="2026-11-29T10:00:00.000000000Z",
    deleted=False,
    assets={},
    exposure=AccountExposure("EUR", "95", "100"),
    source=Source("raw.hercle.balances.v1", 0, 1),
)


def made(folder: Path, text: str) -> str:
    path = folder / "alerts.toml"
    path.write_text(text, "utf-8")
    return str(path)


def test_check_tells_every_mistake_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = made(tmp_path, RULES.replace('"0.9"', '"0.7"') + "colour = 1\n")
    found = CliRunner().invoke(headroom, ["alerts", "check", path])
    assert found.output.splitlines() == [
        "line 6: rule limit: breach must lie above warning",
        *[line for line in found.output.splitlines() if line.startswith("line 8: rule limit: ")],
    ]
    assert len(found.output.splitlines()) == 2
    assert isinstance(found.exception, RulesWrong)  # status 2


def test_check_sums_up_a_file_that_is_right(tmp_path: Path) -> None:
    found = CliRunner().invoke(headroom, ["alerts", "check", made(tmp_path, RULES)])
    assert found.exit_code == 0
    wanted = "limit  utilisation_above warning at 0.8 (until 0.8), breach at 0.9 (until 0.9)"
    assert found.output == f"{wanted}, for 30 s: all\n"


def test_test_judges_documents_and_says_what_would_be_told(tmp_path: Path) -> None:
    documents = tmp_path / "users.jsonl"
    documents.write_bytes(encode(UserBalances("hercle:u", [SNAPSHOT], {}, 1)) + b"\n")
    path = made(tmp_path, RULES)
    found = CliRunner().invoke(
        headroom, ["alerts", "test", path, "--documents", str(documents)], catch_exceptions=False
    )
    wanted = "breach  limit  hercle:u  hercle:u  account EUR  utilisation_above 0.9: 0.950000\n"
    assert found.output == wanted


def test_an_account_that_has_not_been_live_is_told_by_the_longest_threshold() -> None:
    rules = rules_of(read_rules(TIMED.encode()))
    since = "1970-01-01T00:00:00.000000000Z"
    accounts = [Live("sfox", "a", "stale", since), Live("sfox", "b", "live", None)]
    answers = [Answer("ann", [], Freshness(accounts))]

    def told(now_s: int) -> list[tuple[str, str | None]]:
        found = would_tell(answers, rules, now_ns=now_s * 1_000_000_000)
        return [(alert.account, alert.level) for alert in found]

    assert told(60) == []
    assert told(61) == [("a", "warning")]
    assert told(601) == [("a", "breach")]


def test_a_worker_refuses_a_file_that_is_wrong(tmp_path: Path) -> None:
    assert load_rules(None) == ()
    assert [rule.name for rule in load_rules(Path(made(tmp_path, RULES + TIMED)))] == [
        *("limit", "dead"),
    ]
    with pytest.raises(SettingsError, match="line 8: rule limit"):
        load_rules(Path(made(tmp_path, RULES + "x = 1")))
    with pytest.raises(SettingsError, match="cannot be read"):
        load_rules(tmp_path / "nowhere.toml")
