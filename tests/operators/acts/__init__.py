"""The acts, by name: each does something to a Kafka, and the way on has to leave all exact."""

import traceback
from collections.abc import Callable
from pathlib import Path

from tests.operators.acts import changelogs, cluster, groups, others, raw, strangers, ways
from tests.operators.scene import Row, Scene

Act = Callable[[Scene], None]

ACTS: dict[str, Act] = {
    name: act
    for room in (raw, changelogs, ways, groups, cluster, strangers, others)
    for name, act in room.ACTS.items()
}
FORWARDED = frozenset({"broker-elsewhere"})


def run(name: str, folder: Path) -> Row:
    """One act in a world of its own."""
    scene = Scene(name, folder, forwarded=name in FORWARDED)
    try:
        with scene:
            ACTS[name](scene)
    except Exception as error:  # noqa: BLE001 - an act that breaks is a row that is red
        last = traceback.extract_tb(error.__traceback__)[-1]
        scene.row.failed.append(
            f"{type(error).__name__}: {error} ({last.name}:{last.lineno})"[:600]
        )
    return scene.row
