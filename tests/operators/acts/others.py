"""Acts that a fresh reading of the code finds: the small topics, and one that only others read."""

from tests.operators.process import until
from tests.operators.scene import GROUP, Scene

_LATEST = "balances.latest.v1"
_OTHER_STATUSES = "headroom-feeds.v1 is (another topic|missing)"


def public_deleted(scene: Scene) -> None:
    """balances.latest.v1, which only others read, is deleted under a running worker."""
    scene.begin()
    scene.hands.delete_topic(_LATEST)
    # Of all others nothing comes that would be told anew.
    scene.venue.tell(["sfox:user-00"])
    # Kafka refuses the transaction first, and names no topic; the next start does.
    scene.hears(f"{_LATEST}|UNKNOWN_TOPIC")
    scene.sees(f"{_LATEST} is missing")
    scene.command("topics", "apply")
    if scene.place.run("topics", "check").status == 0:
        scene.row.failed.append("`headroom topics check` finds nothing")
    # Nobody reads it of us; but what it has to hold, of users who say nothing more, too.
    scene.resume("told")
    scene.ends_well(tell=False)


def book_emptied(scene: Scene) -> None:
    """The book of generations is emptied after a promotion: nobody takes the first one for live."""
    scene.begin()
    scene.replay()
    scene.venue.tell()
    until(lambda: scene.url and scene.comes_right(1), 40)
    scene.memory.look()
    scene.stop()
    scene.hands.delete_records("headroom-generations.v1")
    scene.lose_folder()
    scene.sees(r"headroom-generations.v1\[.\] begins at offset")
    checked = scene.place.run("topics", "check")
    if checked.status == 0 or "headroom-generations.v1" not in checked.output:
        scene.row.failed.append("`headroom topics check` finds nothing")
    refused = scene.place.run("resume", "--generation", "first")
    if refused.status == 0:
        scene.row.failed.append("`headroom resume` takes a generation that was not live")
    scene.hands.empty(f"{GROUP}-generation.anew")
    scene.command("resume", "--generation", "anew")
    scene.ends_well()


def bindings_emptied(scene: Scene) -> None:
    """The accounts' bindings are emptied: nobody takes a moved account for its own user."""
    scene.begin()
    scene.command("accounts", "move", "sfox:user-03", "ann")
    scene.venue.owners["sfox:user-03"] = "ann"
    scene.stop()
    scene.hands.delete_records("headroom-accounts.v1")
    scene.place.settings["ACCOUNTS_FILE"] = _file(scene)
    scene.sees(r"headroom-accounts.v1\[.\] begins at offset")
    scene.resume("told")
    listed = scene.command("accounts", "list")
    if listed.output.split() != ["sfox:user-03", "ann"]:
        scene.row.failed.append(f"the bindings are {listed.output!r}")
    assert scene.start(), scene.output
    scene.command("accounts", "move", "sfox:user-03", "sfox:user-03")
    scene.venue.owners.clear()
    del scene.place.settings["ACCOUNTS_FILE"]
    scene.ends_well()


def book_replaced(scene: Scene) -> None:
    """The book of generations is deleted and made again after a promotion."""
    scene.begin()
    scene.replay()
    scene.venue.tell()
    until(lambda: scene.url and scene.comes_right(1), 40)
    scene.memory.look()
    scene.hands.delete_topic("headroom-generations.v1")
    scene.hears("headroom-generations.v1")
    applied = scene.place.run("topics", "apply")
    if applied.status == 0 or "headroom-generations.v1" not in applied.output:
        scene.row.failed.append("`headroom topics apply` is content")
    scene.lose_folder()
    scene.sees("headroom-generations.v1 was deleted and made again")
    scene.hands.empty(f"{GROUP}-generation.anew")
    scene.command("resume", "--generation", "anew")
    scene.ends_well()


def bindings_replaced(scene: Scene) -> None:
    """The accounts' bindings are deleted and made again under a running worker."""
    scene.begin()
    scene.command("accounts", "move", "sfox:user-03", "ann")
    scene.venue.owners["sfox:user-03"] = "ann"
    scene.hands.delete_topic("headroom-accounts.v1")
    scene.command("topics", "apply")
    scene.hears("headroom-accounts.v1 (is another topic|is gone)|headroom-accounts.v1 is missing")
    checked = scene.place.run("topics", "check")
    if checked.status == 0 or "headroom-accounts.v1" not in checked.output:
        scene.row.failed.append("`headroom topics check` finds nothing")
    if scene.place.run("accounts", "move", "sfox:user-03", "bob").status == 0:
        scene.row.failed.append("`headroom accounts move` goes by bindings that were lost")
    scene.sees("headroom-accounts.v1 is another topic")
    scene.resume("told")
    scene.place.settings["ACCOUNTS_FILE"] = _file(scene)
    assert scene.start(), scene.output
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
    if not scene.comes_right(60):
        assert scene.worker is not None
        if scene.worker.status is None:
            scene.row.failed.append(f"stale: {scene._probes()}")
            scene.kill()
        else:
            # One that looked while the topic was away, and says so.
            scene.listen("headroom: .*headroom-feeds.v1")
    # A worker that was started since says it of itself; one that ran on when it looked.
    until(lambda: scene.listens(_OTHER_STATUSES), 15)
    scene.listen(_OTHER_STATUSES)
    scene.ends_well()
    scene.resume("told")
    done = scene.place.run("topics", "check")
    if done.status != 0:
        scene.row.failed.append(f"`headroom topics check`: {done.line}")


def _file(scene: Scene) -> object:
    path = scene.place.folder / "accounts.yaml"
    path.write_text("accounts:\n  - {venue: sfox, account: user-03, user: ann}\n")
    return path


ACTS = {
    "public-deleted": public_deleted,
    "book-emptied": book_emptied,
    "bindings-emptied": bindings_emptied,
    "book-replaced": book_replaced,
    "bindings-replaced": bindings_replaced,
    "statuses-replaced": statuses_replaced,
}
