"""Two readings of one contract agree: whatever comes, the product's records pass the audit."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headroom.audit import check
from headroom.audit.frames import belongs_in_raw, read_parts
from processors.normalise import NORMALISERS, RawFrame
from schemas.documents import Source
from schemas.headers import Receipt
from schemas.rejections import Rejected
from tests.headroom.audit.pipeline import TIME, Pipeline

ACCOUNTS = st.sampled_from(["a", "b", "with space/and\nline", "🙂"])
IDS = ACCOUNTS.map(json.dumps)
NAMES = st.sampled_from(["btc", "BTC", "eth", "eur", "ß", "usd"])
PLAIN = st.decimals(-(10**38) + 1, 10**38 - 1, places=3, allow_nan=False).map("{:f}".format)
TEXTS = PLAIN | st.sampled_from(
    ["0", "-0", "-0.00", "1.10", "0.000", "007", "9" * 38 + "." + "1" * 38]
)
NUMBERS = st.sampled_from(
    ["0", "-0", "1.10", "0.5", "1000", "1e3", "1.50e-2", "-0.0", "1e37", "1E-38", "0e9", "0.00e5"]
) | st.decimals(-1000, 1000, places=2, allow_nan=False).map("{:f}".format)
JUNK = st.sampled_from(
    ["null", "1", '"1"', "true", "[]", "{}", '" 1"', "NaN", '"1_0"', '"\\ud800"', "1e99", '""', "x"]
)


def member(name, value):
    return f"{json.dumps(name)}:{value}"


@st.composite
def objects(draw, fields, *, odd):
    """The text of an object; where it may be odd, a field is missing, junk, unknown or twice."""
    members = [member(name, draw(value)) for name, value in fields.items()]
    if odd and draw(st.integers(0, 5)) == 0:
        position = draw(st.integers(0, len(members) - 1))
        name = list(fields)[position]
        match draw(st.integers(0, 3)):
            case 0:
                del members[position]
            case 1:
                members[position] = member(name, draw(JUNK))
            case 2:
                members.append(member(name, draw(JUNK)))
            case _:
                members.append(member("more", draw(JUNK)))
    return "{" + ",".join(members) + "}"


def lists(items):
    return st.lists(items, max_size=3).map(lambda found: "[" + ",".join(found) + "]")


def as_text(body):
    """An object, or the same as a JSON text in a string."""
    return body | body.map(json.dumps)


WEB3 = {
    "currency": NAMES.map(json.dumps),
    "address": st.just('"x"'),
    "network": st.just('"solana"'),
    "balance": TEXTS.map(json.dumps),
}


def sfox_frames(account, *, odd):
    amounts = TEXTS.map(json.dumps)
    update = {"currency": NAMES.map(json.dumps)} | dict.fromkeys(
        ("balance", "available", "held", "trading_wallet", "new_wallet"), amounts
    )
    payload = {
        "user_id": st.just(json.dumps(account)),
        "updates": lists(objects(update, odd=odd) | objects(WEB3, odd=odd)),
    }
    return objects(
        {
            "sequence": st.integers(0, 5).map(str),
            "recipient": st.just('"private.enterprise.users.balances"'),
            "timestamp": st.sampled_from(
                ["1710367225302228171", "1710367225302228", "null", "1.5"]
            ),
            "payload": as_text(objects(payload, odd=odd)),
        },
        odd=odd,
    )


def hercle_frames(account, *, odd):
    unknown = NUMBERS | st.just("null")
    asset = {
        "name": NAMES.map(json.dumps),
        "available": NUMBERS,
        "allocated": NUMBERS,
        "currentExposure": unknown,
        "maxExposure": unknown,
    }
    data = {
        "userId": st.just(json.dumps(account)) if account is not None else IDS,
        "sequence": st.integers(0, 5).map(str),
        "assets": lists(objects(asset, odd=odd)),
        "baseCurrency": st.sampled_from(['"EUR"', '"usd"', "null"]),
        "totalCurrentExposure": unknown,
        "totalMaxExposure": unknown,
        "deleted": st.sampled_from(["true", "false", "false"]),
    }
    bodies = objects(data, odd=odd)
    event = {
        "subject": st.just('"account.balances.snapshot"'),
        "data": as_text(bodies if account is not None else bodies | lists(bodies)),
    }
    events = objects(event, odd=odd)
    return objects(
        {
            "type": st.just("1"),
            "target": st.just('"executionEvents"'),
            "arguments": lists(events) if account is None else events.map("[{}]".format),
        },
        odd=odd,
    )


@st.composite
def arrivals(draw):
    """A frame of either venue, with its account and the epoch it came in."""
    account, odd = draw(ACCOUNTS), draw(st.booleans())
    venue, frames = draw(st.sampled_from([("sfox", sfox_frames), ("hercle", hercle_frames)]))
    if venue == "hercle" and draw(st.booleans()):
        account = None  # of several accounts, or of one, or of none
    return venue, draw(frames(account, odd=odd)).encode(), account, draw(st.integers(1, 2))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(arrivals(), max_size=12), st.data())
def test_whatever_comes_the_records_pass_the_audit(frames, data):
    pipeline = Pipeline()
    kept = [arrival for arrival in frames if belongs_in_raw(*arrival[:2])]
    for venue, frame, sender, epoch in kept:
        repeat = data.draw(st.booleans())
        # A junk id may be a sound one: the producer keys a frame by the id that it has.
        first, *others = read_parts(venue, frame)
        account = first.account or (None if others else sender)
        record = pipeline.frame(venue, frame, account=account, epoch=epoch)
        if repeat:
            # A worker that died before its commit reads the record again.
            pipeline.normalise(venue, record)
    audit = check(pipeline.world(sent=pipeline.sent))
    assert audit.findings == []
    assert audit.lost == 0
    assert audit.normalised + audit.dead_lettered == audit.raw == audit.frames == len(kept)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(
        sfox_frames("a", odd=True), hercle_frames("a", odd=True), hercle_frames(None, odd=True)
    ),
    st.data(),
)
def test_a_frame_that_was_cut_or_altered_has_the_same_reason_in_both(frame, data):
    position = data.draw(st.integers(0, len(frame)))
    put = data.draw(st.sampled_from(["", "}", '"', "\\", "[" * 65, "\ufeff", "\x00", "é"]))
    altered = (frame[:position] + put + frame[position + data.draw(st.integers(0, 3)) :]).encode()
    for venue, normalise in NORMALISERS.items():
        outcome = normalise(RawFrame(altered, Receipt(1, 1, TIME), Source("t", 0, 0)))
        reasons = [
            one.reason.value if isinstance(one, Rejected) else None
            for one in (outcome if isinstance(outcome, tuple) else [outcome])
        ]
        assert [reading.reason for reading in read_parts(venue, altered)] == reasons
