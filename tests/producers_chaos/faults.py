"""What befalls a producer, drawn from a seed: one function a fault. Others add theirs here."""

import signal
import time
from collections.abc import Callable, Mapping
from typing import Final

from tests.operators.process import until
from tests.producers_chaos.brokers import Ends
from tests.producers_chaos.counting import Draw, Row
from tests.producers_chaos.lease import lease
from tests.producers_chaos.line import certificates, line_hercle, line_sfox
from tests.producers_chaos.scene import PARTITIONS, RAW, Scene

Fault = Callable[[Draw], list[Row]]
"""Has a fault befall a producer, or several, one after the other, in one world."""

_SPOOLED: Final = r"(Kafka takes no frames)"
_ELECTIONS = 3


def kafka_away(draw: Draw) -> list[Row]:
    """Kill -9 of the only broker, which comes back after a while."""
    with Scene(draw, rate=300) as scene:
        scene.produce()
        scene.pause(0.5, 2)
        since = time.monotonic()
        scene.brokers.kill()
        scene.wait_for_log(_SPOOLED, since, 15)
        scene.pause(5, 22)
        scene.brokers.restart()
        return [scene.count("kafka away", scene.recovered(time.monotonic()))]


def broker_suspended(draw: Draw) -> list[Row]:
    """SIGSTOP: requests are taken by the kernel, and nobody answers for longer than is waited."""
    with Scene(draw, rate=300) as scene:
        scene.produce()
        scene.pause(0.5, 2)
        since = time.monotonic()
        scene.brokers.suspend()
        scene.wait_for_log(_SPOOLED, since, 30)
        scene.pause(8, 30, since)
        scene.brokers.resume()
        return [scene.count("broker suspended", scene.recovered(time.monotonic()))]


def leader_hanging(draw: Draw) -> list[Row]:
    """One leader of three hangs: its partitions get nothing, and everybody is told."""
    with Scene(draw, rate=300, nodes=3) as scene:
        scene.produce()
        scene.pause(0.5, 2)
        since = time.monotonic()
        scene.brokers.suspend(3)
        scene.wait_for_log(_SPOOLED, since, 30)
        scene.pause(8, 25, since)
        scene.brokers.resume()
        return [scene.count("leader hanging", scene.recovered(time.monotonic()))]


def leader_silent(draw: Draw) -> list[Row]:
    """The way to one leader of three stands, and passes no byte; that leader itself is well."""
    return _silent(draw, "leader silent", [3])


def leaders_silent(draw: Draw) -> list[Row]:
    """The same with the way to all three."""
    return _silent(draw, "all leaders silent", [1, 2, 3])


def _silent(draw: Draw, name: str, numbers: list[int]) -> list[Row]:
    with Scene(draw, rate=300, nodes=3, gated=True) as scene:
        gates = scene.brokers.gates
        assert gates is not None
        scene.produce()
        scene.pause(0.5, 2)
        since = time.monotonic()
        gates.hold(numbers)
        scene.wait_for_log(_SPOOLED, since, 30)
        scene.pause(8, 40, since)
        gates.release()
        return [scene.count(name, scene.recovered(time.monotonic()))]


def unclean_election(draw: Draw) -> list[Row]:
    """The leader dies while it alone had the newest records, and one that lacks them follows it.

    What only the dead one had, Kafka had acknowledged: it is read before, and counts as forgotten.
    To the new leader the producer's numbers have a gap, which nothing but a new client mends.
    """
    for _ in range(_ELECTIONS):
        row = _elected(draw)
        # Where its answers had not come by then, the producer has sent again what nobody had.
        if row.forgotten and row.noticed_seconds is not None:
            return [row]
    row.wrong.append("the new leader lacked nothing, or nobody noticed")
    return [row]


def _elected(draw: Draw) -> Row:
    with Scene(draw, rate=300, nodes=3) as scene:
        scene.replicate_raw(3, 2)
        scene.produce()
        scene.pause(0.5, 2)
        scene.brokers.suspend(2)
        scene.wait_for_in_sync(3)
        alone = Ends(scene.brokers.nodes[2].bootstrap, RAW, PARTITIONS)
        before = alone.written()
        assert until(lambda: alone.written() > before + 300, 60)
        scene.pause(0, 5)
        scene.producer.signal(signal.SIGSTOP)
        known: list[int] = []

        def stands_still() -> bool:
            """What was on its way when the producer was stopped has come."""
            known.append(alone.written())
            return known[-3:] == known[-1:] * 3

        assert until(stands_still, 30, 0.5)
        scene.forgettable = scene.raw_of(3)
        assert len(scene.forgettable) > 300
        scene.brokers.kill(3)
        scene.brokers.resume(2)
        scene.wait_for_in_sync(2)
        since = time.monotonic()
        scene.producer.signal(signal.SIGCONT)
        scene.wait_for_log(r"(Kafka refuses frames)", since, 60)
        scene.pause(1, 5)
        scene.brokers.restart()
        return scene.count("unclean election", scene.recovered(time.monotonic()))


def producer_killed(draw: Draw) -> list[Row]:
    """Kill -9 of the producer under load, with Kafka there or away; what it kept is sent after."""
    with Scene(draw, rate=500) as scene:
        scene.produce()
        for _ in range(scene.random.randrange(1, 4)):
            away = scene.random.random() < 0.7
            if away:
                scene.brokers.suspend()
            scene.pause(0.2, 3)
            scene.kill()
            scene.brokers.resume()
            since = time.monotonic()
            scene.produce()
        return [scene.count("producer killed", scene.recovered(since))]


def spool_overflow(draw: Draw) -> list[Row]:
    """More comes than the spool may hold: of each account the oldest frames go, and are counted."""
    with Scene(draw, rate=600, users=scene_users(draw.seed)) as scene:
        scene.produce(SPOOL_BYTES_MAX=1024 * 1024)
        since = time.monotonic()
        scene.brokers.suspend()
        scene.wait_for_log(r"(the spool is full)", since, 60)
        scene.pause(1, 5)
        scene.brokers.resume()
        since = time.monotonic()
        before = scene.written()
        while scene.written() <= before and time.monotonic() - since < 60:
            time.sleep(0.05)
        return [scene.count("spool overflow", time.monotonic() - since)]


def scene_users(seed: int) -> int:
    """Few accounts, so that newer frames make most of them obsolete."""
    return 5 + seed % 20


def disk_full(draw: Draw) -> list[Row]:
    """The disk takes nothing for a while; then Kafka is away for a moment; then it does again."""
    with Scene(draw, rate=300) as scene:
        scene.produce()
        since = time.monotonic()
        scene.limit_file_bytes(32 * 1024)
        scene.wait_for_log(r"(cannot be written)", since, 30)
        scene.brokers.suspend()
        scene.pause(1, 8)
        scene.limit_file_bytes(2**40)
        since = time.monotonic()
        scene.wait_for_log(r"(is written again)", since, 30)
        scene.brokers.resume()
        return [scene.count("disk full", scene.recovered(since))]


def spool_unusable(draw: Draw) -> list[Row]:
    """From the start there is no folder that can be written; later there is one."""
    with Scene(draw, rate=300) as scene:
        scene.spool.write_text("no folder")
        since = time.monotonic()
        scene.produce()
        scene.wait_for_log(r"(cannot be written)", since, 5)
        scene.brokers.suspend()
        scene.pause(1, 4)
        scene.spool.unlink()
        since = time.monotonic()
        scene.wait_for_log(r"(is written again)", since, 30)
        scene.brokers.resume()
        return [scene.count("disk read-only", scene.recovered(since))]


ONE_BROKER: Final[Mapping[str, Fault]] = {
    "kafka-away": kafka_away,
    "broker-suspended": broker_suspended,
    "producer-killed": producer_killed,
    "spool-overflow": spool_overflow,
    "disk-full": disk_full,
    "disk-read-only": spool_unusable,
}
THREE_BROKERS: Final[Mapping[str, Fault]] = {
    "leader-hanging": leader_hanging,
    "leader-silent": leader_silent,
    "leaders-silent": leaders_silent,
    # It leaves raw with other settings.
    "unclean-election": unclean_election,
}
LINES: Final[Mapping[str, Fault]] = {
    "line-sfox": line_sfox,
    "line-hercle": line_hercle,
    "certificates": certificates,
}
LEASE: Final[Mapping[str, Fault]] = {"lease": lease}
FAULTS: Final[Mapping[str, Fault]] = {**ONE_BROKER, **THREE_BROKERS, **LINES, **LEASE}
