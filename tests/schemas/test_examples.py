"""The examples that other teams read are what the product makes of the documented frame."""

import json

from processors.ledger.assets import SumLedger
from processors.ledger.views import contributions, user_balances, user_exposure
from processors.normalise import NORMALISERS, RawFrame
from schemas import topics
from schemas.codec import encode
from schemas.documents import BalanceSnapshot
from schemas.export.examples import CUT, RAW, SNAPSHOT, SOURCE, examples
from schemas.headers import Receipt
from schemas.rejections import Rejected
from tests.data import documented_frame
from tests.processors.ledger.snapshots import last, reader

RECEIPT = Receipt(RAW.epoch, RAW.receipt, RAW.received_time)


def normalised(frame: str) -> BalanceSnapshot | Rejected:
    return NORMALISERS["hercle"](RawFrame(frame.encode(), RECEIPT, SOURCE))


def test_the_frame_is_the_documented_one_with_one_of_its_assets() -> None:
    frame = json.loads(documented_frame("hercle"))
    (argument,) = frame["arguments"]
    argument["data"]["assets"] = [a for a in argument["data"]["assets"] if a["name"] == "USDT"]
    assert json.loads(examples()[SOURCE.topic].value) == frame


def test_what_follows_is_what_the_product_says() -> None:
    shown = examples()
    assert normalised(shown[SOURCE.topic].value) == SNAPSHOT
    fold = last([SNAPSHOT])
    assert shown[topics.BALANCES].value == encode(SNAPSHOT).decode()
    assert shown[topics.BALANCES_LATEST].value == encode(user_balances(fold.state)).decode()
    assert shown[topics.EXPOSURE_USER].value == encode(user_exposure(fold.state)).decode()
    ledger = SumLedger()
    ledger.load(0, [])
    sums = ledger.fold(0, contributions(fold), reader({}))
    told = {encode(emission.document).decode() for emission in sums.emissions}
    assert told == {shown[topics.EXPOSURE_ASSET].value, shown[topics.EXPOSURE_BASE].value}


def test_a_frame_that_broke_off_is_what_the_dead_letter_says() -> None:
    rejected = normalised(CUT)
    assert isinstance(rejected, Rejected)
    headers = examples()[topics.DEAD_LETTERS].headers
    assert headers["headroom.reason"] == rejected.reason
    assert headers["__connect.errors.exception.message"] == rejected.detail
