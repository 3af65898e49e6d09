"""Acts that a fresh reading of the code finds: the small topics, and one that only others read."""

from tests.operators.process import until
from tests.operators.scene import Scene

_LATEST = "balances.latest.v1"


def public_deleted(scene: Scene) -> None:
    """balances.latest.v1, which only others read, is deleted under a running worker."""
    scene.begin()
    scene.hands.delete_topic(_LATEST)
    scene.venue.tell()
    # Kafka refuses the transaction first, and names no topic; the next start does.
    scene.hears(f"{_LATEST}|UNKNOWN_TOPIC")
    scene.sees(f"{_LATEST} is missing")
    scene.command("topics", "apply")
    # Nobody reads it of us; but what it has to hold, of users who say nothing more, too.
    scene.replay()
    scene.ends_well(tell=False)


def book_emptied(scene: Scene) -> None:
    """The book of generations is emptied after a promotion: the first one is live again?"""
    scene.begin()
    scene.replay()
    scene.venue.tell()
    until(lambda: scene.url and scene.comes_right(1), 40)
    scene.memory.look()
    scene.stop()
    scene.hands.delete_records("headroom-generations.v1")
    scene.lose_folder()
    scene.sees("headroom-generations.v1|generation")
    scene.command("replay", "--generation", "again")
    scene.command("replay", "promote", "again")
    scene.ends_well()


def bindings_emptied(scene: Scene) -> None:
    """The accounts' bindings are emptied: a moved account is its own user again?"""
    scene.begin()
    scene.command("accounts", "move", "sfox:user-03", "ann")
    scene.venue.owners["sfox:user-03"] = "ann"
    scene.stop()
    scene.hands.delete_records("headroom-accounts.v1")
    scene.place.settings["ACCOUNTS_FILE"] = _file(scene)
    scene.sees("headroom-accounts.v1|accounts")
    scene.command("accounts", "move", "sfox:user-03", "sfox:user-03")
    scene.venue.owners.clear()
    del scene.place.settings["ACCOUNTS_FILE"]
    scene.ends_well()


def statuses_replaced(scene: Scene) -> None:
    """The statuses' topic is deleted and made again under a running worker: it reads on."""
    scene.begin()
    scene.hands.delete_topic("headroom-feeds.v1")
    scene.command("topics", "apply")
    scene.venue.reach(scene.bootstrap)
    scene.venue.anew()
    scene.venue.tell()
    scene.row.said = "it goes on"
    if not scene.comes_right(60):
        scene.row.said = "nothing"
        assert scene.worker is not None
        if scene.worker.status is None:
            scene.row.failed.append(f"stale: {scene._probes()}")
            scene.kill()
        else:
            # One that looked while the topic was away, and says so.
            scene.listen("headroom: .*headroom-feeds.v1")
    scene.ends_well()


def _file(scene: Scene) -> object:
    path = scene.place.folder / "accounts.yaml"
    path.write_text("accounts:\n  - {venue: sfox, account: user-03, user: ann}\n")
    return path


ACTS = {
    "public-deleted": public_deleted,
    "book-emptied": book_emptied,
    "bindings-emptied": bindings_emptied,
    "statuses-replaced": statuses_replaced,
}
