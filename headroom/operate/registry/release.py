"""`headroom schemas register`: our schemas into a registry, and what it says of each."""

from collections.abc import Callable
from typing import Final

import click
import msgspec

from headroom.base.errors import OperatorError
from headroom.base.printable import printable
from headroom.base.settings import RegistrySettings
from headroom.operate.registry.client import Known, Missing, Refused, Registry, Verdict, reached
from headroom.operate.registry.subjects import subject_of, texts

ANSWER_SECONDS: Final = 30.0
_WORDS: Final = {
    "there": "is there",
    "registered": "registered",
    "new": "would be registered",
    "refused": "refused",
    "would_be_refused": "would be refused",
    "unknown": "the registry cannot say",
}
_WELL: Final = frozenset({"there", "registered", "new"})


class NoRegistry(OperatorError):
    """No registry is set."""

    def __init__(self) -> None:
        super().__init__(
            "no schema registry: HEADROOM_SCHEMA_REGISTRY_URL is not set, or "
            "HEADROOM_SCHEMA_REGISTRY_MODE is off"
        )


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a schema, or would: `state` is one of `there`, `registered`, `refused`.

    Of a dry run also `new` (it would be registered), `would_be_refused` and `unknown` (the registry
    does not say). `version` is None where the registry does not tell it; `why` are its own words.
    """

    subject: str
    state: str
    id: int | None = None
    guid: str | None = None
    version: int | None = None
    why: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether the registry has the schema, or would take it."""
        return self.state in _WELL


async def register_all(
    settings: RegistrySettings | None,
    *,
    dry_run: bool,
    as_json: bool,
    echo: Callable[[str], None] = click.echo,
) -> bool:
    """Register each schema and tell of it on a line; whether the registry has, or would take, all.

    With `dry_run` nothing is written. Raises `NoRegistry`, `RegistryAway`.
    """
    if settings is None:
        raise NoRegistry
    is_well = True
    async with reached(settings, seconds=ANSWER_SECONDS) as registry:
        for topic, text in texts().items():
            outcome = await (_would if dry_run else _register)(registry, subject_of(topic), text)
            echo(msgspec.json.encode(outcome).decode() if as_json else line_of(outcome))
            is_well = is_well and outcome.is_well
    return is_well


def line_of(outcome: Outcome) -> str:
    """An outcome for a person."""
    told = {"version": outcome.version, "id": outcome.id, "guid": outcome.guid}
    parts = [f"{name} {value}" for name, value in told.items() if value is not None]
    line = f"{outcome.subject}: {', '.join([_WORDS[outcome.state], *parts])}"
    return printable(": ".join([line, *outcome.why]))


async def _register(registry: Registry, subject: str, text: str) -> Outcome:
    found = await registry.look_up(subject, text)
    if isinstance(found, Known):
        return _known(subject, "there", found)
    done = await registry.register(subject, text)
    if isinstance(done, Refused):
        return Outcome(subject, "refused", why=(done.why,))
    # Its version is told by the look-up alone.
    again = await registry.look_up(subject, text)
    return _known(subject, "registered", again if isinstance(again, Known) else done)


async def _would(registry: Registry, subject: str, text: str) -> Outcome:
    found = await registry.look_up(subject, text)
    if isinstance(found, Known):
        return _known(subject, "there", found)
    match await registry.judge(subject, text):
        case Missing() | Verdict(is_compatible=True):
            return Outcome(subject, "new")
        case Verdict(why=why):
            return Outcome(subject, "would_be_refused", why=why)
        case Refused(why=why):
            return Outcome(subject, "unknown", why=(why,))


def _known(subject: str, state: str, found: Known) -> Outcome:
    return Outcome(subject, state, id=found.id, guid=found.guid, version=found.version)
