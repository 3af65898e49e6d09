"""Acts on the group's commits: deleted, reset."""

from tests.operators.acts.raw import RAW
from tests.operators.scene import Scene

_READ = (
    RAW,
    "balances.v1",
    "headroom-moves.v1",
    "headroom-adoptions.v1",
    "headroom-contributions.v1",
)
_MISSING = "CommitsMissing|no commit"


def all_deleted(scene: Scene) -> None:
    """The group with all its commits is deleted, as if it had expired."""
    scene.begin()
    scene.stop()
    scene.hands.delete_group()
    scene.venue.tell()
    scene.sees(_MISSING)
    scene.resume("told")
    scene.ends_well()


def all_deleted_folder_lost(scene: Scene) -> None:
    """The same on another machine."""
    scene.begin()
    scene.stop()
    scene.hands.delete_group()
    scene.lose_folder()
    scene.sees(_MISSING)
    scene.resume("told")
    scene.ends_well()


def all_deleted_after_a_move(scene: Scene) -> None:
    """The same once an account has moved: read again, its frames would name another user."""
    scene.begin()
    scene.command("accounts", "move", "sfox:user-03", "ann")
    scene.command("accounts", "move", "sfox:user-03", "sfox:user-03")
    scene.venue.tell()
    assert scene.comes_right()
    scene.stop()
    scene.hands.delete_group()
    scene.sees(_MISSING)
    scene.resume("told")
    scene.ends_well()


def raw_deleted(scene: Scene) -> None:
    """The commits of one topic are deleted."""
    scene.begin()
    scene.stop()
    scene.hands.delete_offsets(RAW)
    scene.venue.tell()
    scene.sees(_MISSING)
    scene.resume("told")
    scene.ends_well()


def contributions_deleted(scene: Scene) -> None:
    """The commits of the way to the sums are deleted."""
    scene.begin()
    scene.stop()
    scene.hands.delete_offsets("headroom-contributions.v1")
    scene.sees(_MISSING)
    scene.resume("told")
    scene.ends_well()


def reset_back(scene: Scene) -> None:
    """Somebody resets the group to the beginning of raw."""
    scene.begin()
    scene.stop()
    scene.hands.reset_offsets(RAW, scene.hands.begins(RAW))
    scene.sees("its offsets were reset")
    scene.resume("told")
    scene.ends_well()


def reset_forward(scene: Scene) -> None:
    """Somebody resets the group to the end of raw, over frames that nobody has read."""
    scene.begin()
    scene.stop()
    scene.venue.tell(times=2)
    scene.hands.reset_offsets(RAW, scene.hands.ends(RAW))
    scene.sees("its offsets were reset")
    scene.resume("told")
    scene.ends_well()


def reset_all(scene: Scene) -> None:
    """Somebody resets the group to the beginning of all that it reads."""
    scene.begin()
    scene.command("accounts", "move", "sfox:user-03", "ann")
    scene.command("accounts", "move", "sfox:user-03", "sfox:user-03")
    scene.venue.tell()
    assert scene.comes_right()
    scene.stop()
    for topic in _READ:
        scene.hands.reset_offsets(topic, scene.hands.begins(topic))
    scene.sees("its offsets were reset")
    scene.resume("told")
    scene.ends_well()


ACTS = {
    "group-deleted": all_deleted,
    "group-deleted-folder-lost": all_deleted_folder_lost,
    "group-deleted-after-a-move": all_deleted_after_a_move,
    "commits-of-raw-deleted": raw_deleted,
    "commits-of-shares-deleted": contributions_deleted,
    "group-reset-back": reset_back,
    "group-reset-forward": reset_forward,
    "group-reset-all": reset_all,
}
