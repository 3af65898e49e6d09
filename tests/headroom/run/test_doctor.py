"""What the doctor makes of the settings; all names are those that the contract tells."""

import re
from pathlib import Path

import pytest

from headroom.operate.doctor.findings import Looked
from headroom.run.doctor import NAMES, examined, read_all, unknown

CANARY = "canary-0123456789"
CONTRACT = Path(__file__).parents[3] / "docs/contract.md"


def of(**variables: object) -> dict[str, str]:
    return {f"HEADROOM_{name}": str(text) for name, text in variables.items()}


def told(found: list[Looked]) -> dict[str, list[str]]:
    return {
        one.check: [f"{each.status} {each.reason}: {each.do}" for each in one.findings]
        for one in found
    }


def test_every_name_that_is_read_is_one_of_the_contract_and_the_other_way_round() -> None:
    text = CONTRACT.read_text("utf-8").partition("\n## Settings\n")[2].partition("\n## ")[0]
    names = set()
    for cell in re.findall(r"^\| ((?:`[A-Z0-9_]+`\*?(?:, )?)+) \|", text, re.MULTILINE):
        for name, secret in re.findall(r"`([A-Z0-9_]+)`(\*?)", cell):
            names |= {name, f"{name}_FILE"} if secret else {name}
    known = {name.removeprefix("HEADROOM_") for name in read_all({}).known}
    assert known - {"CACHE_DIR"} == names


def test_a_name_that_nobody_reads_is_told_with_the_nearest_one() -> None:
    variables = {**of(KAFKA_BOOTSTRP="x", PARTITIONS=8, ZZZZZZZZZ=1), "PATH": "/"}
    found = unknown(variables, read_all(variables).known)
    assert [(one.status, one.do) for one in found] == [
        ("warn", "is HEADROOM_KAFKA_BOOTSTRAP meant?"),
        ("warn", "take it away"),
    ]


def test_only_what_is_set_up_here_is_missed() -> None:
    read = read_all(of(KAFKA_BOOTSTRAP="k:1", HERCLE_ASSET_LIMITS="asset", CA_FILE="/no"))
    assert (read.set_up, read.mistakes) == (frozenset(), {})
    read = read_all(of(KAFKA_BOOTSTRAP="k:1", HERCLE_URL="https://h/", WEBHOOK_URL="x"))
    assert read.set_up == {"hercle", "webhook"}
    assert set(read.mistakes) == {
        "HEADROOM_HERCLE_API_KEY",
        "HEADROOM_WEBHOOK_URL",
        "HEADROOM_WEBHOOK_SECRET_FILE",
    }


@pytest.mark.parametrize("skip", ["settings", "disk"])
async def test_checks_are_chosen_by_name_and_what_cannot_be_asked_is_said(
    skip: str, tmp_path: Path
) -> None:
    tokens, alerts = tmp_path / "tokens", tmp_path / "alerts"
    tokens.write_text("[[token]]\n")
    alerts.write_text("[[rule]]\n")
    variables = of(
        PARTITIONS="x",
        API_TOKENS_FILE=tokens,
        ALERTS_FILE=alerts,
        ACCOUNTS_FILE="/no",
        WORKER_TOKEN=CANARY,
        DATA_DIR=tokens / "x",
    )
    names = [name for name in NAMES if name != skip]
    found = told(await examined(variables, names, seconds=30))
    assert list(found) == names
    if skip != "settings":
        assert [line.split()[1] for line in found["settings"]] == [
            "HEADROOM_PARTITIONS",
            "HEADROOM_KAFKA_BOOTSTRAP",
            "HEADROOM_WORKER_TOKEN",
        ]
    else:
        assert len(found["disk"]) == 2
        assert all("cannot be written to" in line for line in found["disk"])
    assert len(found["alerts"]) > 1
    assert all(line.startswith("fail line ") for line in found["alerts"])
    for name in ("kafka", "tokens", "accounts"):
        assert [line.split()[0] for line in found[name]] == ["fail"], name
    for name in ("version", "topics", "rights", "clocks"):
        assert found[name] == ["warn not looked at: no Kafka answers: see `kafka`"]
    assert CANARY not in str(found)
