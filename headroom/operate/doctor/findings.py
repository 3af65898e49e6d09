"""What was found: a line each, `ok`, `warn` or `fail`, for a person and for a machine. Pure."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from headroom.base.printable import printable
from schemas.secrets import redacted

Status = Literal["ok", "warn", "fail"]
_SHOWN: Final = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}
_NAMED_MAX: Final = 5


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: how it is, why, and what to do about it (nothing: empty)."""

    status: Status
    reason: str
    do: str = ""


def ok(reason: str) -> Finding:
    """It is as it should be."""
    return Finding("ok", reason)


def warn(reason: str, do: str = "") -> Finding:
    """It works, or may work, and somebody should know."""
    return Finding("warn", reason, do)


def fail(reason: str, do: str = "") -> Finding:
    """Something does not work by it."""
    return Finding("fail", reason, do)


class Looked(msgspec.Struct, frozen=True):
    """A check with what it found, and how long it had."""

    check: str
    deadline_seconds: float
    findings: tuple[Finding, ...]


def is_well(looked: Sequence[Looked]) -> bool:
    """Whether nothing fails: a warning alone keeps nobody from starting."""
    return all(one.status != "fail" for each in looked for one in each.findings)


def lines(looked: Sequence[Looked]) -> list[str]:
    """What a person reads: a line each, and how many there are of each kind."""
    width = max((len(each.check) for each in looked), default=0)
    told = [
        f"{_SHOWN[one.status]}  {each.check:<{width}}  {_safe(one)}"
        for each in looked
        for one in each.findings
    ]
    counts = _counts(looked)
    return [*told, f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} that fail"]


def document(looked: Sequence[Looked]) -> dict[str, Any]:
    """The same as one JSON object, see docs/doctor.md."""
    return {
        "ok": is_well(looked),
        "counts": _counts(looked),
        "findings": [
            {
                "check": each.check,
                "status": one.status,
                "reason": _clean(one.reason),
                "do": _clean(one.do) or None,
                "deadline_seconds": each.deadline_seconds,
            }
            for each in looked
            for one in each.findings
        ],
    }


def named(names: Sequence[str]) -> str:
    """Some names; of many the first ones, and how many more there are."""
    more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
    return ", ".join(names[:_NAMED_MAX]) + more


def _counts(looked: Sequence[Looked]) -> dict[str, int]:
    all_of_them = [one.status for each in looked for one in each.findings]
    return {status: all_of_them.count(status) for status in ("ok", "warn", "fail")}


def _safe(finding: Finding) -> str:
    way = f": {finding.do}" if finding.do else ""
    return _clean(finding.reason + way)


def _clean(text: str) -> str:
    """A text of others' on one line, without a secret and without a command for a terminal."""
    return printable(" ".join(redacted(text).split()))
