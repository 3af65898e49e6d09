"""Events as text: what one worker writes another one takes apart, wherever the bytes are cut."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.http.events import text
from processors.http.events.text import RETRY, Reading, TooLong
from processors.http.events.wanted import Wanted, narrowed

users = st.text(max_size=8)
documents = st.builds(
    lambda user, said: msgspec.json.encode({"user": user, "said": said}),
    users,
    st.text(max_size=20),
)
events = st.builds(text.event, st.sampled_from(["balances", "freshness"]), documents)
stretches = st.lists(
    st.tuples(
        st.lists(events, max_size=4).map(text.joined),
        st.from_regex(r"[0-9]\.[a-f0-9]{4}\.[0-9]{1,3}", fullmatch=True),
    ),
    max_size=6,
)


@given(stretches, st.sampled_from([b"", RETRY]), st.data())
def test_what_is_sent_is_read_however_it_is_cut(
    sent: list[tuple[bytes, str]], first: bytes, data: st.DataObject
) -> None:
    said = first + b"".join(part for one in sent for part in text.ended(*one))
    reading, read = Reading(1_000_000), list[tuple[bytes, str]]()
    while said:
        size = data.draw(st.integers(1, len(said)))
        read += [(one.text, one.id) for one in reading.take(said[:size])]
        said = said[size:]
    assert read == sent


@given(st.lists(st.tuples(users, st.text(max_size=9)), max_size=6), st.frozensets(users))
def test_only_whose_events_are_wanted_are_passed_on(
    said: list[tuple[str, str]], wanted: frozenset[str]
) -> None:
    told = [text.event("balances", json.dumps({"said": a, "user": u}).encode()) for u, a in said]
    keys = frozenset(user.encode("utf-8", "surrogatepass") for user in wanted)
    kept = text.only_of(text.joined(told), keys) if told else b""
    assert kept == text.joined(
        one for one, (user, _) in zip(told, said, strict=True) if user in wanted
    )


def test_a_stretch_without_an_end_is_not_kept_for_ever() -> None:
    reading = Reading(100)
    with pytest.raises(TooLong):
        list(reading.take(b"event: balances\ndata: " + b"x" * 100))


def test_what_is_said_of_partitions_is_known_from_what_is_said_of_users() -> None:
    made = text.control("moved", partitions=[1, 2], to="http://b", workers=["http://b"])
    kind, said = text.control_of(made) or ("", None)
    assert kind == "moved"
    assert said is not None
    assert (said.partitions, said.to) == ([1, 2], "http://b")
    told = text.event("balances", b'{"user":"x","partitions":[1],"event: moved":1}')
    assert text.control_of(told) is None


def test_who_may_see_some_users_is_told_of_no_others() -> None:
    some, other = frozenset({"a", "b"}), frozenset({"b", "c"})
    assert narrowed(None, None) is None
    assert narrowed(None, some) == some
    assert narrowed(other, some) == {"b"}
    assert narrowed(frozenset({"x"}), some) == frozenset()


def test_filters_are_all_met_each_by_one_of_its_names() -> None:
    wanted = Wanted(frozenset({"balances"}), None, frozenset({"BTC", "ETH"}), frozenset({"sfox"}))
    assert wanted.takes(frozenset({"ETH"}), frozenset({"sfox", "hercle"}))
    assert not wanted.takes(frozenset({"ETH"}), frozenset({"hercle"}))
    assert not wanted.takes(frozenset(), frozenset({"sfox"}))
