"""What docs/consumers/day.py makes of amounts that no decimal of DuckDB holds; no Kafka."""

import runpy
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.codec import encode
from schemas.documents import AssetBalance, BalanceSnapshot, Source

DAY = Path(__file__).parents[2] / "docs/consumers/day.py"
LONGEST = f"{'9' * 38}.{'9' * 38}"


class Message:
    """A record as confluent-kafka gives one."""

    def __init__(self, account: str, total: str) -> None:
        self.identity = f"raw.sfox.balances.v1/0/{account}"
        self.snapshot = BalanceSnapshot(
            user=f"sfox:{account}",
            venue="sfox",
            account=account,
            epoch=1_710_367_000_000_000_000,
            sequence=1,
            receipt=1,
            venue_time=None,
            received_time="2024-03-13T22:00:25.310000000Z",
            deleted=False,
            assets={"BTC": AssetBalance(total, total, "0", {}, None)},
            exposure=None,
            source=Source("raw.sfox.balances.v1", 0, 1),
        )

    def headers(self) -> list[tuple[str, bytes]]:
        return [("ce_id", self.identity.encode())]

    def value(self) -> bytes:
        return encode(self.snapshot)


@pytest.mark.parametrize(
    ("totals", "shown"),
    [
        (["0.123456789012345678", "0.000000000000000001"], "0.123456789012345679"),
        ([LONGEST, LONGEST], f"1{'9' * 38}.{'9' * 37}8"),
        ([LONGEST, f"-{LONGEST}"], f"0.{'0' * 38}"),
        (["0", "-0.00"], "0.00"),
    ],
    ids=["eighteen places", "the longest", "nothing left", "nothing"],
)
def test_day_py_sums_to_the_last_digit(
    totals: list[str], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    day: dict[str, Any] = runpy.run_path(str(DAY))
    messages = [Message(f"user-{number}", total) for number, total in enumerate(totals)]
    with duckdb.connect() as database:
        day["load"](database, messages)
        day["draw"](day["summed"](database.execute(day["HOURLY"]).fetchall()))
    *_, last = capsys.readouterr().out.splitlines()
    assert last.split()[-1] == shown
