"""What an audit says: counts, and a bounded list of what is wrong."""

from typing import Final

import msgspec

FINDINGS_MAX: Final = 200
FINDINGS_PER_INVARIANT_MAX: Final = 50
TEXT_MAX: Final = 400


class Finding(msgspec.Struct, frozen=True):
    """One thing that is not as it must be: which invariant, where, and what."""

    invariant: str
    where: str
    problem: str


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """The accounting of one world.

    `frames` were sent by the venues (as far as journals were given), `raw` records lie in the raw
    topics, `normalised` and `dead_lettered` count distinct raw records by their outcome (one of
    several accounts of which any could not be read is dead-lettered),
    `repeated` the outcomes that lie there again. `users` are alive, `assets` have an exposure.
    `lost` counts frames that are not in raw, raw records without an outcome, and users, assets
    and base currencies whose last state is not what the frames say. `findings` is bounded,
    `findings_total` is not.
    """

    frames: int
    raw: int
    normalised: int
    dead_lettered: int
    repeated: int
    users: int
    assets: int
    lost: int
    findings_total: int
    findings: list[Finding]

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return self.findings_total == 0 and self.lost == 0


class Findings:
    """Collects findings, keeps the first ones of each invariant and counts all."""

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.total = 0
        self._by_invariant: dict[str, int] = {}

    def add(self, invariant: str, where: str, problem: str) -> None:
        """Count a finding and, while there is room, keep it with its texts shortened."""
        self.total += 1
        count = self._by_invariant.get(invariant, 0)
        self._by_invariant[invariant] = count + 1
        if count < FINDINGS_PER_INVARIANT_MAX and len(self.kept) < FINDINGS_MAX:
            self.kept.append(Finding(invariant, _short(where), _short(problem)))


def _short(text: str) -> str:
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"
