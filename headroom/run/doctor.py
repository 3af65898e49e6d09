"""`headroom doctor`: what each program would say of its settings, and the world that they name.

Nothing is written, no group is joined, and nothing but a connection is asked of a venue.
"""

import asyncio
import contextlib
import difflib
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Final, Generic, TypeVar

import msgspec

from headroom.base.environment import PREFIX, Environment
from headroom.base.errors import SettingsError
from headroom.base.mistakes import Mistakes, name_of
from headroom.base.settings import Settings, load, load_from
from headroom.operate.accounts.file import read_accounts
from headroom.operate.alerts.file import load_rules, read_file
from headroom.operate.doctor.brokers import Cluster, dialled
from headroom.operate.doctor.findings import Finding, Looked, fail, ok, warn
from headroom.operate.doctor.folders import look_at_folders
from headroom.operate.doctor.judging import Reading
from headroom.operate.doctor.kafka import (
    look_at_clocks,
    look_at_rights,
    look_at_topics,
    look_at_versions,
    look_for_brokers,
)
from headroom.operate.doctor.looking import Check, looked
from headroom.operate.doctor.venues import look_at_venue
from headroom.operate.doctor.web import Answered, ask_registry, look_at_issuer
from headroom.operate.needs import look_at
from headroom.operate.tokens import read as read_tokens
from headroom.run.venue import module_of
from headroom.run.webhooks.run import webhook_in
from schemas.venues import VENUES

T = TypeVar("T")
SECONDS: Final = 3.0
"""So long each check may take: a whole look is over in five seconds, whatever hangs."""
# Brokers are dialled twice, one after the other: first who was named, then whom they name.
_DIAL_PART: Final = 0.45
_ANSWER_PART: Final = 0.8
# Asked for by commands alone, or by what starts a Kafka on one machine.
_OTHERS: Final = frozenset({"API_TOKEN", "API_TOKEN_FILE", "CACHE_DIR"})
# What several parts read tells of none of them.
_SHARED: Final = frozenset({f"{PREFIX}CA_FILE"})
_WEBHOOK: Final = "webhook"
_WEBHOOKS: Final = f"{PREFIX}WEBHOOK_"
_FILES: Final = {
    "tokens": "HEADROOM_API_TOKENS_FILE",
    "accounts": "HEADROOM_ACCOUNTS_FILE",
    "alerts": "HEADROOM_ALERTS_FILE",
}
NAMES: Final = (
    *("settings", "kafka", "version", "topics", "rights", "clocks", "disk", "registry", "issuer"),
    *(*VENUES, *_FILES, _WEBHOOK),
)
"""The checks, in their order."""


class Read(msgspec.Struct, frozen=True):
    """What the programs read here.

    `mistakes` by their settings; `known` are all names that there are, `set_up` the venues, and
    `webhook`, of which something is set.
    """

    mistakes: Mapping[str, str]
    known: frozenset[str]
    set_up: frozenset[str]


def read_all(variables: Mapping[str, str]) -> Read:
    """Read what every program would; blocks for as long as a file's disk does."""
    mistakes = Mistakes()
    general = Environment(variables, mistakes)
    look_at(load_from(general), mistakes)
    known = general.asked | {PREFIX + name for name in _OTHERS}
    parts: dict[str, Callable[[Environment], object]] = {
        **{name: module_of(name).lines for name in VENUES},
        _WEBHOOK: webhook_in,
    }
    set_up = set()
    for name, read_part in parts.items():
        environment, own = Environment(variables), Mistakes()
        own.of(lambda read=read_part, given=environment: read(given))  # type: ignore[misc]
        known |= environment.asked
        if any(variables.get(one) for one in environment.asked - general.asked - _SHARED):
            set_up.add(name)
            for one in own.each:
                mistakes.note(one)
    told = {name_of(one): str(one) for one in mistakes.each}
    return Read(told, frozenset(known), frozenset(set_up))


def unknown(variables: Mapping[str, str], known: frozenset[str]) -> list[Finding]:
    """A line for each variable of ours that nobody reads, with the name that may be meant."""
    found = []
    for name in sorted(name for name in variables if name.startswith(PREFIX) and name not in known):
        nearest = difflib.get_close_matches(name, sorted(known), n=1)
        do = f"is {nearest[0]} meant?" if nearest else "take it away"
        found.append(warn(f"{name} is no setting", do))
    return found


async def examined(
    variables: Mapping[str, str], names: Collection[str], *, seconds: float = SECONDS
) -> list[Looked]:
    """What was found by the checks of these names, all made at once; raises nothing of theirs.

    None takes longer than `seconds`.
    """
    patient = _Patient(variables, seconds)
    try:
        return await looked([one for one in patient.checks() if one.name in names])
    finally:
        patient.leave()


def _imported(venue: str) -> object:
    """A venue's own package, read in with all that its producer needs."""
    module_of(venue)
    return import_module(f"producers.{venue}")


class _Once(Generic[T]):
    """Something that several checks need, asked for once, by the first of them."""

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._ask = ask
        self._asked: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """The answer; whoever is not told in time does not end it for the others."""
        if self._asked is None:
            self._asked = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asked)

    def leave(self) -> None:
        """End it."""
        if self._asked is not None:
            self._asked.cancel()


class _Patient:
    """A machine's settings, and what is found of them."""

    def __init__(self, variables: Mapping[str, str], seconds: float) -> None:
        self._variables = variables
        self._seconds, self._answer_seconds = seconds, seconds * _ANSWER_PART
        self._settings = load(variables, Mistakes())
        # Here, and not while a check's time runs: reading them in takes longer than any check.
        self._venues = {name: _imported(name) for name in VENUES}
        self._read = _Once(lambda: asyncio.to_thread(read_all, variables))
        self._cluster = _Once(self._dial)
        self._registry = _Once(self._ask_registry)

    def leave(self) -> None:
        """End what is still under way."""
        self._read.leave()
        self._cluster.leave()
        self._registry.leave()

    def checks(self) -> list[Check]:
        """All of them, in the order of `NAMES`."""
        settings, cluster = self._settings, self._cluster
        looks: dict[str, Callable[[], Awaitable[Sequence[Finding]]]] = {
            "kafka": lambda: look_for_brokers(cluster()),
            "version": lambda: look_at_versions(cluster()),
            "topics": lambda: look_at_topics(settings, cluster()),
            "rights": lambda: look_at_rights(settings, cluster()),
            "clocks": lambda: look_at_clocks(cluster(), self._registry_clock()),
            "registry": self._look_at_registry,
            "issuer": lambda: look_at_issuer(settings.jwt, seconds=self._answer_seconds),
            **{name: partial(self._look_at_venue, name) for name in VENUES},
            "settings": self._look_at_settings,
            "disk": lambda: asyncio.to_thread(look_at_folders, settings),
            **{name: partial(self._look_at_file, name) for name in _FILES},
            _WEBHOOK: self._look_at_webhook,
        }
        return [Check(name, self._seconds, looks[name]) for name in NAMES]

    async def _dial(self) -> Cluster:
        arguments = Mistakes().of(self._settings.kafka.arguments)
        if arguments is None:
            return Cluster(())
        return await dialled(arguments, dial_seconds=self._seconds * _DIAL_PART)

    async def _ask_registry(self) -> Answered:
        return await ask_registry(self._settings.registry, seconds=self._answer_seconds)

    async def _registry_clock(self) -> Reading | None:
        return (await self._registry()).clock

    async def _look_at_registry(self) -> Sequence[Finding]:
        return [(await self._registry()).finding]

    async def _look_at_settings(self) -> Sequence[Finding]:
        read = await self._read()
        of_others = {*_FILES.values()}
        found = [
            fail(text)
            for name, text in read.mistakes.items()
            if name not in of_others and not name.startswith(_WEBHOOKS)
        ]
        found += unknown(self._variables, read.known)
        count = sum(name in read.known for name in self._variables)
        return found or [ok(f"{count} are set")]

    async def _look_at_file(self, name: str) -> Sequence[Finding]:
        read = await self._read()
        if (problem := read.mistakes.get(_FILES[name])) is not None:
            found = await asyncio.to_thread(self._mistaken_rules) if name == "alerts" else []
            return [fail(line) for line in found] or [fail(problem)]
        return [ok(await asyncio.to_thread(holds, name, self._settings))]

    def _mistaken_rules(self) -> list[str]:
        """All that is wrong with the rules; nothing where the file cannot be read."""
        path = self._settings.alerts_file
        with contextlib.suppress(SettingsError):
            found = () if path is None else read_file(path)
            return found if isinstance(found, list) else []
        return []

    async def _look_at_webhook(self) -> Sequence[Finding]:
        read = await self._read()
        if _WEBHOOK not in read.set_up:
            return [ok("none is set")]
        mistakes = [text for name, text in read.mistakes.items() if name.startswith(_WEBHOOKS)]
        return [fail(text) for text in mistakes] or [ok("its address and its secret can be read")]

    async def _look_at_venue(self, name: str) -> Sequence[Finding]:
        if name not in (await self._read()).set_up:
            return [ok("no producer of it is set up here")]
        given = Environment(self._variables)
        # By its name, as all of a venue is found.
        usual = getattr(self._venues[name], f"{name.upper()}_URL", None)
        url = given.text(f"{name.upper()}_URL") or usual
        if url is None:
            return [warn("it is not known where it is", f"set HEADROOM_{name.upper()}_URL")]
        return await look_at_venue(
            url,
            f"HEADROOM_{name.upper()}_URL",
            given.text("CA_FILE"),
            seconds=self._answer_seconds,
        )


def holds(name: str, settings: Settings) -> str:
    """What a file of these settings holds, which is right; raises `SettingsError` else."""
    path = {
        "tokens": settings.api_tokens_file,
        "accounts": settings.accounts_file,
        "alerts": settings.alerts_file,
    }[name]
    if path is None:
        return "none is set"
    if name == "tokens":
        return f"{len(read_tokens(path))} tokens in {path}"
    if name == "accounts":
        return f"{len(read_accounts(path))} accounts in {path}"
    return f"{len(load_rules(path))} rules in {path}"
