"""Acts on the ways between agents: what was told there is gone before it was read."""

from tests.operators.oracle import records
from tests.operators.process import until
from tests.operators.scene import Scene

CONTRIBUTIONS = "headroom-contributions.v1"
BALANCES = "balances.v1"
MOVES = "headroom-moves.v1"
_GONE = "begins at offset|RecordsGone|were deleted before"
_TRIES = 20
_MANY = 200


def contributions_overtaken(scene: Scene) -> None:
    """Shares are gone before the sums' agent read them: the worker was killed in between."""
    scene.begin()
    _kill_between(scene, CONTRIBUTIONS)
    scene.hands.delete_records(CONTRIBUTIONS)
    scene.sees(_GONE)
    scene.resume("beginning")
    scene.ends_well(tell=False)


def balances_overtaken(scene: Scene) -> None:
    """Snapshots are gone before the users' agent read them."""
    scene.begin()
    _kill_between(scene, BALANCES)
    scene.memory.look()
    scene.hands.delete_records(BALANCES)
    scene.sees(_GONE)
    scene.resume("beginning")
    scene.ends_well()


def moves_lost(scene: Scene) -> None:
    """The order that moves an account is gone before a worker read it."""
    scene.begin()
    scene.stop()
    scene.hands.empty()
    scene.command("accounts", "move", "sfox:user-03", "ann")
    scene.hands.delete_records(MOVES)
    (scene.place.folder / "accounts.yaml").write_text(
        "accounts:\n  - {venue: sfox, account: user-03, user: ann}\n"
    )
    scene.place.settings["ACCOUNTS_FILE"] = scene.place.folder / "accounts.yaml"
    scene.venue.owners["sfox:user-03"] = "ann"
    scene.sees(_GONE)
    scene.command("accounts", "list")
    # The account's own user is none any more: that is what was ordered.
    scene.command("replay", "--generation", "anew")
    scene.command("replay", "promote", "anew", "--allow-missing")
    _give_back(scene)
    scene.ends_well()


def _give_back(scene: Scene) -> None:
    """The account is its own user's again, so that all names are the venues'."""
    assert scene.start(), scene.output
    scene.command("accounts", "move", "sfox:user-03", "sfox:user-03")
    scene.venue.owners.clear()
    scene.stop()
    del scene.place.settings["ACCOUNTS_FILE"]


def _kill_between(scene: Scene, topic: str) -> None:
    """Have many known accounts speak at once, and kill the worker when it is behind in this topic.

    Each speaks once in a run: nothing that comes later mends what is lost of it.
    """
    many = [f"sfox:one-of-many-{number}" for number in range(_MANY)]
    scene.venue.tell(many)
    assert scene.comes_right(), scene.output
    for number in range(_TRIES):
        before = scene.hands.ends(topic)
        scene.venue.tell(many)
        if number % 2:
            # A machine with much to do has not come so far yet.
            until(lambda ends=before: scene.hands.ends(topic) != ends, 10, 0.01)
        scene.kill()
        if _unread(scene, topic):
            return
        assert scene.start(), scene.output
    raise AssertionError(f"the worker never lagged in {topic}")


def _unread(scene: Scene, topic: str) -> bool:
    """Whether something that was committed there lies behind the group's place."""
    scene.hands.empty()
    behind = scene.hands.committed(topic)
    there = records(scene.bootstrap, topic)
    return any(one.offset >= behind[one.partition] for one in there)


ACTS = {
    "contributions-overtaken": contributions_overtaken,
    "balances-overtaken": balances_overtaken,
    "moves-lost": moves_lost,
}
