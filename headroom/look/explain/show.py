"""An explanation for a person: a line for each hop, and the frame with its amounts marked."""

from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len

from headroom.base.printable import printable
from headroom.look.explain.asset import AssetExplanation
from headroom.look.explain.marks import Mark
from headroom.look.explain.user import Explanation, Frame, Part
from headroom.look.figures import aligned
from schemas.feeds import FeedStatus

_AROUND: Final = 48


def user_lines(found: Explanation) -> Iterator[str]:
    """All of a user's number."""
    now = found.now
    yield f"{printable(now.user)} holds {now.total} {printable(now.asset)}"
    yield f"  available    {now.available}, held {now.held}"
    yield f"  version      {now.version} of the user's row, {printable(now.document)}"
    yield f"  row          {found.row.place}, written {found.row.time}"
    yield f"  freshness    {_freshness(now.freshness.state, now.freshness.reason)}"
    if len(found.parts) > 1:
        yield f"  added up     over {len(found.parts)} accounts, exactly"
    for part in found.parts:
        yield ""
        yield from _part(part)


def _part(part: Part) -> Iterator[str]:
    now = part.now
    balance = now.balance
    if balance is None:
        yield f"{now.venue} {printable(now.account)}: nothing, its newest frame does not list it"
    else:
        yield f"{now.venue} {printable(now.account)}: {balance.total}"
        yield f"  available    {balance.available}, held {balance.held}"
        for name, amount in balance.wallets.items():
            yield f"  wallet       {printable(name)} {amount}"
    if now.unknown:
        yield "  unknown      it holds more of this asset than is told"
    if part.told_gone is not None:
        yield f"  snapshot     {part.told_gone} ({printable(now.snapshot.id)})"
    for told in part.told:
        word = "snapshot " if told.correction is None else "corrected"
        by = "" if told.correction is None else f", by generation {printable(told.correction)}"
        yield f"  {word}    {told.hop.place}, written {told.hop.time}{by}"
        identity, user = printable(told.hop.id or ""), printable(told.snapshot.user)
        yield f"               identity {identity}, user {user}"
    yield f"  venue time   {now.venue_time or 'not told'}"
    yield f"  received     {now.received_time}, sequence {now.sequence}"
    yield from _raw(part)
    yield f"  freshness    {_freshness(now.freshness.state, now.freshness.reason)}"
    if now.confirmed is not None:
        again = now.confirmed
        place = f"receipt {again.receipt} of epoch {again.epoch}"
        yield f"               told again {again.received_time}, {place}"
    yield from _connection(part)
    if part.frame is not None:
        yield from _frame(part.frame)


def _raw(part: Part) -> Iterator[str]:
    raw, source = part.raw, part.now.source
    place = f"{printable(source.topic)}/{source.partition}/{source.offset}"
    order = f"epoch {part.now.epoch}, receipt {part.now.receipt}"
    if raw.hop is None:
        yield f"  raw record   {place}, {order}"
        yield f"               {raw.gone}"
        return
    yield f"  raw record   {place}, written {raw.hop.time}"
    yield f"               {order}"
    if not part.is_same:
        yield "               what lies there is another frame: its order is not this one"
    if raw.redacted is not None:
        yield f"               secrets hidden by the producer: {printable(raw.redacted)}"
    if raw.retry_of is not None:
        yield f"               sent again, it lay at {printable(raw.retry_of)} first"


def _freshness(state: str, reason: str | None) -> str:
    return state if reason is None else f"{state}: {printable(reason)}"


def _connection(part: Part) -> Iterator[str]:
    status, hop = part.connection, part.connection_hop
    if status is None or hop is None:
        yield "               no connection has this epoch any more"
        return
    name = f"{status.venue}/{printable(status.connection)}"
    yield f"               rests on {name}, {status.state}, told {status.time} ({hop.place})"
    yield f"               {_vouches(status)}"


def _vouches(status: FeedStatus) -> str:
    begun = status.confirmed_from
    since = "" if begun is None else f", from receipt {begun.receipt} of its epoch on"
    return f"the venue last vouched {status.last_confirmed or status.last_heard or 'never'}{since}"


def _frame(frame: Frame) -> Iterator[str]:
    yield f"  frame        {frame.size_bytes} bytes"
    if frame.marks is None or frame.shown is None:
        yield "               nobody can say where in it the amounts are"
        return
    if frame.marks and not frame.agrees:
        yield "               its amounts are not the snapshot's: it was read by another version"
    data = frame.text.encode()
    for mark, shown in zip(frame.marks, frame.shown, strict=False):
        yield from _marked(mark, shown, data)


def _marked(mark: Mark, shown: Mark, data: bytes) -> Iterator[str]:
    as_told = "" if mark.literal == mark.amount else f" = {mark.amount}"
    name = printable(mark.name)
    yield f"    {printable(mark.told)}: bytes {mark.begin} to {mark.end}, {name}{as_told}"
    before = printable(data[: shown.begin].decode("utf-8", "replace")[-_AROUND:])
    amount = printable(shown.literal)
    behind = printable(data[shown.end :].decode("utf-8", "replace")[:_AROUND])
    yield f"      {before}{amount}{behind}"
    yield " " * (6 + cell_len(before)) + "^" * cell_len(amount)


def asset_lines(found: AssetExplanation) -> Iterator[str]:
    """All of an asset's total."""
    told = found.sum
    yield f"all users hold {told.total} {printable(told.asset)}"
    yield f"  available    {told.available}, held {told.held}, users {told.users}"
    yield f"  version      {told.version}, row {found.row.place}, written {found.row.time}"
    if found.published is not None:
        same = (
            ""
            if found.published_version == told.version
            else f", of version {found.published_version}"
        )
        yield f"  published    {found.published.place}, written {found.published.time}{same}"
    yield from ("", *_shares(found), "")
    ends = "add up to it exactly" if found.adds_up else "do NOT add up to it"
    yield f"{len(found.shares)} shares {ends}"


def _shares(found: AssetExplanation) -> Iterator[str]:
    columns = [
        ["user", *(printable(one.user) for one in found.shares)],
        ["venue", *(one.venue for one in found.shares)],
    ]
    widths = [max(map(cell_len, column)) for column in columns]
    numbers = [
        aligned([name, *(getattr(one, name) for one in found.shares)])
        for name in ("total", "available", "held")
    ]
    more = [["version", *(str(one.version) for one in found.shares)]]
    more.append(["received", *(one.time for one in found.shares)])
    for row in zip(*columns, *numbers, *more, strict=True):
        texts = [
            text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=False)
        ]
        version, received = row[5:]
        yield "  ".join([*texts, *row[2:5], f"{version:>7}", received])
