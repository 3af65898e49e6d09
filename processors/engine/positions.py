"""Where each partition is read from, by what Kafka says of it and of the group: pure, no Kafka.

A position that does not fit is never mended by guessing: reading on from somewhere else loses or
repeats what lies between, in silence. Each has its own error.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from faust.types import TP

from processors.engine.errors import CommitsMissing, LogChanged, LogShortened, RecordsGone


class Bounds(NamedTuple):
    """The first offset that a partition still has, and the one behind its last."""

    begin: int
    end: int


def short_of(commits: Mapping[TP, int | None], bounds: Mapping[TP, Bounds]) -> set[TP]:
    """The partitions that end before their commit: a broker that came back may say so wrongly."""
    return {tp for tp, commit in commits.items() if commit is not None and commit > bounds[tp].end}


def starts(
    commits: Mapping[TP, int | None],
    bounds: Mapping[TP, Bounds],
    *,
    read_before: Collection[str] = (),
    missing_is_lost: bool = False,
) -> dict[TP, int]:
    """Where each partition is read from: at its commit, or at its beginning where it has none.

    Topics in `read_before` have had a commit on every partition, so none can be missing; nor with
    `missing_is_lost`: the group has none at all, and its tables hold something.
    Raises `CommitsMissing`, `RecordsGone`, `LogShortened`.
    """
    found: dict[TP, int] = {}
    for tp in sorted(commits):
        commit = commits[tp]
        if commit is None and (missing_is_lost or tp.topic in read_before):
            raise CommitsMissing(topic=tp.topic, partition=tp.partition)
        if commit is not None:
            misfit = outside(tp, commit, bounds[tp])
            if misfit is not None:
                raise misfit
        found[tp] = bounds[tp].begin if commit is None else commit
    return found


def outside(tp: TP, position: int, bounds: Bounds) -> LogChanged | None:
    """What is wrong with a position, if anything is."""
    if position < bounds.begin:
        return RecordsGone(
            topic=tp.topic, partition=tp.partition, position=position, begin=bounds.begin
        )
    if position > bounds.end:
        return LogShortened(
            topic=tp.topic, partition=tp.partition, position=position, end=bounds.end
        )
    return None


def uncommitted(commits: Mapping[TP, int | None]) -> Iterable[TP]:
    """The partitions without a commit."""
    return (tp for tp, commit in commits.items() if commit is None)
