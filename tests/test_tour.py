"""docs/tour.md shows what the code makes of its frame, block by block."""

import json
import re
from pathlib import Path
from typing import Any

from processors.ledger.views import contributions, user_balances, user_exposure
from processors.normalise import NORMALISERS, RawFrame
from schemas.codec import encode
from schemas.documents import BalanceSnapshot, Source
from schemas.headers import RawHeaders, read_receipt
from tests.processors.ledger.snapshots import last

TOUR = (Path(__file__).parents[1] / "docs/tour.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^```([a-z]+)\n(.*?)^```$", TOUR, re.MULTILINE | re.DOTALL))


def values(block: str) -> list[Any]:
    """The JSON texts of a block, each of one line or several."""
    decoder, text, found = json.JSONDecoder(parse_float=str), BLOCKS[block].strip(), []
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].strip()
    return found


def made(document: object) -> Any:
    return json.loads(encode(document))


def test_the_tour_is_true() -> None:
    headers = [
        (name, text.encode())
        for name, text in (line.split(": ", 1) for line in BLOCKS["headers"].splitlines())
    ]
    receipt = read_receipt(headers, offset=0, appended_ns=0)
    assert (
        headers
        == RawHeaders(
            venue="hercle",
            feed="account.balances.snapshot",
            epoch=receipt.epoch,
            receipt=receipt.receipt,
            received_time=receipt.received_time,
        ).encode()
    )
    place = Source("raw.hercle.balances.v1", 3, 1041)
    frame = BLOCKS["frame"].replace("\n ", "").encode()
    snapshot = NORMALISERS["hercle"](RawFrame(frame, receipt, place))
    assert isinstance(snapshot, BalanceSnapshot)
    assert values("snapshot") == [made(snapshot)]
    fold = last([snapshot])
    assert values("balances") == [made(user_balances(fold.state))]
    assert values("exposure") == [made(user_exposure(fold.state))]
    assert values("contributions") == [made(each) for each in contributions(fold)]


def test_every_file_that_it_names_is_there() -> None:
    named = re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", TOUR)
    assert len(named) > 5
    assert [name for name in named if not (Path(__file__).parents[1] / name).exists()] == []
