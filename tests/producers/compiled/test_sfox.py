"""What is compiled of sFOX's short way says what the Python says, or nothing."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from producers import compiled
from producers.sfox.plain import plain_frames, plain_run
from tests.producers import frames

pytestmark = pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")

_HEAD = b'{"sequence":%d,"recipient":"private.enterprise.users.balances","timestamp":%d,'
_BODY = b'"payload":{"user_id":"a","updates":[%s]}}'
PLAIN = _HEAD + _BODY
NOON = 1710367225302228171

values = st.recursive(
    st.one_of(
        st.sampled_from([b'"1.5"', b"-1.50", b"0", b"-0", b"01", b"1.", b".5", b"1e5", b"-", b""]),
        st.sampled_from([b"true", b"false", b"null", b"nul", b'""', b'"', b'"\n"', b'"\xff"']),
        st.sampled_from([b'"\\u0041"', b'"\xc3\xa9"']),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda found: b"[" + b",".join(found) + b"]"),
        st.lists(inner, max_size=3).map(
            lambda found: b"{" + b", ".join(b'"n" :' + one for one in found) + b"}"
        ),
    ),
    max_leaves=8,
)
times = st.sampled_from([NOON, NOON - 5, NOON // 1_000, NOON // 10**6, 5, 0, 2**63 - 1, 2**64])
plain = st.tuples(times, values).map(lambda found: (found[0], PLAIN.replace(b"%s", found[1])))


def numbered(told: list[tuple[int, bytes]]) -> list[bytes]:
    """Frames of these times and forms, numbered from 7 on."""
    made = []
    for number, (time, form) in enumerate(told, start=7):
        made.append(form.replace(b"%d", b"%d" % number, 1).replace(b"%d", b"%d" % time, 1))
    return made


def check(messages: list[bytes], number: int) -> None:
    """All that is compiled is the Python's; both ways together are the Python alone."""
    found = compiled.plain_frames(messages, 0, number)
    if found is not None:
        assert found == plain_frames(messages[: len(found[0])], 0, number)
    whole = plain_frames(messages, 0, number)
    keys, contents, newest = list[bytes](), list[int](), None
    while (run := plain_run(messages, len(keys), number + len(keys))) is not None:
        keys += run[0]
        contents += run[1]
        newest = max(filter(None, (newest, run[2])), default=None)
    assert (whole or ([], [], None)) == (keys, contents, newest)


@given(st.lists(plain, max_size=8))
@example([(NOON, PLAIN.replace(b"%s", b"[" * 40 + b"]" * 40))])
def test_whatever_stands_in_frames_it_is_what_the_python_finds(
    told: list[tuple[int, bytes]],
) -> None:
    check(numbered(told), 7)


@given(st.integers(0, 400), st.binary(max_size=6), st.integers(0, 6))
def test_whatever_is_changed_in_a_frame(at: int, other: bytes, gone: int) -> None:
    message = frames.sfox(user="u", sequence=7)
    check([message[:at] + other + message[at + gone :], message], 7)


@given(st.binary(max_size=200))
def test_no_bytes_break_it(message: bytes) -> None:
    check([message], 7)


def test_a_frame_that_is_cut_anywhere_is_left_to_the_python() -> None:
    message = frames.sfox(user="u", sequence=7)
    assert compiled.plain_frames([message], 0, 7) is not None
    for end in range(len(message)):
        assert compiled.plain_frames([message[:end]], 0, 7) is None


def test_what_is_plain_is_taken_and_ends_where_the_next_number_is_missing() -> None:
    messages = [frames.sfox(user=f"u{number}", sequence=number) for number in (7, 8, 10, 11)]
    found = compiled.plain_frames(messages, 0, 7)
    assert found is not None
    assert found[0] == [b"u7", b"u8"]
    assert compiled.plain_frames(messages, 2, 9) is None
    assert compiled.plain_frames(messages, 4, 12) is None


@pytest.mark.parametrize("account", ["", "x" * 1_025])
def test_what_can_be_no_account_is_not_plain(account: str) -> None:
    assert compiled.plain_frames([frames.sfox(user=account, sequence=7)], 0, 7) is None


def test_members_come_in_any_order_and_once() -> None:
    members = [b'"sequence":7', b'"recipient":"private.enterprise.users.balances"']
    members += [b'"timestamp":5', b'"payload":{"updates":[],"user_id":"a"}']
    for _ in range(20):
        random.Random(1).shuffle(members)
        assert compiled.plain_frames([b"{" + b",".join(members) + b"}"], 0, 7) is not None
    for twice in members:
        message = b"{" + b",".join([*members, twice]) + b"}"
        assert compiled.plain_frames([message], 0, 7) is None
    for at in range(4):
        message = b"{" + b",".join(members[:at] + members[at + 1 :]) + b"}"
        assert compiled.plain_frames([message], 0, 7) is None
