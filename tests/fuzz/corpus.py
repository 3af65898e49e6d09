"""Where each way's inputs begin: what the other tests know of frames, rows and the rest."""

import msgspec

from processors.ledger.contributions import bundles, keyed
from processors.ledger.contributions import encode as encode_share
from processors.normalise import RawFrame
from schemas.codec import encode
from schemas.documents import AssetBalance, BalanceSnapshot
from tests.fuzz import ways
from tests.fuzz.ways import CUT, Way
from tests.processors.compiled.test_hercle import ODD_ACCOUNTS, SOUND, sent
from tests.processors.compiled.test_shares import LONG, NINES, share
from tests.processors.compiled.test_shares import SOUND as BUNDLE
from tests.processors.ledger.snapshots import balance, last, of_the_contract, snapshot
from tests.processors.normalise.frames import RECEIPT, SOURCES, text_of
from tests.processors.normalise.test_plain import HEADERS, ROOMS, plain
from tests.producers import frames
from tests.schemas.test_headers import BROKEN, WHOLE

MANY = 64  # assets of which one more would go the long way


def all_ways() -> dict[str, Way]:
    """By name, each with its first inputs."""
    venues = {venue: Way(_frames(venue), ways.of_frame(venue)) for venue in ROOMS}
    return venues | {
        "account": Way([encode(one) for one in _snapshots()], ways.account),
        "row": Way(_rows(), ways.row),
        "fold": Way(_folds(), ways.fold),
        "shares": Way(_shares(), ways.shares),
        "guard": Way(_guards(), ways.guard),
        "headers": Way(_headers(), ways.headers),
        "messages": Way(_messages(), ways.messages),
        "run": Way(_runs(), ways.run),
    }


def _frames(venue: str) -> list[bytes]:
    text = text_of(plain(venue))
    found = [text, text.replace(": ", ":").replace(", ", ","), text.replace("test3", "żółw 🐢 [{")]
    if venue == "hercle":
        found += [sent(one, as_text=way) for one in SOUND.values() for way in (True, False)]
        found += [sent(one) for one in ODD_ACCOUNTS.values()]
        return [one.encode() for one in found] + [frames.HERCLE]
    update = '{"currency":"%s","balance":"1.5","available":"-1","held":"0"}'
    many = ",".join(update % f"{'long' * 90}{number}" for number in range(MANY))
    start, end = text[: text.index("[") + 1], text[text.rindex("]") :]
    found += [start + end, start + update % "btc" + end, start + many + end]
    return [one.encode() for one in found] + [frames.SFOX]


def _snapshots() -> list[BalanceSnapshot]:
    held = balance("1.10", "0.1", "1.00")
    wallets = {"trading": "1", "borrow": "-0.5", "other": "0"}
    told = ROOMS["sfox"]._any(RawFrame(frames.SFOX, RECEIPT, SOURCES["sfox"]))
    many: dict[str, str | AssetBalance] = {f"A{number}" * 30: "1" for number in range(MANY)}
    return [
        of_the_contract("sfox"),
        of_the_contract("hercle"),
        told,
        snapshot(1, 2, 3, assets={"BTC": "1.10", "ETH": "0"}),
        snapshot(
            1, 2, 3, user="żółw 🐢", assets={"BTC": msgspec.structs.replace(held, wallets=wallets)}
        ),
        snapshot(1, 3, 4, assets={"ETH": held, "BTC": "12", "A": "0.00"}),
        snapshot(2, 1, 1, assets=many),
        snapshot(1, 2, 3, deleted=True),
        snapshot(1, 2, 3, user=""),
    ]


def _rows() -> list[bytes]:
    logs = [[one] for one in _snapshots()]
    logs.append([snapshot(1, 1, 1, assets={"SOL": "1"}), *_snapshots()[3:6:2]])
    return [encode(last(log).state) for log in logs]


def _folds() -> list[bytes]:
    one = snapshot(1, 2, 3, assets={"BTC": "1.10", "ETH": "0"})
    others = [
        one,
        snapshot(1, 3, 4, assets={"ETH": "7", "SOL": "1"}),
        snapshot(1, 3, 4, assets={"BTC": "1.1"}),
        snapshot(1, 1, 5, assets={}),
        snapshot(2, 1, 1, assets={"A": "0"}),
    ]
    told = [encode(other) for other in others]
    row = encode(last([one]).state)
    many = [encode(snapshot(1, n, n, assets={f"A{n}": "1"})) for n in range(1, 9)]
    found = [CUT.join([row, other]) for other in told]
    return [*found, CUT.join([row, *told]), CUT.join([b"", *told]), CUT.join([b"", *many])]


def _shares() -> list[bytes]:
    ours = [share("u", 1, sfox="1.5", hercle="-2"), share("v", 2, sfox=NINES), share("w", 3)]
    later = [share("u", 4, sfox="2"), share("v", 5, hercle="0.5"), share("w", 6, sfox="0")]
    long = [share(f"u{number}", 1, sfox=one, hercle=one) for number, one in enumerate(LONG)]
    many = [share(f"u{number}", 1, sfox=f"-{NINES}", d="0." + NINES) for number in range(40)]
    (first,), (second,), (third,), (fourth,) = (
        [value for _, value in bundles(keyed(one))] for one in (ours, later, long, many)
    )
    row = encode_share(share("u", 3, sfox="1.5", d="7"))
    parts = [
        [BUNDLE],
        [first, b"", second],
        [first, row, second],
        [second, b"", first],
        [third, b"", first],
        [third, b"", third],
        [fourth, b"", fourth],
    ]
    return [CUT.join(some) for some in parts]


def _guards() -> list[bytes]:
    one, other, more, few = (
        encode(snapshot(1, number, number, assets=assets))
        for number, assets in enumerate(
            [
                {"BTC": balance("1.10", held="2"), "ETH": "10"},
                {"BTC": balance("2", held="1.1"), "ETH": "9.99"},
                {"BTC": "1", "ETH": "2", "SOL": "3"},
                {"BTC": "1"},
            ],
            1,
        )
    )
    marks = b"1.1 2 10.00 9.9 0 0.0 12 3 100"
    pairs = [(one, other), (other, one), (one, one), (one, more), (few, few), (few, one)]
    return [CUT.join([*pair, marks]) for pair in pairs]


def _headers() -> list[bytes]:
    said = [dict(HEADERS), WHOLE, *({**WHOLE, "receipt": odd} for odd in BROKEN.values())]
    said += [{**WHOLE, "received_time": odd} for odd in BROKEN.values()]
    return [
        CUT.join(name.encode() + b"=" + (value or b"") for name, value in one.items())
        for one in said
    ]


def _messages() -> list[bytes]:
    medium, long = b"m" * 300, b"m" * 65_535
    parts = [
        *(b"\x81\x05hello", b"\x82\x00", b"\x89\x02hi", b"\x8a\x00", b"\x81\x7e\x01\x2c" + medium),
        *(b"\x88\x02\x03\xe8", b"\x01\x01a\x80\x01b", b"\x81\xfe\x00", b"\x81\x7f" + bytes(8)),
    ]
    return [*parts, b"".join(parts), b"".join(parts[:5]), b"\x81\x7e\xff\xff" + long]


def _runs() -> list[bytes]:
    some = [frames.sfox(sequence=number, user=f"u{number}") for number in range(7, 11)]
    full = frames.SFOX.replace(b'"sequence": 22', b'"sequence": 7')
    times = [frames.sfox(sequence=7 + at, timestamp=10**power) for at, power in enumerate([18, 9])]
    odd = some[0].replace(b"[]", b'[{"a": [1.5, -0, true, null, {"b": "x"}]}]')
    return [CUT.join(one) for one in (some, [full, *some[1:]], times, [odd], [full])]
