"""What each reader makes of a record that nobody of us wrote: a named error, and nothing else."""

from collections.abc import Callable

import msgspec
import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry, Counter

from headroom.operate.accounts.bindings import Binding, Bindings
from headroom.operate.generations.book import Book, entry
from headroom.operate.generations.kind import Generation, Live
from headroom.operate.replay.records import _letter, _snapshot
from headroom.operate.replay.rows import user_of
from processors.engine.aside import Aside
from processors.engine.errors import ForeignRow
from processors.foreign import Foreign
from processors.http.problems import Problem
from processors.http.rows import readable, state_of
from processors.ledger import assets, user_ledger
from processors.ledger.assets import SumLedger
from processors.ledger.contributions import (
    AssetContribution,
    encode,
    row_key,
    shares_of,
    sum_key,
    unbundle,
)
from processors.ledger.moves import read_order
from processors.ledger.rows import RowNotRead
from processors.ledger.users import UserState
from producers.neighbours import Neighbours
from schemas import codec
from schemas.codec import NotADocument, decode_snapshot
from schemas.documents import Balance
from schemas.feeds import EPOCH_MAX, status_of
from schemas.headers import DeadLetterOrigin, dead_letter
from schemas.times import record_time_ns, rfc3339
from tests.processors.pipeline import status
from tests.strangers.records import KINDS, MICROSECONDS, NANOSECONDS

VALUES = {name: one.value or b"" for name, one in KINDS.items()}
ROW = UserState("sfox:u", 1, {}, [], [])


def share(total: str) -> AssetContribution:
    return AssetContribution("BTC", "sfox:u", 1, "", {"sfox": Balance(total, "1", "0")})


def sums(rows: dict[bytes, bytes]) -> None:
    SumLedger().load(0, rows.items())


READERS: dict[str, Callable[[bytes], object]] = {
    "orders": read_order,
    "contributions": unbundle,
    "snapshots": decode_snapshot,
    "statuses": lambda value: status_of(b"k", value),
    "neighbours": lambda value: Neighbours("sfox", "").take(b"sfox/", value, 0.0),
    "bindings": lambda value: Bindings().take(b"k", value),
    "the live generation": lambda value: Book().take(b"live", value),
    "generations": lambda value: Book().take(b"generation/x", value),
    "users' rows": lambda row: user_ledger.check_row(b"k", row),
    "shares' rows": lambda row: assets.check_row(row_key(sum_key("asset", "BTC"), "u"), row),
    "sums' rows": lambda row: assets.check_row(sum_key("asset", "BTC"), row),
    "a restored share": lambda row: sums({row_key(sum_key("asset", "BTC"), "u"): row}),
    "a key of the sums": lambda key: sums({key: b""}),
    "rows of a replay": lambda row: user_of(b"k", row),
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("reader", READERS)
def test_a_strangers_bytes_are_no_document(reader: str, kind: str) -> None:
    shares = kind == "another kind" and "share" in reader
    if shares:
        READERS[reader](VALUES[kind])  # that is what it is
        return
    with pytest.raises(NotADocument) as raised:
        READERS[reader](VALUES[kind])
    assert len(str(raised.value)) <= 200


def test_what_a_text_holds_is_not_told() -> None:
    with pytest.raises(NotADocument) as raised:
        read_order(b'{"kind":"my secret\\u001b[31m"}')
    assert str(raised.value) == "Invalid value"


@pytest.mark.parametrize("amount", ["", "1e5", "NaN", "1_0", " 1", "9" * 5_000, "\u0661"])
def test_what_is_no_amount_is_not_added_up(amount: str) -> None:
    bundle = b"[%b]" % encode(share(amount))
    assert shares_of([b"[%b]" % encode(share("1")), bundle]) is None
    with pytest.raises(NotADocument):
        unbundle(bundle)
    key = row_key(sum_key("asset", "BTC"), "sfox:u")
    with pytest.raises(RowNotRead) as raised:
        sums({b'["asset","AAA","x"]': encode(share("1")), key: encode(share(amount))})
    assert raised.value.key == key


def test_anothers_row_is_no_row() -> None:
    user_ledger.check_row(b"sfox:u", codec.encode(ROW))
    with pytest.raises(RowNotRead):
        user_ledger.check_row(b"sfox:v", codec.encode(ROW))


def test_what_is_ours_is_taken() -> None:
    book, bindings = Book(), Bindings()
    made = Generation("x", 1, "", "complete", {}, {}, {})
    for said in (made, Live("x")):
        book.take(*entry(said))
    assert (book.live.name, book.generations) == ("x", {"x": made})
    binding = Binding("sfox", "7", "ann", 1)
    bindings.take(b"sfox:7", codec.encode(binding))
    assert bindings.owners == {"sfox:7": "ann"}
    with pytest.raises(NotADocument):
        bindings.take(b"sfox:8", codec.encode(binding))
    told = status(7)
    assert status_of(b"sfox/", codec.encode(told)) == told


@pytest.mark.parametrize(
    "fields",
    [
        {"epoch": EPOCH_MAX + 1},
        {"epoch": -1},
        {"time": "9999-99-99T99:99:99.999999999Z"},
        {"venue": "hercle"},
    ],
)
def test_a_status_that_cannot_be_is_none(fields: dict[str, object]) -> None:
    odd = msgspec.structs.replace(status(7), **fields)
    with pytest.raises(NotADocument):
        status_of(b"sfox/", codec.encode(odd))


@pytest.mark.parametrize(
    ("timestamp", "told"),
    [
        (1_795_933_078_806, "2026-11-29T06:17:58.806000000Z"),
        (MICROSECONDS, "2026-11-29T06:17:58.806830000Z"),
        (NANOSECONDS, "2026-11-29T06:17:58.806830264Z"),
        (-1, "1970-01-01T00:00:00.000000000Z"),
        (-(2**63), "1970-01-01T00:00:00.000000000Z"),
        (9_300_000_000_000, "2262-04-11T23:47:16.854775807Z"),
        (2**63 - 1, "2262-04-11T23:47:16.854775807Z"),
    ],
)
def test_every_record_has_a_time(timestamp: int, told: str) -> None:
    assert rfc3339(record_time_ns(timestamp)) == told


def test_a_strangers_headers_do_not_say_which_record_failed() -> None:
    origin = DeadLetterOrigin("raw", 0, 1, "normalise", "c")
    own = [("headroom.part", b"x"), ("__connect.errors.topic", b"y"), ("epoch", None), ("a", b"1")]
    told = dead_letter(origin, reason="not_json", detail="", own=own)  # type: ignore[arg-type]
    assert told[:3] == [("epoch", None), ("a", b"1"), ("__connect.errors.topic", b"raw")]
    assert "headroom.part" not in dict(told)


class Message:
    """A record as librdkafka's client has it."""

    def __init__(self, key: bytes | None, value: bytes | None = None, offset: int = 0) -> None:
        self._parts = key, value, offset
        self.told: list[tuple[str, bytes | None]] = []

    def key(self) -> bytes | None:
        return self._parts[0]

    def value(self) -> bytes | None:
        return self._parts[1]

    def offset(self) -> int:
        return self._parts[2]

    def headers(self) -> list[tuple[str, bytes | None]]:
        return self.told


@pytest.mark.parametrize("value", [None, b"\xff", b"raw/0/" + b"9" * 5_000, b"raw/0/\xd9\xa1"])
def test_a_replay_passes_by_identities_that_are_none(value: bytes | None) -> None:
    message = Message(b"k")
    message.told = [("ce_id", value)]
    assert _snapshot(message) is None
    message.told = [(f"__connect.errors.{part}", value) for part in ("topic", "partition")]
    assert _letter(message) is None


def test_questions_are_answered_beside_a_row_that_is_none() -> None:
    with pytest.raises(Problem) as raised:
        state_of(b"not JSON")
    assert raised.value.status == 503
    rows = [(b"k", b"not JSON"), (b"sfox:u", codec.encode(ROW))]
    assert list(readable(iter(rows))) == [ROW]


# -- a changelog that is read

PLACE = TP("changelog", 0)


def aside() -> Aside:
    return Aside({"changelog": lambda _, row: None if row == b"ours" else "it is text"})


def taken(found: Aside, *records: tuple[bytes | None, bytes | None], start: int = 0) -> object:
    messages = [Message(key, value, start + n) for n, (key, value) in enumerate(records)]
    rows = {one.key(): one.value() for one in messages}
    stands = found.take(PLACE, rows, messages, messages[-1].offset())
    return stands, rows


def test_a_row_that_is_none_of_ours_stops_the_restore_and_is_found_again_after_a_crash() -> None:
    found = aside()
    assert taken(found, (b"a", b"ours"), (b"b", b"text"), (b"c", b"ours")) == (
        0,
        {b"a": b"ours", b"c": b"ours"},
    )
    assert taken(found, (b"d", b"ours"), start=3) == (0, {b"d": b"ours"})
    with pytest.raises(ForeignRow, match=r"changelog\[0\] at offset 1 .* it is text; .* replay"):
        found.check()


@pytest.mark.parametrize("later", [b"ours", None])
def test_a_later_row_takes_its_place(later: bytes | None) -> None:
    found = aside()
    taken(found, (b"b", b"text"))
    assert taken(found, (b"b", later), start=1) == (1, {b"b": later})
    found.check()


def test_another_reading_forgets_what_was_set_aside() -> None:
    found = aside()
    assert taken(found, (None, b"ours"))[0] == -1  # type: ignore[index]
    found.forget()
    found.check()


def test_what_is_passed_by_is_counted_always_and_told_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    counter = Counter("foreign", "", ["topic"], registry=CollectorRegistry())
    foreign = Foreign(counter, monotonic=lambda: now)
    for topic in ("balances.v1", "moves.v1"):
        for offset in range(100):
            foreign.passed_by(topic, 3, offset, "it is text")
    told = "passed by a record that nobody of us wrote (partition 3, offset 0): it is text"
    assert [one.message for one in caplog.records] == [f"balances.v1: {told}", f"moves.v1: {told}"]
    place = [(one.topic, one.partition, one.offset) for one in caplog.records]  # type: ignore[attr-defined]
    assert place == [("balances.v1", 3, 0), ("moves.v1", 3, 0)]
    assert counter.labels("moves.v1")._value.get() == 100
    now = 60.0
    foreign.passed_by("moves.v1", 3, 100, "it is text")
    assert caplog.records[-1].message.endswith("(and 99 more like it)")
