"""The terms of a generation: the version and the settings that all who make it must have alike.

They decide what comes of a frame, or how it is written; where Kafka and the folders are does not.
"""

from collections.abc import Mapping
from hashlib import blake2b
from importlib import metadata
from typing import Final

import msgspec

from headroom.base.settings import Settings
from headroom.operate.alerts.file import load_rules
from processors.alerts.rules import Rule

VERSION: Final = "version"
_RULES: Final = "HEADROOM_ALERTS_FILE"
_NO_RULES: Final = "none"
_DIGEST_BYTES: Final = 8


def terms_of(settings: Settings) -> dict[str, str]:
    """The present ones; raises `SettingsError` for a rules file that is not wholly right."""
    return {
        VERSION: metadata.version("headroom"),
        "HEADROOM_GUARANTEE": settings.guarantee,
        "HEADROOM_HERCLE_ASSET_LIMITS": settings.hercle_asset_limits,
        _RULES: _digest(load_rules(settings.alerts_file)),
    }


def _digest(rules: tuple[Rule, ...]) -> str:
    """What tells rules apart; how the file is written does not matter."""
    if not rules:
        return _NO_RULES
    text = msgspec.json.encode(rules, order="sorted")
    return blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()


def otherwise(terms: Mapping[str, str], mine: Mapping[str, str]) -> str | None:
    """What is otherwise where a generation of these terms is made than here; None: nothing."""
    if not terms:
        return "it does not say of which version and settings it is, as an earlier version made it"
    here, there = mine[VERSION], terms.get(VERSION)
    if there != here:
        return f"it is made by version {there}, and this is {here}"
    unlike = [name for name in sorted(terms.keys() | mine) if terms.get(name) != mine.get(name)]
    told = (f"{name} is {terms.get(name)} there, {mine.get(name)} here" for name in unlike)
    return ", ".join(told) or None
