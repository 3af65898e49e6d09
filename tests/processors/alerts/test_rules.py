"""The rules file: all mistakes at once, each with its line and its rule."""

from decimal import Decimal

import pytest

from processors.alerts.rules import Mark, Rule, mistakes_of, read_rules, rules_of

GOOD = b"""
[[rule]]
name = "near-the-limit"
condition = "utilisation_above"
warning = "0.80"
warning_clear = "0.75"
breach = "1"
for_seconds = 30
users = ["sfox:a"]
base_currencies = ["EUR"]

[[rule]]
name = "low"
condition = "balance_below"
assets = ["BTC"]
venues = ["sfox"]
breach = "1"
"""

BAD = b"""
color = "red"
[[rule]]
name = "Near the limit"
condition = "utilization_above"
warning = 0.8
colour = "red"

[[rule]]  # a comment
name = "twice"
condition = "balance_below"
warning = "1e3"
breach = "5"
breach_clear = "4"
venues = ["kraken"]
base_currencies = ["EUR"]
[[rule]]
name = "twice"
condition = "held_above"
for_seconds = -1
assets = ["btc"]
"""


def test_rules_are_read_with_their_scopes_and_marks() -> None:
    first, second = rules_of(read_rules(GOOD))
    assert first == Rule(
        "near-the-limit",
        "utilisation_above",
        Mark(Decimal("0.80"), Decimal("0.75")),
        Mark(Decimal(1), Decimal(1)),
        30,
        users=frozenset(["sfox:a"]),
        base_currencies=frozenset(["EUR"]),
    )
    assert first.is_of_account
    assert not second.is_of_account
    assert (second.venues, second.assets) == (frozenset(["sfox"]), frozenset(["BTC"]))


def test_all_mistakes_are_told_with_line_and_rule() -> None:
    told = [str(one) for one in mistakes_of(read_rules(BAD))]
    wanted = [
        ("line 2: ", "'color' is unknown"),
        ("line 4: rule number 1: ", "is no name"),
        ("line 5: rule number 1: ", "condition: Invalid enum value 'utilization_above'"),
        ("line 6: rule number 1: ", "warning: Expected `str`, got `float` (a text between"),
        ("line 7: rule number 1: ", "'colour' is no field"),
        ("line 12: rule twice: ", "'1e3' is no plain decimal"),
        ("line 14: rule twice: ", "breach_clear must not lie below breach"),
        ("line 15: rule twice: ", "'kraken' is no venue"),
        ("line 16: rule twice: ", "balance_below knows no base currency"),
        ("line 17: rule twice: ", "neither warning nor breach"),
        ("line 18: rule twice: ", "another rule has this name, on line 10"),
        ("line 20: rule twice: ", "for_seconds: Expected `int` >= 0"),
        ("line 21: rule twice: ", "'btc' is no asset"),
    ]
    assert len(told) == len(wanted), told
    for line, (begins, says) in zip(told, wanted, strict=True):
        assert line.startswith(begins), line
        assert says in line


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (b"", 1, "no rule"),
        (b"rule = []", 1, "no rule"),
        (b"rule = 5", 1, "no rule"),
        (b"\n[[rule]\n", 2, "is not TOML"),
        (b"\n[[rule]]\nname = ", 3, "is not TOML"),
        (b"\n\xff", 2, "is not UTF-8"),
    ],
)
def test_what_is_no_rules_file_is_one_mistake(text: bytes, line: int, says: str) -> None:
    (mistake,) = mistakes_of(read_rules(text))
    assert (mistake.line, mistake.rule) == (line, None)
    assert says in mistake.problem


@pytest.mark.parametrize(
    ("condition", "fields", "says"),
    [
        ("utilisation_above", 'warning = "1"\nbreach = "0.9"', "breach must lie above warning"),
        ("headroom_below", 'warning = "1"\nbreach = "2"', "breach must lie below warning"),
        ("utilisation_above", 'warning = "1"\nwarning_clear = "2"', "must not lie above"),
        ("held_above", 'warning_clear = "2"\nbreach = "3"', "warning_clear without warning"),
        ("not_live_for", 'warning = "60"\nassets = ["BTC"]', "not_live_for has no assets"),
        ("not_live_for", 'warning = "-1"', "seconds are 0 at least"),
    ],
)
def test_what_contradicts_itself_is_a_mistake(condition: str, fields: str, says: str) -> None:
    text = f'[[rule]]\nname = "one"\ncondition = "{condition}"\n{fields}\n'
    (mistake,) = mistakes_of(read_rules(text.encode()))
    assert says in mistake.problem
