"""What a rules file would tell of now: a worker's present answers judged, and nothing sent."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
import orjson

from headroom.base.asking import get, session
from headroom.base.errors import OperatorError
from processors.alerts.judge import judge
from processors.alerts.observed import alert_of, level_at, seconds_of
from processors.alerts.rules import Rule, rules_for, rules_of_time
from processors.ledger.moves import Observed
from schemas.documents import BalanceSnapshot, LimitAlert
from schemas.secrets import Secret
from schemas.times import rfc3339, time_ns_of

_USERS_PER_PAGE = 1_000


class Live(msgspec.Struct, frozen=True):
    """How fresh an account is, as a worker says it."""

    venue: str
    account: str
    state: str
    since: str | None


class Freshness(msgspec.Struct, frozen=True):
    """How fresh a user's accounts are."""

    accounts: list[Live] = []


class Answer(msgspec.Struct, frozen=True):
    """What a worker answers of a user's balances, as far as it is judged."""

    user: str
    accounts: list[BalanceSnapshot]
    freshness: Freshness = Freshness()


def would_tell(
    answers: Iterable[Answer],
    rules: tuple[Rule, ...],
    *,
    now_ns: int,
    in_assets: frozenset[str] = frozenset(),
) -> Iterator[LimitAlert]:
    """What the rules say of users as they are now, as if nothing had been told before.

    One answer does not say for how long it has been so: a rule's `for_seconds` is not waited for.
    """
    at_once = tuple(msgspec.structs.replace(rule, for_seconds=0) for rule in rules)
    for answer in answers:
        for snapshot in answer.accounts:
            # The user of now: an account may have come from another one since its frame.
            owned = msgspec.structs.replace(snapshot, user=answer.user)
            mine = rules_for(at_once, answer.user, snapshot.venue)
            yield from judge({}, owned, mine, in_assets=in_assets)[1]
        for live in answer.freshness.accounts:
            yield from _not_live(answer.user, live, rules, now_ns)


async def ask_all(url: str, token: Secret | None) -> list[Answer]:
    """All users' balances; raises `NotAnswered`."""
    found = list[Answer]()
    async with session(token) as connections:
        after = ""
        while True:
            path = f"/v1/users?limit={_USERS_PER_PAGE}&after={quote(after, safe='')}"
            page = orjson.loads(await get(connections, url, path))
            for user in page["users"]:
                path = f"/v1/users/{quote(user, safe='')}/balances"
                found.append(msgspec.json.decode(await get(connections, url, path), type=Answer))
            if page["next"] is None:
                return found
            after = page["next"]


def read_documents(path: Path) -> list[Answer]:
    """Balances from a file, one JSON object a line, as `headroom query user U --json` says them.

    Raises `OperatorError` where a line is none.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        message = f"cannot be read: {error.strerror}: {path}"
        raise OperatorError(message) from None
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(msgspec.json.decode(line, type=Answer))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                message = f"{path}, line {number}: no user's balances ({error})"
                raise OperatorError(message) from None
    return found


def line_of(alert: LimitAlert) -> str:
    """An alert for a person, on one line."""
    about = alert.asset or "account"
    base = f" {alert.base_currency}" if alert.base_currency else ""
    level = alert.threshold or "nothing"
    return (
        f"{alert.level}  {alert.rule}  {alert.user}  {alert.venue}:{alert.account}  {about}{base}  "
        f"{alert.condition} {level}: {alert.value}"
    )


def _not_live(user: str, live: Live, rules: tuple[Rule, ...], now_ns: int) -> Iterator[LimitAlert]:
    if live.state == "live" or live.since is None:
        return
    lasting_ns = max(0, now_ns - time_ns_of(live.since))
    for rule in rules_of_time(rules):
        level = level_at(rule, lasting_ns)
        if level != "cleared" and rule.takes(user, live.venue):
            seen = Observed(
                venue=live.venue,
                account=live.account,
                user=user,
                rule=rule.name,
                level=level,
                time=rfc3339(now_ns),
                told=0,
                seconds=seconds_of(lasting_ns),
            )
            yield alert_of(seen, rule, None)
