"""What befalls the requests of workers on their way to the broker, in one seed of PART=network.

The workers are behind a proxy, the oracle is not. Every fault befalls requests of one kind, one
after the other, while records come in; kinds that are asked for at the start alone come with a
worker that is killed and started again.

A worker may end: a request to join that comes late takes its name from it. Nothing may be lost,
repeated or wrong after that either, as everywhere.
"""

import asyncio
import random
from typing import Final

from tests.engine.chaos.crew import Crew
from tests.engine.chaos.faults import RECORDS_AT_LAST, Fault, Plan
from tests.engine.chaos.oracle_process import OracleProcess
from tests.engine.chaos.seed import Result, Seed
from tests.engine.proxy import Act, Kind, Proxy

FAULTS_MIN, FAULTS_MAX = 4, 6
RECORDS: Final = 4_000
_TIMES_MAX: Final = 5
_DELAY_SECONDS_MAX: Final = 3.0
_LATE_SECONDS: Final = (0.0, 0.06)
_PASSED_SECONDS_MAX: Final = 6.0
_CHUNK_SECONDS: Final = 1.6
_FAULT_AFTER_SECONDS: Final = 0.2
_SERVING_SECONDS_MAX: Final = 90.0

_ALWAYS: Final = {
    Kind.END_TXN: 8,
    Kind.TXN_OFFSET_COMMIT: 3,
    Kind.ADD_PARTITIONS_TO_TXN: 3,
    Kind.ADD_OFFSETS_TO_TXN: 3,
    Kind.PRODUCE: 4,
    Kind.HEARTBEAT: 2,
    Kind.FETCH: 2,
}
_AT_THE_START: Final = {
    Kind.INIT_PRODUCER_ID: 2,
    Kind.JOIN_GROUP: 2,
    Kind.SYNC_GROUP: 1,
    Kind.OFFSET_FETCH: 1,
    Kind.FIND_COORDINATOR: 1,
}
_OF_TRANSACTIONS: Final = (
    Kind.END_TXN,
    Kind.TXN_OFFSET_COMMIT,
    Kind.ADD_PARTITIONS_TO_TXN,
    Kind.ADD_OFFSETS_TO_TXN,
)
_ACTS: Final = {Act.KEEP: 5, Act.REPEAT: 2, Act.LOSE: 2, Act.CUT: 1, Act.DELAY: 1}


def plan(seed: int) -> Plan:
    """The plan of a seed, with the stronger guarantee: only that promises anything here. Pure."""
    chance = random.Random(f"network {seed}")
    workers = ("a", "b") if chance.random() < 0.4 else ("a",)
    named, at_once = chance.random() < 0.8, chance.choice((5, 50, 2_000))
    faults = tuple(_fault(chance, workers) for _ in range(chance.randint(FAULTS_MIN, FAULTS_MAX)))
    return Plan(seed, "exactly_once", named, workers, at_once, faults, records=RECORDS)


def _fault(chance: random.Random, workers: tuple[str, ...]) -> Fault:
    kinds = _ALWAYS | _AT_THE_START
    kind = chance.choices(list(kinds), list(kinds.values()))[0]
    act = chance.choices(list(_ACTS), list(_ACTS.values()))[0]
    if act is Act.DELAY:
        return Fault(act, point=kind.name, hit=1, seconds=chance.uniform(0.05, _DELAY_SECONDS_MAX))
    hit = 1 if kind in _AT_THE_START else chance.randint(1, _TIMES_MAX)
    late = act in (Act.KEEP, Act.REPEAT)
    return Fault(
        act,
        point=kind.name,
        hit=hit,
        seconds=chance.uniform(*_LATE_SECONDS),
        hard=late and kind in _OF_TRANSACTIONS and chance.random() < 0.5,
    )


class NetworkSeed(Seed):
    """A seed whose workers reach Kafka by way of a proxy."""

    _proxy: Proxy

    async def run(self) -> Result:
        async with Proxy(self._bootstrap) as self._proxy:
            self._workers_bootstrap = self._proxy.bootstrap
            return await super().run()

    async def _befall(self, oracle: OracleProcess, crew: Crew) -> None:
        await self._start(crew)
        faults = self._plan.faults
        count = (self._plan.records - RECORDS_AT_LAST) // len(faults)
        for fault in faults:
            async with asyncio.TaskGroup() as both:
                both.create_task(oracle.ask("write", count=count, seconds=_CHUNK_SECONDS))
                both.create_task(self._hurt(fault, crew))
        rest = self._plan.records - count * len(faults)
        await oracle.ask("write", count=rest, seconds=_CHUNK_SECONDS)
        self._proxy.forgive()

    async def _hurt(self, fault: Fault, crew: Crew) -> None:
        kind = Kind[fault.point]
        await asyncio.sleep(_FAULT_AFTER_SECONDS)
        self._log(f"begins: {fault}")
        behind = (kind, Kind.END_TXN, Kind.PRODUCE) if fault.hard else ()
        if fault.hard and kind is Kind.END_TXN:
            behind = (kind, Kind.PRODUCE)
        passed = [
            self._proxy.befall(Act(fault.kind), kind, fault.seconds, behind)
            for _ in range(fault.hit)
        ]
        if kind in _AT_THE_START:
            worker = crew.workers[self._plan.workers[0]]
            with worker.in_hand():
                worker.kill()
                worker.start()
            await worker.serving(_SERVING_SECONDS_MAX)
        reached = 0
        try:
            async with asyncio.timeout(_PASSED_SECONDS_MAX):
                for each in passed:
                    await each.wait()
                    reached += 1
        except TimeoutError:
            self._proxy.forgive()
        self._faults.append(str(fault) if reached == fault.hit else f"{fault} ({reached} reached)")
        self._log(self._faults[-1])
