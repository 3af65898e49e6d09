"""The demo's story: start everything, watch it, stop from the source on, count what arrived.

It ends in the order in which a frame travels: first the venues fall silent, then the producers
have written everything, then the worker has caught up. What is left over then is lost.
"""

import asyncio
import tempfile
from pathlib import Path

import click
import msgspec

from headroom.audit import Audit, audit
from headroom.base.settings import KafkaSettings
from headroom.local.demo.faults import Caused, caused
from headroom.local.demo.observe import Observer
from headroom.local.demo.system import Demo, DemoOptions, tell
from headroom.local.kafka import KafkaNode
from headroom.look.live import Worker
from headroom.operate.topics.survey import apply
from schemas.topics import PARTITIONS_DEFAULT


class Summary(msgspec.Struct, frozen=True, omit_defaults=True):
    """The demo's last line: what the venues sent, and what became of it.

    `faults` are those that were ordered; without any it is not told.
    """

    frames: int
    raw: int
    normalised: int
    dead_lettered: int
    users: int
    assets: int
    lost: int
    repeated: int
    frames_per_second_max: float | None
    socket_to_table_seconds_median: float | None
    faults: list[Caused] | None = None


async def run_demo(options: DemoOptions, stop: asyncio.Event) -> int:
    """Run the demo until SECONDS are over or `stop` is set; the exit status (0: nothing lost)."""
    with tempfile.TemporaryDirectory(prefix="headroom-demo-") as name:
        folder = Path(name)
        tell("starting Apache Kafka …")
        async with KafkaNode(data_dir=folder / "kafka") as node:
            kafka = {"bootstrap_servers": node.bootstrap}
            settings = KafkaSettings(node.bootstrap)
            await apply(settings, partitions=PARTITIONS_DEFAULT, replication_factor=1)
            demo = Demo(options, folder, node.bootstrap)
            async with (
                demo.running(),
                Observer(kafka, partitions=PARTITIONS_DEFAULT) as observer,
                Worker(demo.url) as worker,
            ):
                await demo.show(observer, worker, stop)
                await demo.silence(observer)
                # Who pressed Ctrl-C wants the accounting, not a race.
                sprint = None if stop.is_set() else await demo.sprint(observer)
                median = await worker.median_latency_seconds()
            tell("counting …")
            journals = [path for path in demo.journals if path.exists()]
            found = await audit(kafka, journals=journals)
            faults = await asyncio.to_thread(caused, options.faults, journals)
            return _report(options, found, sprint, median, faults)


def _report(
    options: DemoOptions,
    found: Audit,
    sprint: float | None,
    median: float | None,
    faults: list[Caused] | None,
) -> int:
    summary = Summary(
        frames=found.frames,
        raw=found.raw,
        normalised=found.normalised,
        dead_lettered=found.dead_lettered,
        users=found.users,
        assets=found.assets,
        lost=found.lost,
        repeated=found.repeated,
        frames_per_second_max=None if sprint is None else round(sprint, 1),
        socket_to_table_seconds_median=median,
        faults=faults,
    )
    for finding in found.findings:
        tell(f"{finding.invariant}: {finding.where}: {finding.problem}")
    if options.as_json:
        click.echo(msgspec.json.encode(summary))
    else:
        _print(summary)
    return 1 if summary.lost or found.findings else 0


def _print(summary: Summary) -> None:
    click.echo(f"the venues sent       {summary.frames} balance frames")
    click.echo(f"in raw                {summary.raw}")
    click.echo(f"normalised            {summary.normalised}")
    click.echo(f"dead letters          {summary.dead_lettered}")
    click.echo(f"users, assets         {summary.users}, {summary.assets}")
    click.echo(f"lost                  {summary.lost}")
    if summary.frames_per_second_max is not None:
        click.echo(f"most frames a second  {summary.frames_per_second_max}")
    if summary.socket_to_table_seconds_median is not None:
        milliseconds = summary.socket_to_table_seconds_median * 1000
        click.echo(f"socket to table       {milliseconds:g} ms or less for half of the frames")
    for each in summary.faults or ():
        click.echo(f"fault                 {each.fault}: the venue {each.does};")
        click.echo(f"                      {each.frames} frames were sent under it")
