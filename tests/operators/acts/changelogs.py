"""Acts on the tables' changelogs: emptied, cut, set to something else."""

from tests.operators.scene import ASSETS_CHANGELOG, USERS_CHANGELOG, Scene

_CUT = "ChangelogCut|deleted or cut|begins at offset|headroom replay"


def emptied_folder_lost(scene: Scene) -> None:
    """DeleteRecords on the users' changelog, and another machine."""
    _emptied(scene, USERS_CHANGELOG, lost=True)


def emptied_folder_kept(scene: Scene) -> None:
    """The same in the same folder: refused, or all right."""
    _emptied(scene, USERS_CHANGELOG, lost=False)


def assets_emptied(scene: Scene) -> None:
    """DeleteRecords on the assets' changelog, and another machine."""
    _emptied(scene, ASSETS_CHANGELOG, lost=True)


def first_part_cut(scene: Scene) -> None:
    """The first part of the users' changelog is gone, and the folder."""
    scene.begin()
    scene.stop()
    ends, begins = scene.hands.ends(USERS_CHANGELOG), scene.hands.begins(USERS_CHANGELOG)
    cut = {one: begins[one] + (end - begins[one]) * 3 // 4 for one, end in ends.items()}
    scene.hands.delete_records(USERS_CHANGELOG, cut)
    scene.lose_folder()
    scene.sees(_CUT)
    scene.replay()
    scene.ends_well(tell=False)


def deleted_with_topic(scene: Scene) -> None:
    """The users' changelog deleted as a topic, and the folder."""
    scene.begin()
    scene.stop()
    scene.hands.delete_topic(USERS_CHANGELOG)
    scene.lose_folder()
    scene.sees(_CUT + "|another topic|is gone|missing")
    scene.replay()
    scene.ends_well(tell=False)


def set_to_both(scene: Scene) -> None:
    """cleanup.policy of a changelog is compact,delete."""
    _set_to(scene, "compact,delete")


def set_to_delete(scene: Scene) -> None:
    """cleanup.policy of a changelog is delete."""
    _set_to(scene, "delete")


def _emptied(scene: Scene, topic: str, *, lost: bool) -> None:
    scene.begin()
    scene.stop()
    scene.hands.delete_records(topic)
    if lost:
        scene.lose_folder()
    scene.sees(_CUT)
    scene.replay()
    scene.ends_well(tell=False)


def _set_to(scene: Scene, policy: str) -> None:
    scene.begin()
    scene.stop()
    scene.hands.configure(USERS_CHANGELOG, cleanup_policy=policy)
    checked = scene.place.run("topics", "check")
    if checked.status == 0:
        scene.row.failed.append("`headroom topics check` finds nothing")
    scene.listen(rf"{USERS_CHANGELOG}.*cleanup\.policy", checked.output)
    scene.sees("cleanup.policy|ChangelogCut|not only compacted")
    scene.command("topics", "apply")
    scene.ends_well()


ACTS = {
    "changelog-emptied-lost": emptied_folder_lost,
    "changelog-emptied-kept": emptied_folder_kept,
    "changelog-assets-emptied": assets_emptied,
    "changelog-first-part-cut": first_part_cut,
    "changelog-topic-deleted": deleted_with_topic,
    "changelog-compact-delete": set_to_both,
    "changelog-delete": set_to_delete,
}
