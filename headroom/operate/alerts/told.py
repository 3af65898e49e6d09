"""What was told on `alerts.v1`, for a person."""

import asyncio
import heapq
from collections.abc import Iterator

import click
import msgspec

from headroom.base.clients import Clients
from headroom.base.errors import OperatorError
from headroom.base.partitioner import partition_of
from headroom.base.printable import printable
from headroom.base.settings import Settings
from headroom.operate.alerts.trial import line_of
from processors.alerts.batch import Told
from processors.engine.headers import headers_of
from schemas.codec import NotADocument, decode, encode
from schemas.documents import LimitAlert
from schemas.topics import ALERTS

_ID = "ce_id"


class NoSuchAlert(OperatorError):
    """No alert has this identity, or it is older than the topic keeps them."""


async def run_list(settings: Settings, user: str | None, *, limit: int, as_json: bool) -> None:
    """Print the newest alerts, the newest first."""
    found = await asyncio.to_thread(lambda: newest(read(settings, user), limit))
    for told in found:
        if as_json:
            click.echo(encode(told))
        else:
            click.echo(printable(f"{told.alert.time}  {line_of(told.alert)}"))
            click.echo(printable(f"  {told.event}"))


async def run_show(settings: Settings, event: str) -> None:
    """Print all of an alert; raises `NoSuchAlert`."""
    found = await asyncio.to_thread(lambda: next(_of(read(settings, None), event), None))
    if found is None:
        message = f"no alert is {printable(event)}: `headroom alerts list` tells which there are"
        raise NoSuchAlert(message)
    click.echo(msgspec.json.format(encode(found), indent=2))


def read(settings: Settings, user: str | None) -> Iterator[Told]:
    """Every alert that is kept, or a user's; what is not ours is passed by."""
    clients = Clients(settings.kafka)
    begins = clients.begins([ALERTS], settings.partitions)
    ends = clients.ends([ALERTS], settings.partitions)
    mine = None if user is None else partition_of(user.encode(), settings.partitions)
    spans = {p: (begins[p], end) for p, end in ends.items() if mine is None or p[1] == mine}
    for message in clients.read(spans):
        event = dict(headers_of(message)).get(_ID)
        try:
            alert = decode(message.value() or b"", LimitAlert)
        except NotADocument:
            continue
        if event is not None and (user is None or alert.user == user):
            yield Told(event.decode("utf-8", "replace"), alert)


def newest(alerts: Iterator[Told], limit: int) -> list[Told]:
    """The newest by their frames' times; what came twice under one identity counts once."""
    # Times order as their texts do; only `at_least_once` repeats, and seldom.
    found = heapq.nlargest(2 * limit, alerts, key=lambda one: (one.alert.time, one.event))
    return list({told.event: told for told in found}.values())[:limit]


def _of(alerts: Iterator[Told], event: str) -> Iterator[Told]:
    return (told for told in alerts if told.event == event)
