"""`headroom broker`: one Kafka node until it is told to stop."""

import asyncio
from pathlib import Path

import click

from headroom.base.errors import OperatorError
from headroom.local.kafka import KafkaNode
from producers.waiting import unless_stopped


class BrokerEnded(OperatorError):
    """The JVM ended by itself."""

    def __init__(self, status: int, log_path: Path) -> None:
        super().__init__(f"Kafka ended by itself with status {status}; its log is {log_path}")


async def run_broker(data: Path, port: int | None, stop: asyncio.Event) -> None:
    """Run a broker; its address is the one line on standard output."""
    async with KafkaNode(data_dir=data, port=port) as node:
        click.echo(node.bootstrap)
        click.echo(
            f"Kafka is up; for the other commands: "
            f"export HEADROOM_KAFKA_BOOTSTRAP={node.bootstrap}  (log: {node.log_path})",
            err=True,
        )
        status = await unless_stopped(stop, node.wait())
        if status is not None and not stop.is_set():
            raise BrokerEnded(status, node.log_path)
