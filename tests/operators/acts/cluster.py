"""Acts on the cluster itself: partitions, compression, addresses, a broker that hangs, sizes."""

import re
import shutil
import socket
import time
from http import HTTPStatus

from headroom.local.sandbox import hercle_keys
from tests.operators.oracle import ask
from tests.operators.process import Process, until
from tests.operators.scene import Scene

_HANG_SECONDS = 60.0
_CODECS = ("zstd", "lz4", "snappy", "gzip")
_BACK_SECONDS = 90.0
_ENDED = re.compile("headroom: .*partitions is")


def partitions_added(scene: Scene) -> None:
    """Partitions added to one topic under two running workers: go on, or one clear line."""
    scene.begin()
    other = scene.place.start("work", "--port", "0")
    assert other.line(r"^ready (\S+)") is not None, other.output
    scene.hands.add_partitions("raw.hercle.balances.v1", 3)
    # Clients look for news of topics every few minutes; a member that comes sees it.
    other.stop()
    other = scene.place.start("work", "--port", "0")

    def told() -> bool:
        # The last line of all: the log has it first.
        return any(_ENDED.search(one.output) for one in (other, _worker(scene)))

    until(told, 45)
    worker = _worker(scene)
    scene.listen(_ENDED.pattern, other.output + worker.output)
    if not until(lambda: worker.status is not None or _serves(scene), 30):
        scene.row.failed.append(f"neither serves nor ends: {scene._probes()}")
    other.kill()
    scene.kill()
    # The way on: the topic as it was.
    scene.hands.delete_topic("raw.hercle.balances.v1")
    scene.command("topics", "apply")
    scene.venue.anew()
    scene.resume("beginning")
    scene.ends_well()


def compressed(scene: Scene) -> None:
    """compression.type of the cluster is zstd, lz4, snappy, gzip: every command works."""
    scene.begin()
    for codec in _CODECS:
        scene.hands.configure_cluster(compression_type=codec)
        time.sleep(1)  # what vouches for the connections writes twice a second
        scene.venue.tell()
        scene.command("topics", "check")
        user = f"of-{codec}"
        scene.command("accounts", "move", "sfox:user-02", user)
        scene.command("accounts", "move", "sfox:user-02", "sfox:user-02")
        scene.command("accounts", "list")
        scene.stop()
        if not scene.start():
            scene.row.failed.append(f"{codec}: the worker does not start: {scene._last_line()}")
            return
        scene.venue.tell()
        if not scene.comes_right():
            scene.row.wrong += [f"{codec}: {one}" for one in scene._look(all_live=True)]
        if not ask(scene.url, "/v1/feeds").body.get("feeds"):
            scene.row.failed.append(f"{codec}: /v1/feeds is empty")
    scene.row.said = "nothing, rightly"
    scene.ends_well()
    # Last: what the sandbox says is not what the oracle knows of.
    for codec in _CODECS:
        scene.hands.configure_cluster(compression_type=codec)
        _produces(scene, codec)


def _produces(scene: Scene, codec: str) -> None:
    """A producer starts, and starts again."""
    sandbox = scene.place.start("sandbox", "hercle", "--users", "1", "--port", "0")
    url = sandbox.line(r"^(http://\S+)$")
    [key] = hercle_keys("sandbox-hercle-key", 1)
    for _ in range(2):
        producer = scene.place.start(
            "produce", "hercle", HERCLE_URL=url, HERCLE_API_KEY=key, HERCLE_POLL_SECONDS="0.2"
        )
        producer.line("(connected|refuse)", 30)
        if producer.status is not None or "connected" not in producer.output:
            last = (producer.output.strip().splitlines() or [""])[-1]
            scene.row.failed.append(f"{codec}: the producer does not start: {last}")
        producer.kill()
    sandbox.kill()


def broker_elsewhere(scene: Scene) -> None:
    """The broker comes back at another address behind the same bootstrap."""
    scene.begin()
    before = scene.broker.address
    scene.broker.stop()
    address = scene.broker.start(_free_port(before))
    assert address != before
    assert scene.forwarder is not None
    scene.forwarder.target = address
    scene.venue.reach(scene.bootstrap)
    scene.venue.tell()
    worker = _worker(scene)
    back = until(lambda: worker.status is not None or not scene._look(all_live=True), _BACK_SECONDS)
    scene.row.said = "it goes on"
    if worker.status is not None:
        scene.listen("headroom:")
    elif not back:
        scene.row.said = "nothing"
        scene.row.failed.append(f"neither goes on nor ends: {scene._probes()}")
        scene.kill()
    scene.ends_well()


def broker_hangs(scene: Scene) -> None:
    """The broker hangs for a minute without closing a connection."""
    scene.begin()
    scene.broker.pause()
    time.sleep(_HANG_SECONDS)
    scene.broker.pause(on=False)
    scene.venue.tell()
    worker = _worker(scene)
    back = until(lambda: worker.status is not None or not scene._look(all_live=True), _BACK_SECONDS)
    scene.row.said = "it goes on"
    if worker.status is not None:
        scene.row.failed.append(f"the worker ended: {scene._last_line()}")
    elif not back:
        scene.row.said = "nothing"
        scene.row.failed.append(f"does not go on: {scene._probes()}")
        scene.kill()
    scene.ends_well()


def sizes_lowered(scene: Scene) -> None:
    """max.message.bytes of a topic is below its documents: a line, and mended by `topics apply`."""
    scene.begin()
    scene.hands.configure("balances.latest.v1", max_message_bytes="300")
    scene.venue.tell()
    scene.hears("balances.latest.v1|MSG_SIZE|too large")
    checked = scene.place.run("topics", "check")
    if "max.message.bytes" not in checked.output:
        scene.row.failed.append("`headroom topics check` does not name max.message.bytes")
    scene.command("topics", "apply")
    scene.ends_well()


def cloned_folder(scene: Scene) -> None:
    """A worker's folder is copied while it runs, and a second worker started on it."""
    scene.begin()
    data = scene.place.folder / "data"
    shutil.copytree(data, scene.place.folder / "clone", ignore=shutil.ignore_patterns("kafka"))
    other = scene.place.start("work", "--port", "0", DATA_DIR=scene.place.folder / "clone")
    ready = other.line(r"^ready (\S+)", 60)
    if ready is None:
        scene.row.failed.append(f"the second never serves: {other.output.strip()[-300:]}")
    scene.listen("copied|copy|another (host|machine|path)|new name", other.output)
    worker = _worker(scene)
    if worker.status is not None:
        scene.row.failed.append(f"the first ended with {worker.status}: {scene._last_line()}")
    scene.venue.tell()
    if worker.status is None and not scene.comes_right(40):
        scene.row.wrong += [f"with both: {one}" for one in scene._look(all_live=True)]
    other.stop()
    scene.ends_well()


def _serves(scene: Scene) -> bool:
    return ask(scene.url, "/readyz").status == HTTPStatus.OK


def _worker(scene: Scene) -> Process:
    assert scene.worker is not None
    return scene.worker


def _free_port(other: str) -> int:
    """Another port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    assert not other.endswith(f":{port}")
    return port


ACTS = {
    "partitions-added": partitions_added,
    "compression": compressed,
    "broker-elsewhere": broker_elsewhere,
    "broker-hangs": broker_hangs,
    "sizes-lowered": sizes_lowered,
    "folder-cloned": cloned_folder,
}
