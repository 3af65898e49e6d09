"""Acts of strangers: records in our topics that nobody of us wrote."""

import json
import re

from tests.operators import wire
from tests.operators.scene import USERS_CHANGELOG, Scene
from tests.operators.wire import Stranger

_OTHER_JSON = json.dumps({"user": 1, "venue": ["sfox"], "accounts": None}).encode()
_NANOSECONDS = 1_700_000_000_000_000_000
KINDS = (
    Stranger(None),
    Stranger(b"hello"),
    Stranger(b"\xff\xfe\x00"),
    Stranger(_OTHER_JSON),
    Stranger(b"[]"),
    Stranger(b"hello", key=None),
    Stranger(None, key=None),
    Stranger(b"\xff", key=b"\xff\xfe"),
    Stranger(b"hello", headers=((b"\xff\xfe", b"x"), (b"epoch", b"\xff"), (b"receipt", None))),
)
_TIMES = (
    Stranger(b"hello", timestamp=_NANOSECONDS),
    Stranger(b"hello", timestamp=-1),
    Stranger(b"hello", timestamp=0),
    Stranger(b"hello", timestamp=2**62),
)
FOREIGN = "headroom_foreign_records_total"


def in_raw(scene: Scene) -> None:
    """Null, text, header names that are not UTF-8, times in nanoseconds, in raw: dead letters."""
    _write(scene, ("raw.sfox.balances.v1", "raw.hercle.balances.v1"))
    scene.counts("headroom_dead_letters_total", 2 * len(KINDS + _TIMES))
    _buried(scene, 2 * 2 * len(KINDS + _TIMES))
    scene.ends_well()


def in_balances(scene: Scene) -> None:
    """The same in balances.v1."""
    _passed_by(scene, ("balances.v1",))


def in_contributions(scene: Scene) -> None:
    """The same on the way to the sums."""
    _passed_by(scene, ("headroom-contributions.v1",))


def in_orders(scene: Scene) -> None:
    """The same in moves and adoptions."""
    _passed_by(scene, ("headroom-moves.v1", "headroom-adoptions.v1"))


def in_accounts(scene: Scene) -> None:
    """The same among the accounts' bindings."""
    _passed_by(scene, ("headroom-accounts.v1",))


def in_generations(scene: Scene) -> None:
    """The same in the book of generations."""
    _passed_by(scene, ("headroom-generations.v1",))


def in_feeds(scene: Scene) -> None:
    """The same among the connections' statuses."""
    _passed_by(scene, ("headroom-feeds.v1",))


def in_public(scene: Scene) -> None:
    """The same in topics that we only write: nobody of us reads them."""
    _write(scene, ("exposure.asset.v1", "deadletters.v1", "feeds.v1", "headroom-retries.v1"))
    scene.row.said = "nothing, rightly"
    scene.command("deadletters", "list")
    scene.ends_well()


def in_changelog(scene: Scene) -> None:
    """Text in the users' changelog, and another machine: a stop, since a row may be lost."""
    scene.begin()
    scene.stop()
    key = b"sfox:user-00"
    for partition in (0, 1):
        wire.write(scene.bootstrap, USERS_CHANGELOG, partition, [Stranger(b"hello", key=key)])
    scene.lose_folder()
    scene.sees(f"{USERS_CHANGELOG}|ForeignRow|stranger|cannot be read")
    scene.replay()
    scene.ends_well(tell=False)


def _passed_by(scene: Scene, topics: tuple[str, ...]) -> None:
    """They are counted and told of; the frames around them come through; so after a restart."""
    _write(scene, topics)
    for topic in topics:
        scene.counts(f'{FOREIGN}{{topic="{topic}"}}')
        if not re.search(f"{re.escape(topic)}.*(partition [0-9]+, offset [0-9]+)", scene.output):
            scene.row.failed.append(f"no line names {topic} and a place")
    scene.command("accounts", "list")
    scene.command("topics", "check")
    scene.ends_well()


def _write(scene: Scene, topics: tuple[str, ...]) -> None:
    """Strangers under a running worker, then before it starts; what is shown stays right."""
    scene.begin()
    for topic in topics:
        # What Kafka takes by itself is not what all clusters take.
        scene.hands.configure(topic, message_timestamp_after_max_ms=str(2**63 - 1))
    for again in (False, True):
        if again:
            scene.stop()
        for topic in topics:
            compacted = topic in {
                "headroom-accounts.v1",
                "headroom-generations.v1",
                "headroom-feeds.v1",
                "exposure.asset.v1",
                "feeds.v1",
                "headroom-retries.v1",
            }
            kinds = [one for one in KINDS + _TIMES if one.key is not None or not compacted]
            for partition in (0, 1):
                for one in kinds:
                    wire.write(scene.bootstrap, topic, partition, [one])
        scene.venue.tell()
        if again and not scene.start():
            scene.row.failed.append(f"does not start: {scene._last_line()}")
            return
        if not scene.comes_right():
            wrong = scene._look(all_live=True)
            ended = scene.worker is not None and scene.worker.status is not None
            scene.row.failed.append(
                f"{'at the start' if again else 'while running'}: "
                f"{scene._last_line() if ended else wrong[:2]}"
            )
            if ended and not scene.start():
                scene.row.failed.append(f"does not start again: {scene._last_line()}")


def _buried(scene: Scene, count: int) -> None:
    """So many dead letters there are."""
    scene.memory.look()
    found = len(scene.memory.of("deadletters.v1"))
    if found != 2 * count:
        scene.row.failed.append(f"{found} dead letters, not {2 * count}")


ACTS = {
    "strangers-raw": in_raw,
    "strangers-balances": in_balances,
    "strangers-contributions": in_contributions,
    "strangers-orders": in_orders,
    "strangers-accounts": in_accounts,
    "strangers-generations": in_generations,
    "strangers-feeds": in_feeds,
    "strangers-public": in_public,
    "strangers-changelog": in_changelog,
}
