"""What befalls the system in one seed: drawn at random, the same for the same seed. Pure."""

import random
from typing import NamedTuple

from tests.engine.chaos.points import POINTS_AT_LEAST_ONCE, POINTS_OF_REBALANCE, POINTS_ONCE

SESSION_SECONDS = 2.0
FAULTS_MIN, FAULTS_MAX = 2, 4
RECORDS = 4_000
# What is written with the last fault, or right before it: too little to heal what it breaks.
RECORDS_AT_LAST = 250
_AT_LEAST_ONCE_EVERY = 3
_SENDS_MAX = 60
# How many of the seeds have a worker stopped while it has nothing to do.
_IDLE = 0.3
# Without transactions there are two commits a second.
_COMMITS_MAX = {True: 4, False: 1}


class Fault(NamedTuple):
    """One fault.

    `kill`: a worker dies at the `hit`th passing of a `point`, and is started again `seconds`
    later, with an empty data directory where `fresh`. `stop`: SIGSTOP for `seconds`. `join`,
    `leave`: a second worker comes, or goes (`hard`: by kill -9). `broker-kill`, `broker-stop`:
    the broker is away for `seconds`. `keep`, `repeat`, `delay`, `cut`, `lose`: what befalls one
    request after the other, `hit` of them, of the kind `point` (`proxy.py`); where `hard` what
    comes late comes once records of the next transaction have reached the broker.
    """

    kind: str
    worker: str = ""
    point: str = ""
    hit: int = 0
    seconds: float = 0.0
    fresh: bool = False
    hard: bool = False

    def __str__(self) -> str:
        match self.kind:
            case "kill":
                after = f", back in {self.seconds:.1f} s" if self.seconds else ""
                empty = ", emptied" if self.fresh else ""
                return f"kill {self.worker} {self.point}#{self.hit}{after}{empty}"
            case "join":
                return f"join {self.worker}"
            case "leave":
                return f"leave {self.worker}{' by kill' if self.hard else ''}"
            case "stop":
                return f"sigstop {self.worker} {self.seconds:.1f} s"
            case _ if self.point:
                inside = ", inside the next" if self.hard else ""
                return f"{self.kind} {self.point} x{self.hit} {self.seconds:.2f} s{inside}"
            case _:
                return f"{self.kind} {self.seconds:.1f} s"


class Plan(NamedTuple):
    """A seed's system and its faults, the last of which comes with the last records.

    `named`: workers keep their name in the group over a restart. `idle_seconds`: for how long a
    worker is stopped before the last fault, once nothing is left to do; 0 for not at all.
    """

    seed: int
    guarantee: str
    named: bool
    workers: tuple[str, ...]
    records_at_once: int
    faults: tuple[Fault, ...]
    idle_seconds: float = 0.0
    records: int = RECORDS

    @property
    def needs_broker(self) -> bool:
        """Whether the broker is hurt, so that nobody else may use it."""
        return any(fault.kind.startswith("broker") for fault in self.faults)


def plan(seed: int, guarantee: str | None = None) -> Plan:
    """The plan of a seed; without a `guarantee` two seeds of three are exactly_once."""
    chance = random.Random(f"faults {seed}")
    if guarantee is None:
        weaker = seed % _AT_LEAST_ONCE_EVERY == 0
        guarantee = "at_least_once" if weaker else "exactly_once"
    once = guarantee == "exactly_once"
    workers = ["a", "b"] if chance.random() < 0.4 else ["a"]
    named, at_once = chance.random() < 0.8, chance.choice((5, 50, 2_000))
    running, faults = list(workers), []
    for _ in range(chance.randint(FAULTS_MIN, FAULTS_MAX)):
        fault = _fault(chance, running, once=once)
        faults.append(fault)
        if fault.kind == "join" or fault.point in POINTS_OF_REBALANCE:
            # Such a point is reached because the other worker comes, or goes and comes again.
            running = ["a", "b"]
        elif fault.kind == "leave":
            running.remove(fault.worker)
    # As for the other stops: only transactions fence a worker that wakes up beside its successor.
    idle_seconds = _idle_seconds(seed) if once else 0.0
    return Plan(seed, guarantee, named, tuple(workers), at_once, tuple(faults), idle_seconds)


def _idle_seconds(seed: int) -> float:
    """Drawn apart, so that a seed's other faults are what they were."""
    chance = random.Random(f"idle {seed}")
    return SESSION_SECONDS + chance.uniform(0.5, 2.0) if chance.random() < _IDLE else 0.0


def _fault(chance: random.Random, running: list[str], *, once: bool) -> Fault:
    kinds = {"kill": 10, "stop": 3, "broker-kill": 2, "broker-stop": 2}
    kinds["leave" if len(running) > 1 else "join"] = 4
    if len(running) > 1 and not once:
        # A worker that wakes up beside its successor is fenced by transactions alone.
        del kinds["stop"]
    kind = chance.choices(list(kinds), list(kinds.values()))[0]
    worker = chance.choice(running)
    match kind:
        case "kill":
            return _kill(chance, worker, once=once)
        case "stop":
            return Fault(kind, worker, seconds=SESSION_SECONDS + chance.uniform(0.5, 2.0))
        case "join":
            return Fault(kind, "b" if worker == "a" else "a")
        case "leave":
            return Fault(kind, worker, hard=chance.random() < 0.5)
        case "broker-kill":
            return Fault(kind, seconds=chance.uniform(0.0, 2.0))
        case _:
            return Fault(kind, seconds=chance.uniform(1.0, 4.0))


def _kill(chance: random.Random, worker: str, *, once: bool) -> Fault:
    # Back at once, or after somebody else was given its partitions.
    seconds = chance.choice((0.0, 0.0, 0.0, SESSION_SECONDS + 1.0))
    if chance.random() < 0.25:
        point = chance.choice(("in-recovery", *POINTS_OF_REBALANCE))
        fresh = point == "in-recovery" or chance.random() < 0.3
        return Fault("kill", worker, point, chance.randint(1, 2), seconds, fresh=fresh)
    point = chance.choice(POINTS_ONCE if once else POINTS_AT_LEAST_ONCE)
    hits = _SENDS_MAX if "send" in point else _COMMITS_MAX[once]
    hit = chance.randint(1, hits)
    return Fault("kill", worker, point, hit, seconds, fresh=chance.random() < 0.2)
