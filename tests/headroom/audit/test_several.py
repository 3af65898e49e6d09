"""The audit of records that tell of several accounts: one raw record, all of its outcomes (I2)."""

import msgspec
import pytest

from headroom.audit import check
from schemas import topics
from tests.headroom.audit.frames import EUR, USDT, hercle, several
from tests.headroom.audit.pipeline import Pipeline
from tests.headroom.audit.test_soundness import changed, header, invariants, repeated, without

RAW = "raw.hercle.balances.v1"


@pytest.fixture
def world():
    """Two records of several accounts, in the first of which one cannot be read, and one of one."""
    made = Pipeline()
    bad = hercle("b", 1, USDT).replace(b'"sequence":1', b'"sequence":null')
    made.frame("hercle", several(hercle("a", 1, USDT), bad, hercle("c", 1, EUR)), account="a")
    made.frame("hercle", several(hercle("a", 2, EUR), hercle("b", 2, EUR)), account="a")
    made.frame("hercle", several(hercle("c", 2, USDT)), account="c")
    return made.world(sent=made.sent)


def of_part(world, topic, identity):
    """Where in a topic the outcome of this identity lies."""
    for number, record in enumerate(world.of(topic)):
        if topic == topics.BALANCES and record.header("ce_id") == identity:
            return number
    raise AssertionError(identity)


def renamed(world, number, **headers):
    record = world.of(topics.BALANCES)[number]
    found = record.headers
    for name, text in headers.items():
        found = header(msgspec.structs.replace(record, headers=found), name, text)
    return changed(world, topics.BALANCES, number, headers=found)


def test_a_good_world_is_sound_and_counts_records(world):
    audit = check(world)
    assert audit.findings == []
    assert (audit.frames, audit.raw, audit.normalised, audit.dead_lettered) == (3, 3, 2, 1)
    assert (audit.users, audit.repeated, audit.lost) == (3, 0, 0)


@pytest.mark.parametrize("number", range(5))
def test_an_outcome_that_is_not_there_is_missed(world, number):
    audit = check(without(world, topics.BALANCES, number))
    assert "I2" in {finding.invariant for finding in audit.findings}
    assert audit.lost >= 1


def test_a_part_of_the_dead_letters_is_missed_and_named(world):
    audit = check(without(world, topics.DEAD_LETTERS, 0))
    assert [finding.problem for finding in audit.findings] == ["has no outcome for account 1"]
    assert audit.lost == 1


def test_a_part_that_is_told_again_is_counted_and_sound(world):
    first = of_part(world, topics.BALANCES, f"{RAW}/0/0/0")
    for topic, number in ((topics.BALANCES, first), (topics.DEAD_LETTERS, 0)):
        audit = check(repeated(world, topic, number))
        assert (audit.findings, audit.repeated) == ([], 1)


def test_the_same_part_with_other_bytes_is_found(world):
    first = of_part(world, topics.BALANCES, f"{RAW}/0/0/0")
    value = world.of(topics.BALANCES)[first].value
    assert "I2" in invariants(repeated(world, topics.BALANCES, first, value=value + b" "))


@pytest.mark.parametrize("identity", [f"{RAW}/0/0", f"{RAW}/0/0/3", f"{RAW}/0/0/2"])
def test_an_outcome_under_another_number_is_found(world, identity):
    first = of_part(world, topics.BALANCES, f"{RAW}/0/0/0")
    assert "I2" in invariants(renamed(world, first, ce_id=identity.encode()))


def test_a_number_where_there_is_one_account_is_found(world):
    (alone,) = [r for r in world.of(topics.BALANCES) if r.header("ce_id").count("/") == 2]
    number = world.of(topics.BALANCES).index(alone)
    identity = f"{alone.header('ce_id')}/0".encode()
    assert "I2" in invariants(renamed(world, number, ce_id=identity))


def test_a_wrong_count_of_parts_is_found(world):
    first = of_part(world, topics.BALANCES, f"{RAW}/0/0/0")
    assert "I2" in invariants(renamed(world, first, **{"headroom.parts": b"2"}))
    letter = world.of(topics.DEAD_LETTERS)[0]
    for headers in (
        header(letter, "headroom.parts", b"2"),
        header(letter, "headroom.part", b"0"),
        header(letter, "headroom.part", b"x"),
        tuple(one for one in letter.headers if one[0] != "headroom.part"),
        tuple(one for one in letter.headers if one[0] != "headroom.parts"),
    ):
        assert "I2" in invariants(changed(world, topics.DEAD_LETTERS, 0, headers=headers))


def test_another_accounts_reason_is_found(world):
    letter = world.of(topics.DEAD_LETTERS)[0]
    headers = header(letter, "headroom.reason", b"amount")
    assert "I2" in invariants(changed(world, topics.DEAD_LETTERS, 0, headers=headers))


def test_a_part_in_both_topics_is_found(world):
    letter, raw = world.of(topics.DEAD_LETTERS)[0], world.of(RAW)[0]
    headers = header(letter, "headroom.part", b"0")
    bad = repeated(world, topics.DEAD_LETTERS, 0, headers=headers)
    assert any("and in deadletters.v1 for account 0" in f.problem for f in check(bad).findings)
    assert raw.value == letter.value


@pytest.mark.parametrize("key", [b"c", None])
def test_a_record_of_several_accounts_under_another_key_than_the_first_ones_is_found(world, key):
    letter = world.of(topics.DEAD_LETTERS)[0]
    bad = changed(changed(world, RAW, 0, key=key), topics.DEAD_LETTERS, 0, key=key)
    assert "I1" in invariants(bad)
    assert letter.key == b"a"


def corrected(world, *records):
    found = {topic: list(kept) for topic, kept in world.records.items()}
    for topic, record in records:
        headers = (*record.headers, ("headroom.generation", b"g"))
        found[topic].append(msgspec.structs.replace(record, offset=1000, headers=headers))
    return msgspec.structs.replace(world, records=found)


def test_accounts_that_are_told_of_now_stand_for_a_whole_that_could_not_be_read(world):
    """As after an upgrade: the former version buried the list, a promotion tells of it anew."""
    letter = world.of(topics.DEAD_LETTERS)[0]
    whole = tuple(h for h in letter.headers if h[0] not in ("headroom.part", "headroom.parts"))
    of_first = [r for r in world.of(topics.BALANCES) if r.header("ce_id").startswith(f"{RAW}/0/0/")]
    others = [r for r in world.of(topics.BALANCES) if r not in of_first]
    former = msgspec.structs.replace(letter, headers=header_of(whole, b"wrong_type"))
    before = msgspec.structs.replace(
        world,
        records={**world.records, topics.BALANCES: others, topics.DEAD_LETTERS: [former]},
    )
    assert "I2" in invariants(before)
    again = [(topics.BALANCES, record) for record in of_first]
    after = corrected(before, *again, (topics.DEAD_LETTERS, letter))
    assert [f for f in check(after).findings if f.invariant == "I2"] == []


def header_of(headers, reason):
    return tuple((n, reason if n == "headroom.reason" else text) for n, text in headers)
