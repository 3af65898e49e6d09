"""One seed from its beginning to its verdict: the oracle writes, faults befall the workers."""

import asyncio
import signal
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.engine.chaos.broker import Broker
from tests.engine.chaos.crew import PARTITIONS, Crew, Worker
from tests.engine.chaos.faults import RECORDS_AT_LAST, Fault, Plan
from tests.engine.chaos.oracle_process import OracleProcess
from tests.engine.chaos.points import POINTS_OF_REBALANCE

SEED_SECONDS_MAX = 240.0
# A broker that was stopped may lose a member's JoinGroup: aiokafka waits 40 s for the answer.
QUIET_SECONDS_MAX = 90.0
_SERVING_SECONDS_MAX = 90.0
_CHUNK_SECONDS = 1.2
_LAST_SECONDS = 0.3
_FAULT_AFTER_SECONDS = 0.4
_REACHED_SECONDS_MAX = 5.0
_READY_SECONDS_MAX = 15.0
_LEAVE_SECONDS_MAX = 30.0
# A request to join that comes late has taken a worker's name from it; so it ends, as it should.
_NAME_TAKEN = "FENCED_INSTANCE_ID"
_AWAY = "cannot start: KafkaConnectionError"


class Result(NamedTuple):
    """What became of a seed; `told` are sentences about what is not right.

    `notes` say which workers ended unasked. With transactions there is no need to, as what fails is
    done again; only who is started while Kafka is away ends at once.
    """

    plan: Plan
    faults: list[str]
    verdict: dict[str, Any]
    told: list[str]
    notes: list[str]
    seconds: float

    @property
    def sound(self) -> bool:
        once = self.plan.guarantee == "exactly_once"
        expected = [_AWAY]
        if any(fault.point == "JOIN_GROUP" for fault in self.plan.faults):
            expected.append(_NAME_TAKEN)
        ended = once and any(not any(word in note for word in expected) for note in self.notes)
        return not self.told and not ended and bool(self.verdict.get("sound"))

    def __str__(self) -> str:
        counts = " ".join(
            f"{name} {self.verdict.get(name, '?')}"
            for name in ("records", "repeated", "lost", "wrong")
        )
        name = f"seed {self.plan.seed} {self.plan.guarantee}"
        line = f"{name}  {counts}  faults: {', '.join(self.faults)}  {self.seconds:.1f} s"
        return "\n".join(
            [
                line,
                *(f"    ended unasked: {note}" for note in self.notes),
                *(f"    WRONG {sentence}" for sentence in self.told),
            ]
        )


class Seed:
    """A run of a plan against a Kafka; `broker` may be hurt, where there is one."""

    def __init__(self, plan: Plan, bootstrap: str, folder: Path, broker: Broker | None) -> None:
        self._plan = plan
        self._bootstrap = bootstrap
        self._workers_bootstrap = bootstrap
        self._folder = folder
        self._broker = broker
        self._faults: list[str] = []
        self._told: list[str] = []

    async def run(self) -> Result:
        """The whole of it; what goes wrong is told in the result."""
        begun = time.monotonic()
        self._folder.mkdir(parents=True)
        plan, name = self._plan, f"chaos-{self._folder.name}"
        options = {
            "bootstrap": self._workers_bootstrap,
            "name": name,
            "guarantee": plan.guarantee,
            "records_at_once": plan.records_at_once,
        }
        oracle = await OracleProcess.start(
            self._folder / "oracle.log",
            bootstrap=self._bootstrap,
            name=name,
            partitions=PARTITIONS,
            seed=plan.seed,
            guarantee=plan.guarantee,
        )
        verdict: dict[str, Any] = {}
        crew = Crew(self._folder, options, named=plan.named)
        try:
            async with asyncio.timeout(SEED_SECONDS_MAX), crew:
                await oracle.ask("create")
                await self._befall(oracle, crew)
                verdict = await self._judged(oracle, crew)
                self._log("judged")
                self._told += await crew.stop()
                await oracle.ask("forget")
        except Exception as error:  # noqa: BLE001 - a seed that breaks is a finding like others
            self._told.append(f"the seed broke: {error!r}")
        finally:
            self._log("over")
            await oracle.end()
        notes = [f"{w.name} {end}" for w in crew.workers.values() for end in w.ends]
        told = [*verdict.get("told", []), *self._told]
        return Result(plan, self._faults, verdict, told, notes, time.monotonic() - begun)

    def _log(self, event: str) -> None:
        with (self._folder / "seed.log").open("a") as log:
            log.write(f"{time.strftime('%H:%M:%S')} {event}\n")

    async def _judged(self, oracle: OracleProcess, crew: Crew) -> dict[str, Any]:
        self._log("all befell")
        quiet = await oracle.ask("quiet", seconds=QUIET_SECONDS_MAX)
        crew.check()
        if quiet["left"]:
            self._told.append(f"stuck: not done after {QUIET_SECONDS_MAX:g} s: {quiet['left']}")
        self._log("quiet")
        answers = await crew.answers()
        self._log("answered")
        return await oracle.ask("judge", answers=answers)

    async def _befall(self, oracle: OracleProcess, crew: Crew) -> None:
        plan = self._plan
        await self._start(crew)
        count = (plan.records - RECORDS_AT_LAST) // len(plan.faults)
        *before, last = plan.faults
        for fault in before:
            await _ready(fault, crew)
            async with asyncio.TaskGroup() as both:
                both.create_task(oracle.ask("write", count=count, seconds=_CHUNK_SECONDS))
                both.create_task(self._after_a_while(fault, crew))
        rest = plan.records - RECORDS_AT_LAST - count * len(before)
        await oracle.ask("write", count=rest, seconds=_CHUNK_SECONDS)
        if plan.idle_seconds:
            await self._stop_while_idle(oracle, crew)
        await _ready(last, crew)
        writing = oracle.ask("write", count=RECORDS_AT_LAST, seconds=_LAST_SECONDS)
        if last.kind == "kill":
            async with asyncio.TaskGroup() as both:
                both.create_task(self._happen(last, crew))
                both.create_task(writing)
        else:
            await writing
            await self._happen(last, crew)

    async def _start(self, crew: Crew) -> None:
        for name in self._plan.workers:
            crew.workers[name].start()
            crew.workers[name].wanted = True
        for name in self._plan.workers:
            if not await crew.workers[name].serving(_SERVING_SECONDS_MAX):
                self._told.append(f"{name} does not serve after {_SERVING_SECONDS_MAX:g} s")
        self._log("serving")

    async def _stop_while_idle(self, oracle: OracleProcess, crew: Crew) -> None:
        """SIGSTOP a worker that has nothing to do; what it wakes up to is the next writing."""
        await oracle.ask("quiet", seconds=QUIET_SECONDS_MAX)
        worker = crew.running()[0]
        await worker.begun()
        await self._happen(Fault("stop", worker.name, seconds=self._plan.idle_seconds), crew)
        self._faults[-1] += " idle"

    async def _after_a_while(self, fault: Fault, crew: Crew) -> None:
        await asyncio.sleep(_FAULT_AFTER_SECONDS)
        await self._happen(fault, crew)

    async def _happen(self, fault: Fault, crew: Crew) -> None:
        what = str(fault)
        self._log(f"begins: {what}")
        worker = crew.workers[fault.worker] if fault.worker else None
        if worker is None:
            await self._hurt_broker(fault)
        elif fault.kind == "kill":
            if not await _kill(fault, worker, crew):
                what += " (not reached)"
        elif fault.kind == "stop":
            worker.signal(signal.SIGSTOP)
            await asyncio.sleep(fault.seconds)
            worker.signal(signal.SIGCONT)
        elif fault.kind == "join":
            with worker.in_hand():
                worker.start()
            await worker.serving(_SERVING_SECONDS_MAX)
        else:
            await self._leave(fault, worker)
        self._faults.append(what)
        self._log(what)

    async def _leave(self, fault: Fault, worker: Worker) -> None:
        worker.wanted = False
        if fault.hard:
            worker.kill()
            return
        await worker.begun()
        worker.signal(signal.SIGTERM)
        status = await worker.ended(_LEAVE_SECONDS_MAX)
        if status != 0:
            self._told.append(f"{fault}: exit {status}, {worker.last_words()}")
            worker.kill()

    async def _hurt_broker(self, fault: Fault) -> None:
        broker = self._broker
        if broker is None:
            raise RuntimeError(f"{fault} on a broker that others use")
        if fault.kind == "broker-kill":
            broker.kill()
            await asyncio.sleep(fault.seconds)
            await broker.start()
        else:
            broker.pause()
            await asyncio.sleep(fault.seconds)
            broker.go_on()


async def _ready(fault: Fault, crew: Crew) -> None:
    """Have the worker at work that is to die of work."""
    if fault.kind == "kill":
        await crew.workers[fault.worker].serving(_READY_SECONDS_MAX)


async def _kill(fault: Fault, worker: Worker, crew: Crew) -> bool:
    """Kill a worker at a point and start it again; whether it was the point that killed it."""
    with worker.in_hand():
        if fault.point == "in-recovery":
            worker.kill()
            worker.start(fresh=fault.fresh, kill=(fault.point, fault.hit))
            await worker.ended(_REACHED_SECONDS_MAX)
        else:
            await worker.begun()
            worker.arm(fault.point, fault.hit)
            if fault.point in POINTS_OF_REBALANCE:
                await _rebalance(worker, crew)
            else:
                await worker.ended(_REACHED_SECONDS_MAX)
        reached = worker.says("killed at")
        worker.kill()
        await asyncio.sleep(fault.seconds)
        # What a restore was killed in the middle of is what the next one has to go on with.
        worker.start(fresh=fault.fresh and fault.point != "in-recovery")
    return reached


async def _rebalance(worker: Worker, crew: Crew) -> None:
    """Let another worker come, or go and come again, until this one has died of it."""
    (other,) = (one for one in crew.workers.values() if one is not worker)
    with other.in_hand():
        if other.running:
            other.kill()
            await worker.ended(_REACHED_SECONDS_MAX)
        other.start()
    await worker.ended(_REACHED_SECONDS_MAX)
