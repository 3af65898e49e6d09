"""Acts on a raw topic: made again, shortened, overtaken."""

from tests.operators.hands import PARTITIONS
from tests.operators.process import until
from tests.operators.scene import Scene

RAW = "raw.sfox.balances.v1"


def replaced_stopped(scene: Scene) -> None:
    """Raw deleted and made again while the worker is stopped; new frames at the old places."""
    scene.begin()
    scene.stop()
    _make_again(scene)
    scene.venue.tell(times=3)
    scene.sees("another topic|TopicReplaced")
    scene.resume("beginning")
    scene.ends_well()


def replaced_running(scene: Scene) -> None:
    """The same under a running worker."""
    scene.begin()
    _make_again(scene)
    scene.venue.tell(times=2)
    scene.hears("another topic|is gone|TopicReplaced|commit was lost|see `headroom resume`")
    scene.resume("beginning")
    scene.ends_well()


def replaced_twice(scene: Scene) -> None:
    """Made again twice: a third incarnation is not the second."""
    scene.begin()
    scene.stop()
    for _ in range(2):
        _make_again(scene)
        scene.venue.tell(times=2)
        scene.sees("another topic|TopicReplaced")
        scene.resume("beginning")
        assert scene.start(), scene.output
        scene.comes_right()
        scene.stop()
    scene.ends_well()


def shortened(scene: Scene) -> None:
    """An older copy of raw takes its place: it ends before the group's commit."""
    scene.begin()
    scene.stop()
    scene.broker.stop()
    kept = scene.broker.copy(RAW)
    port = int(scene.broker.address.rpartition(":")[2])
    scene.broker.start(port)
    assert scene.start(), scene.output
    scene.venue.tell(times=6)
    assert scene.comes_right()
    scene.memory.look()
    scene.stop()
    scene.broker.stop()
    scene.broker.restore(kept)
    scene.broker.start(port)
    assert sum(scene.hands.ends(RAW).values()) == 5 * 12, "the copy is not what it was"
    scene.venue.tell(times=2)
    scene.sees("ends at offset|LogShortened")
    scene.resume("told")
    scene.ends_well()


def overtaken_stopped(scene: Scene) -> None:
    """Retention overtakes a worker that is stopped: frames are gone before they were read."""
    scene.begin()
    scene.stop()
    for frame in scene.venue.tell(times=2):
        frame.gone = frame.topic == RAW
    scene.hands.delete_records(RAW)
    # Another account goes on behind what is gone.
    scene.venue.tell(["sfox:user-00"])
    scene.sees("begins at offset|RecordsGone")
    scene.resume("beginning")
    scene.ends_well()


def overtaken_running(scene: Scene) -> None:
    """The same while the worker is suspended for a moment."""
    scene.begin()
    scene.pause()
    for frame in scene.venue.tell(times=2):
        frame.gone = frame.topic == RAW
    ends = scene.hands.ends(RAW)
    scene.hands.delete_records(RAW)
    assert until(lambda: scene.hands.begins(RAW) == ends, 10)
    scene.pause(on=False)
    scene.venue.tell(["sfox:user-00"])
    scene.hears("begins at offset|RecordsGone|were deleted before")
    scene.resume("beginning")
    scene.ends_well()


def read_then_deleted(scene: Scene) -> None:
    """Retention takes what was read long ago: that is the ordinary course, and nothing is said."""
    scene.begin()
    scene.stop()
    scene.hands.delete_records(RAW)
    scene.row.said = "nothing, rightly"
    scene.ends_well()


def _make_again(scene: Scene) -> None:
    scene.hands.delete_topic(RAW)
    done = scene.command("topics", "apply")
    assert done.status == 0, done.output
    assert scene.hands.ends(RAW) == dict.fromkeys(range(PARTITIONS), 0)
    scene.venue.anew()


def replaced_at_its_place(scene: Scene) -> None:
    """Made again, and a user's first new frame lies at the very place of the stored snapshot."""
    scene.begin()
    scene.stop()
    newest = scene.venue.newest()
    user = max(newest, key=lambda one: newest[one].offset * (newest[one].topic == RAW))
    partition, place = newest[user].partition, newest[user].offset
    other = next(
        one
        for one, frame in newest.items()
        if one != user and (frame.topic, frame.partition) == (RAW, partition)
    )
    _make_again(scene)
    scene.venue.tell([other], times=place)
    [frame] = scene.venue.tell([user])
    assert (frame.partition, frame.offset) == (partition, place), frame
    scene.sees("another topic|TopicReplaced")
    scene.resume("beginning")
    scene.ends_well()


ACTS = {
    "raw-replaced-stopped": replaced_stopped,
    "raw-replaced-running": replaced_running,
    "raw-replaced-at-its-place": replaced_at_its_place,
    "raw-replaced-twice": replaced_twice,
    "raw-shortened": shortened,
    "raw-overtaken-stopped": overtaken_stopped,
    "raw-overtaken-running": overtaken_running,
    "raw-read-then-deleted": read_then_deleted,
}
