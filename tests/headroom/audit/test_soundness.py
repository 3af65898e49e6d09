"""Each invariant's check goes red when it is broken, and only then."""

import json

import msgspec
import pytest

from headroom.audit import Record, Sent, check, check_answers
from schemas import topics
from schemas.headers import RawHeaders
from schemas.venues import VENUES
from tests.headroom.audit.frames import EUR, USDT, hercle, sfox, web3
from tests.headroom.audit.pipeline import TIME, Pipeline

RAW = "raw.sfox.balances.v1"


@pytest.fixture
def pipeline():
    """Both venues, a revised, a stale and a repeated frame, a deletion, and what cannot be read."""
    made = Pipeline()
    made.frame("sfox", sfox("a", 1, {"btc": "1.10", "eth": "0"}), account="a")
    made.frame("sfox", sfox("b", 2, {"btc": "2", "usd": "5"}), account="b")
    made.frame("sfox", b'{"cut', account=None)
    made.frame("sfox", sfox("a", 3, {"btc": "3.125"}), account="a")
    made.frame("sfox", sfox("a", 3, {"btc": "1.10"}), account="a")
    made.frame("sfox", sfox("a", 3, {"btc": "1.10"}), account="a")
    made.frame("sfox", sfox("a", 2, {"btc": "9"}), account="a")
    made.frame("hercle", hercle("h", 1, f"{USDT},{EUR}"), account="h")
    made.frame("hercle", hercle("k", 1, EUR, max_="null"), account="k")
    made.frame("hercle", hercle("gone", 1, USDT), account="gone")
    made.frame("hercle", hercle("gone", 2, USDT, deleted=True), account="gone")
    return made


@pytest.fixture
def world(pipeline):
    return pipeline.world(sent=pipeline.sent)


def changed(world, topic, position, **changes):
    """The world with one record that is otherwise."""
    records = {**world.records, topic: list(world.of(topic))}
    records[topic][position] = msgspec.structs.replace(records[topic][position], **changes)
    return msgspec.structs.replace(world, records=records)


def without(world, topic, position):
    records = {**world.records, topic: list(world.of(topic))}
    del records[topic][position]
    return msgspec.structs.replace(world, records=records)


def with_value(world, topic, key, change):
    """The world in which the last document of a key was changed by `change`."""
    found = world.of(topic)
    position = max(n for n, record in enumerate(found) if record.key == key)
    document = json.loads(found[position].value)
    change(document)
    return changed(world, topic, position, value=json.dumps(document).encode())


def repeated(world, topic, position, **changes):
    """The world in which a record lies a second time, at the end of its partition."""
    record = world.of(topic)[position]
    again = msgspec.structs.replace(record, offset=1000, **changes)
    return msgspec.structs.replace(
        world, records={**world.records, topic: [*world.of(topic), again]}
    )


def invariants(world):
    return {finding.invariant for finding in check(world).findings}


def header(record, name, text):
    return tuple((key, text if key == name else value) for key, value in record.headers)


def test_a_good_world_is_sound_and_counted(world):
    audit = check(world)
    assert audit.findings == []
    assert audit.sound
    assert (audit.frames, audit.raw, audit.normalised, audit.dead_lettered) == (11, 11, 10, 1)
    assert (audit.users, audit.assets, audit.repeated, audit.lost) == (4, 5, 0, 0)


def test_an_empty_world_is_sound():
    assert check(Pipeline().world()).sound


def test_a_world_written_by_hand_is_sound():
    """Not through any code of the product: the contract's own example, literally."""
    time = b"2024-03-13T22:00:25.310000000Z"
    frame = sfox("test3", 22, {"btc": "1.10"})
    raw = Record(
        RAW, 1, 22, b"test3", frame, (("epoch", b"5"), ("receipt", b"1"), ("received_time", time))
    )
    asset = {"total": "1.10", "available": "1.10", "held": "0"}
    snapshot = {
        "user": "sfox:test3", "venue": "sfox", "account": "test3", "epoch": 5, "sequence": 22,
        "receipt": 1, "venue_time": "2024-03-13T22:00:25.302228171Z",
        "received_time": time.decode(), "deleted": False,
        "assets": {"BTC": {**asset, "wallets": {}, "exposure": None}}, "exposure": None,
        "source": {"topic": RAW, "partition": 1, "offset": 22},
    }  # fmt: skip
    documents = {
        "balances.v1": ("sfox:test3", f"{RAW}/1/22", snapshot),
        "balances.latest.v1": ("sfox:test3", "balances.latest.v1/sfox:test3/1",
            {"user": "sfox:test3", "accounts": [snapshot], "totals": {"BTC": asset}, "version": 1}),
        "exposure.user.v1": ("sfox:test3", "exposure.user.v1/sfox:test3/1",
            {"user": "sfox:test3", "assets": {"BTC": {**asset, "by_venue": {"sfox": "1.10"}}},
             "limits": [], "version": 1}),
        "exposure.asset.v1": ("BTC", "exposure.asset.v1/BTC/1",
            {"asset": "BTC", **asset, "users": 1, "by_venue": {"sfox": {**asset, "users": 1}},
             "version": 1}),
    }  # fmt: skip
    made = Pipeline()
    made.records[RAW] = [raw]
    names = ("specversion", "source", "type", "subject", "dataschema")
    for topic, (key, identity, document) in documents.items():
        headers = (
            *((f"ce_{name}", b"x") for name in names),
            ("ce_id", identity.encode()),
            ("ce_time", time),
            ("content-type", b"application/json"),
        )
        value = json.dumps(document).encode()
        made.records[topic] = [Record(topic, 0, 0, key.encode(), value, headers)]
    assert check(made.world(sent=[Sent("sfox", frame, "x:1")])).findings == []


def test_a_frame_that_is_not_in_raw_is_lost(world):
    sent = [*world.sent, Sent("sfox", sfox("a", 99), "sfox.jsonl:99")]
    audit = check(msgspec.structs.replace(world, sent=sent))
    assert [(f.invariant, f.where) for f in audit.findings] == [("I1", "sfox.jsonl:99")]
    assert audit.lost == 1


def test_a_frame_sent_twice_must_be_there_twice(world):
    sent = [*world.sent, world.sent[0]]
    assert check(msgspec.structs.replace(world, sent=sent)).lost == 1


def test_a_frame_in_raw_that_nobody_sent_is_found(world):
    audit = check(msgspec.structs.replace(world, sent=world.sent[1:]))
    assert {f.invariant for f in audit.findings} == {"I1"}
    assert audit.lost == 0


@pytest.mark.parametrize(
    ("fault", "canaries"), [("key-in-message", ()), (None, (b"canary-key",)), (None, ())]
)
@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_frame_with_a_key_lies_in_raw_without_it_once(pipeline, fault, canaries, times):
    """Its bytes are others there, so it is counted; what was no secret may not be redacted."""
    sent = Sent("sfox", b'{"notice": "api key canary-key"}', "sfox.jsonl:99", fault)
    for _ in range(times):
        receipt = len(pipeline.records[RAW]) + 1
        headers = [
            *RawHeaders("sfox", VENUES["sfox"].feed, 1, receipt, TIME).encode(),
            ("headroom.redacted", b"1"),
        ]
        frame = b'{"notice": "api key Secret(hidden)"}'
        pipeline.frame("sfox", frame, account=None, headers=headers)
        pipeline.sent.pop()
    world = pipeline.world(sent=[*pipeline.sent, sent])
    found = check(msgspec.structs.replace(world, canaries=canaries))
    told = fault is not None or canaries != ()
    assert found.lost == (times == 0 if told else 1)
    assert found.sound == (told and times == 1)
    assert {f.invariant for f in found.findings} <= {"I1"}


def test_an_answer_in_the_journal_is_not_looked_for(world):
    sent = [*world.sent, Sent("sfox", b'{"type":"error"}', "x"), Sent("hercle", b'{"type":6}', "x")]
    assert check(msgspec.structs.replace(world, sent=sent)).sound


@pytest.mark.parametrize(("value", "wrong"), [(None, False), (b"other", True)])
def test_a_frame_that_its_producer_sent_again_is_no_finding_of_raw(world, value, wrong):
    records = world.of(RAW)
    again = msgspec.structs.replace(records[0], offset=len(records) + 9, partition=7)
    if value is not None:
        again = msgspec.structs.replace(again, value=value)
    more = {**world.records, RAW: [*records, again]}
    found = check(msgspec.structs.replace(world, records=more)).findings
    assert any("twice" in one.problem or "more than" in one.problem for one in found) == wrong


def test_a_receipt_that_stands_twice_or_is_missing_is_found(world):
    record = world.of(RAW)[1]
    for receipt in (b"1", b"40"):
        bad = changed(world, RAW, 1, headers=header(record, "receipt", receipt))
        assert "I1" in invariants(bad)


def test_a_raw_record_under_a_foreign_key_is_found(world):
    assert "I1" in invariants(changed(world, RAW, 0, key=b"b"))


def test_a_raw_record_without_an_outcome_is_lost(world):
    audit = check(without(world, topics.DEAD_LETTERS, 0))
    assert audit.lost == 1
    assert audit.dead_lettered == 0
    assert {f.invariant for f in audit.findings} == {"I2"}


def test_a_raw_record_with_both_outcomes_is_found(world):
    letter = world.of(topics.DEAD_LETTERS)[0]
    first = world.of(RAW)[0]
    headers = (*first.headers, *(h for h in letter.headers if h[0].startswith("__")))
    headers = tuple(
        (name, b"%d" % getattr(first, name.rpartition(".")[2]))
        if name.endswith((".partition", ".offset"))
        else (name, value)
        for name, value in headers
    )
    bad = repeated(world, topics.DEAD_LETTERS, 0, key=first.key, value=first.value, headers=headers)
    assert any("and in deadletters.v1" in f.problem for f in check(bad).findings)


def test_a_repeated_outcome_is_counted_and_sound(world):
    last = len(world.of(topics.BALANCES)) - 1
    for topic, position in (
        (topics.BALANCES, last),
        (topics.BALANCES, 0),
        (topics.DEAD_LETTERS, 0),
    ):
        audit = check(repeated(world, topic, position))
        assert audit.findings == []
        assert audit.repeated == 1


def test_other_bytes_under_the_same_identity_are_found(world):
    value = world.of(topics.BALANCES)[0].value
    assert "I2" in invariants(repeated(world, topics.BALANCES, 0, value=value + b" "))
    assert "I2" in invariants(repeated(world, topics.DEAD_LETTERS, 0, value=b"other"))
    record = world.of(topics.BALANCES_LATEST)[0]
    other = record.value.replace(b"1.10", b"1.11")
    assert "I5" in invariants(repeated(world, topics.BALANCES_LATEST, 0, value=other))


def test_a_dead_letter_keeps_key_and_headers_and_has_the_right_reason(world):
    letter = world.of(topics.DEAD_LETTERS)[0]
    for change in (
        {"key": b"x"},
        {"headers": letter.headers[1:]},
        {"headers": header(letter, "headroom.reason", b"amount")},
    ):
        assert "I2" in invariants(changed(world, topics.DEAD_LETTERS, 0, **change))


def test_a_wrong_digit_in_a_snapshot_is_found(world):
    value = world.of(topics.BALANCES)[1].value.replace(b'"2"', b'"2.0"')
    assert "I2" in invariants(changed(world, topics.BALANCES, 1, value=value))


def test_an_outcome_of_no_raw_record_is_found(world):
    record = world.of(topics.BALANCES)[0]
    headers = header(record, "ce_id", b"raw.sfox.balances.v1/0/77")
    assert "I2" in invariants(repeated(world, topics.BALANCES, 0, headers=headers))


def test_what_retention_took_is_not_missed(world):
    first = world.of(topics.BALANCES)[0].header("ce_id").rsplit("/", 2)
    cut = without(world, RAW, 0)
    starts = {(first[0], int(first[1])): int(first[2]) + 1}
    cut = msgspec.structs.replace(cut, sent=(), starts=starts)
    assert check(cut).findings == []


def test_the_order_of_an_account_is_kept(world):
    positions = [n for n, r in enumerate(world.of(topics.BALANCES)) if r.key == b"sfox:a"]
    records = list(world.of(topics.BALANCES))
    first, second = positions[0], positions[1]
    records[first], records[second] = records[second], records[first]
    bad = msgspec.structs.replace(world, records={**world.records, topics.BALANCES: records})
    assert "order" in invariants(bad)


def test_a_stale_user_is_lost(world):
    positions = [n for n, r in enumerate(world.of(topics.BALANCES_LATEST)) if r.key == b"sfox:a"]
    audit = check(without(world, topics.BALANCES_LATEST, positions[-1]))
    assert {f.invariant for f in audit.findings} == {"I3"}
    assert audit.lost == 1


def test_a_user_without_a_tombstone_is_found(world):
    for topic, invariant in ((topics.BALANCES_LATEST, "I3"), (topics.EXPOSURE_USER, "I4")):
        last = max(n for n, r in enumerate(world.of(topic)) if r.key == b"hercle:gone")
        audit = check(without(world, topic, last))
        assert {f.invariant for f in audit.findings} == {invariant}


def test_a_user_whom_nobody_made_is_found(world):
    headers = header(
        world.of(topics.BALANCES_LATEST)[0], "ce_id", b"balances.latest.v1/sfox:ghost/1"
    )
    bad = repeated(world, topics.BALANCES_LATEST, 0, key=b"sfox:ghost", headers=headers)
    assert "I3" in invariants(bad)


def set_to(path, value):
    def change(document):
        *parents, last = path
        for name in parents:
            document = document[name]
        document[last] = value

    return change


@pytest.mark.parametrize(
    ("topic", "key", "path", "value"),
    [
        (topics.BALANCES_LATEST, b"sfox:b", ["totals", "BTC", "total"], "2.0"),
        (topics.EXPOSURE_USER, b"sfox:b", ["assets", "BTC", "by_venue", "sfox"], "3"),
        (topics.EXPOSURE_USER, b"hercle:h", ["limits", 0, "utilisation"], "0.953334"),
        (topics.EXPOSURE_USER, b"hercle:h", ["limits", 0, "headroom"], "71"),
        (topics.EXPOSURE_ASSET, b"BTC", ["total"], "3.1"),
        (topics.EXPOSURE_ASSET, b"BTC", ["held"], "0.00"),
        (topics.EXPOSURE_ASSET, b"BTC", ["users"], 1),
        (topics.EXPOSURE_ASSET, b"BTC", ["by_venue"], {}),
        (topics.EXPOSURE_ASSET, b"ETH", ["users"], 1),
        (topics.EXPOSURE_BASE, b"EUR", ["current"], "1430"),
        (topics.EXPOSURE_BASE, b"EUR", ["max"], "1500"),
        (topics.EXPOSURE_BASE, b"EUR", ["accounts"], 3),
    ],
)
def test_a_wrong_part_of_a_document_is_found_and_counted(world, topic, key, path, value):
    audit = check(with_value(world, topic, key, set_to(path, value)))
    assert audit.lost == 1
    assert {f.invariant for f in audit.findings} <= {"I3", "I4", "I5"}


def test_sums_have_the_places_of_the_finest_addend_and_unknown_parts_make_them_unknown(world):
    last = {record.key: json.loads(record.value) for record in world.of(topics.EXPOSURE_ASSET)}
    assert last[b"BTC"]["total"] == "3.10"
    base = json.loads(world.of(topics.EXPOSURE_BASE)[-1].value)
    assert (base["current"], base["max"]) == ("2860", None)


def test_an_asset_without_a_record_is_lost(world):
    records = [r for r in world.of(topics.EXPOSURE_ASSET) if r.key != b"ETH"]
    bad = msgspec.structs.replace(world, records={**world.records, topics.EXPOSURE_ASSET: records})
    assert check(bad).lost == 1


def test_a_version_that_goes_back_is_found(world):
    for topic in (topics.BALANCES_LATEST, topics.EXPOSURE_USER, topics.EXPOSURE_ASSET):
        assert "I5" in invariants(repeated(world, topic, 0))


def test_a_version_that_its_ce_id_does_not_name_is_found(world):
    bad = with_value(world, topics.EXPOSURE_ASSET, b"BTC", set_to(["version"], 99))
    assert "I5" in invariants(bad)


def test_an_event_without_its_headers_is_found(world):
    record = world.of(topics.BALANCES)[0]
    headers = tuple(h for h in record.headers if h[0] != "ce_time")
    assert "headers" in invariants(changed(world, topics.BALANCES, 0, headers=headers))


@pytest.mark.parametrize("part", ["key", "value", "headers"])
def test_a_secret_is_found_wherever_it_stands_and_is_not_told(world, part):
    secret = b"canary-4711"
    found = (("x", b"my canary-4711!"),) if part == "headers" else b"my canary-4711!"
    record = msgspec.structs.replace(world.of(RAW)[0], topic="headroom-x", **{part: found})
    audit = check(msgspec.structs.replace(world, others=[record], canaries=[b"", secret]))
    assert [f.invariant for f in audit.findings] == ["I6"]
    assert "4711" not in str(audit)


def test_what_cannot_be_read_is_a_finding_and_no_crash(world):
    for value in (b"{", b"[]", b"\xff", b"{}", None, b'{"version": 1.5}', b'{"assets": 3}'):
        for topic in (topics.BALANCES, topics.BALANCES_LATEST, topics.EXPOSURE_ASSET):
            assert not check(changed(world, topic, 0, value=value, key=b"x")).sound
            alive = max(n for n, r in enumerate(world.of(topic)) if r.key in (b"sfox:a", b"BTC"))
            assert not check(changed(world, topic, alive, value=value)).sound


def test_findings_are_bounded_and_counted(world):
    sent = [Sent("sfox", sfox("a", 100 + n), "x" * 1000) for n in range(500)]
    audit = check(msgspec.structs.replace(world, sent=sent))
    assert audit.lost == 500
    assert audit.findings_total > 500
    assert len(audit.findings) <= 200
    assert all(len(finding.where) <= 400 for finding in audit.findings)


def test_answers_are_held_against_the_fold(world):
    def last(topic):
        records = {record.key.decode(): record.value for record in world.of(topic)}
        return {key: value and json.loads(value) for key, value in records.items()}

    balances, exposures = last(topics.BALANCES_LATEST), last(topics.EXPOSURE_USER)
    for answer in balances.values():
        if answer is not None:
            answer["freshness"] = {"stale": False}
    assert check_answers(world, balances=balances, exposures=exposures) == []
    balances["sfox:a"]["totals"]["BTC"]["total"] = "1.1"
    del exposures["hercle:h"]
    exposures["hercle:gone"] = {"user": "hercle:gone"}
    found = check_answers(world, balances=balances, exposures=exposures)
    assert {(f.invariant, f.where) for f in found} == {
        ("I3", "HTTP sfox:a"),
        ("I4", "HTTP hercle:h"),
        ("I4", "HTTP hercle:gone"),
    }


@pytest.fixture
def others():
    """A user of whom there is more than is told, and one whose venue counts limits in assets."""
    made = Pipeline(in_assets={"hercle"})
    made.frame("sfox", web3("a", 1), account="a")
    made.frame("hercle", hercle("h", 1, USDT), account="h")
    return made.world(sent=made.sent, in_assets={"hercle"})


def test_unknown_assets_and_limits_in_assets_are_sound(others):
    assert check(others).findings == []


@pytest.mark.parametrize(
    ("topic", "invariant"),
    [
        (topics.BALANCES, "I2"),
        (topics.BALANCES_LATEST, "I3"),
        (topics.EXPOSURE_USER, "I4"),
    ],
)
@pytest.mark.parametrize("told", [["ETH"], [], None])
def test_unknown_assets_must_be_told_of(others, topic, invariant, told):
    def change(document):
        document["unknown"] = told
        if told is None:
            del document["unknown"]

    assert invariant in invariants(with_value(others, topic, b"sfox:a", change))


def test_an_asset_that_is_known_must_not_be_told_to_be_unknown(world):
    def change(document):
        document["unknown"] = ["BTC"]

    assert "I2" in invariants(with_value(world, topics.BALANCES, b"sfox:b", change))
    assert "I3" in invariants(with_value(world, topics.BALANCES_LATEST, b"sfox:b", change))


def test_what_became_unknown_is_another_content(others):
    """The same sequence once more, without the entry of another kind: it has to be told."""
    made = Pipeline()
    made.frame("sfox", web3("a", 1), account="a")
    made.frame("sfox", sfox("a", 1), account="a")
    world = made.world(sent=made.sent)
    assert check(world).findings == []
    assert len(world.of(topics.BALANCES_LATEST)) == 2
    assert "I3" in invariants(without(world, topics.BALANCES_LATEST, 1))


def test_a_base_currency_of_an_assets_limit_is_found_where_it_is_an_amount_of_the_asset(others):
    for number, base in ((1, "EUR"), (0, None)):
        bad = with_value(
            others,
            topics.EXPOSURE_USER,
            b"hercle:h",
            set_to(["limits", number, "base_currency"], base),
        )
        assert "I4" in invariants(bad)
    assert "I4" in invariants(msgspec.structs.replace(others, in_assets=()))
