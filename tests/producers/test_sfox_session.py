"""sFOX's protocol, message by message, without a socket."""

import json
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.compiled import nothing
from producers.outcomes import (
    Count,
    Established,
    InDoubt,
    Kind,
    Outcome,
    Publish,
    Reconnect,
    ReconnectReason,
    Send,
)
from producers.sfox import SfoxSession, plain
from schemas.secrets import Secret
from tests.producers import frames

KEY = "canary-key"
ANSWERED = Count(Kind.ANSWER)


def new() -> SfoxSession:
    session = SfoxSession(Secret(KEY), answer_seconds=10)
    session.start(0.0)
    return session


def live() -> SfoxSession:
    session = new()
    session.receive(frames.AUTHENTICATED, 1.0)
    session.receive(frames.SUBSCRIBED, 2.0)
    return session


def test_it_authenticates_then_subscribes_each_after_the_answer_to_the_one_before() -> None:
    session = SfoxSession(Secret(KEY), answer_seconds=10)
    (hello,) = session.start(0.0)
    assert json.loads(hello.text) == {"type": "authenticate", "apiKey": KEY, "enterprise": "true"}

    counted, ask = session.receive(frames.AUTHENTICATED, 1.0)
    assert counted == ANSWERED
    feeds = ["private.enterprise.users.balances"]
    assert json.loads(ask.text) == {"type": "subscribe", "feeds": feeds}

    assert session.receive(frames.SUBSCRIBED, 2.0) == (ANSWERED, Established())
    assert session.due == float("inf")


def test_a_text_to_be_sent_does_not_show_itself() -> None:
    assert KEY not in repr(SfoxSession(Secret(KEY), answer_seconds=10).start(0.0))


def test_a_refused_key_is_told_from_other_reasons_to_connect_again() -> None:
    _, outcome = new().receive(frames.WRONG_KEY, 1.0)
    assert outcome == Reconnect(ReconnectReason.KEY_REFUSED, "no reason given")


def test_the_venue_s_own_words_are_kept_but_not_the_key_in_them() -> None:
    words = f"no such key\n{KEY} " + "x" * 1000
    payload = {"action": "authenticate", "message": words}
    message = json.dumps({"type": "error", "payload": json.dumps(payload)}).encode()
    _, outcome = new().receive(message, 1.0)
    assert isinstance(outcome, Reconnect)
    assert outcome.detail.startswith("no such key Secret(hidden) xxx")
    assert len(outcome.detail) == 200


def test_a_refused_subscription_leads_to_a_reconnect() -> None:
    session = new()
    session.receive(frames.AUTHENTICATED, 1.0)
    refused = frames.SUBSCRIBED.replace(b"success", b"error")
    counted, outcome = session.receive(refused, 1.0)
    assert counted == Count(Kind.ERROR, "no reason given")
    assert isinstance(outcome, Reconnect)
    assert outcome.reason is ReconnectReason.REQUEST_REFUSED


def test_an_error_of_something_else_is_not_taken_for_a_wrong_key() -> None:
    message = b'{"type": "error", "payload": {"message": "too many requests"}}'
    _, outcome = new().receive(message, 1.0)
    assert isinstance(outcome, Reconnect)


@pytest.mark.parametrize("late_for", ["authenticate", "subscribe"])
def test_an_answer_that_does_not_come_leads_to_a_reconnect(late_for: str) -> None:
    session = new()
    if late_for == "subscribe":
        session.receive(frames.AUTHENTICATED, 5.0)
    assert not session.tick(session.due - 0.001)
    (outcome,) = session.tick(session.due)
    assert outcome == Reconnect(
        ReconnectReason.ANSWER_TIMEOUT, f"no answer to {late_for} within 10 s"
    )


def test_answers_out_of_order_and_twice_are_counted_and_change_nothing() -> None:
    session = new()
    assert session.receive(frames.SUBSCRIBED, 1.0) == (ANSWERED,)
    assert len(session.receive(frames.AUTHENTICATED, 1.0)) == 2
    assert session.receive(frames.AUTHENTICATED, 1.0) == (ANSWERED,)
    assert session.receive(frames.SUBSCRIBED, 1.0) == (ANSWERED, Established())
    assert session.receive(frames.SUBSCRIBED, 1.0) == (ANSWERED,)
    assert session.receive(frames.WRONG_KEY, 1.0)[0] == Count(Kind.ERROR, "no reason given")


def test_the_documented_frame_is_published_as_it_is_under_its_user() -> None:
    assert live().receive(frames.SFOX, 3.0) == (Publish(frames.SFOX, b"test3"),)


def test_a_frame_before_the_subscription_is_answered_is_published_too() -> None:
    assert new().receive(frames.SFOX, 0.5) == (Publish(frames.SFOX, b"test3"),)


def test_payload_may_be_a_text_that_holds_json() -> None:
    whole = json.loads(frames.SFOX)
    message = json.dumps(whole | {"payload": json.dumps(whole["payload"])}).encode()
    assert live().receive(message, 3.0) == (Publish(message, b"test3"),)


@pytest.mark.parametrize(
    ("user", "key"),
    [
        ("a b/c\n😀", "a b/c\n😀".encode()),
        ("x" * 1024, b"x" * 1024),
        ("x" * 1025, None),
        ("", None),
        (7, None),
        (None, None),
        (["test3"], None),
        ("\ud800", None),
    ],
)
def test_the_key_is_the_user_where_it_can_be_one(user: object, key: bytes | None) -> None:
    message = frames.sfox(user=user)
    assert live().receive(message, 3.0) == (Publish(message, key),)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xff\xfe\x00",
        b"hello",
        frames.SFOX[:-1],
        frames.SFOX.replace(b'"0"', b"NaN", 1),
        frames.SFOX.replace(b"test3", b"\xff"),
        frames.deep(100_000),
        b"[]",
        b'"text"',
        b"null",
        b"7",
    ],
    ids=range(11),
)
def test_what_is_no_json_object_is_published_without_a_key(message: bytes) -> None:
    assert live().receive(message, 3.0) == (Publish(message, None),)


@pytest.mark.parametrize(
    ("message", "key"),
    [
        (b"{}", None),
        (b'{"payload": {"user_id": "u"}}', b"u"),
        (b'{"recipient": 5, "payload": {"user_id": "u"}}', b"u"),
        (b'{"recipient": null}', None),
        (b'{"recipient": "private.enterprise.users.balances"}', None),
        (b'{"type": "success", "recipient": "private.enterprise.users.balances"}', None),
        (b'{"recipient": "private.enterprise.users.balances", "payload": "{"}', None),
        (b'{"recipient": "private.enterprise.users.balances", "recipient": "other"}', None),
        (b'{"type": "success", "type": "error"}', None),
    ],
)
def test_what_cannot_be_told_to_be_something_else_is_published(
    message: bytes, key: bytes | None
) -> None:
    assert live().receive(message, 3.0) == (Publish(message, key),)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (b'{"recipient": "ticker.sfox.btcusd", "payload": {}}', Kind.OTHER),
        (b'{"recipient": "", "payload": {}}', Kind.OTHER),
        (b'{"type": "pong"}', Kind.ANSWER),
        (b'{"type": null}', Kind.ANSWER),
        (b'{"type": "success", "recipient": 5}', Kind.ANSWER),
    ],
)
def test_what_is_something_else_is_counted_only(message: bytes, kind: Kind) -> None:
    assert live().receive(message, 3.0) == (Count(kind),)


def told(session: SfoxSession, sequence: int, timestamp: int | None, user: str = "u") -> str:
    """What a frame amounts to: published, in a new epoch, or beside a doubt of this cause."""
    message = frames.sfox(sequence, timestamp or 0, user)
    if timestamp is None:
        message = message.replace(b'"timestamp": 0, ', b"")
    outcome, *doubts = session.receive(message, 3.0)
    assert isinstance(outcome, Publish)
    assert outcome.frame == message
    if doubts:
        (doubt,) = doubts
        assert isinstance(doubt, InDoubt)
        assert not outcome.begins_epoch
        assert doubt.spares_last == (doubt.cause == "gap")
        return doubt.cause
    return "anew" if outcome.begins_epoch else "sound"


NOON = 1710367225302228171


def test_a_number_that_was_passed_over_puts_in_doubt_what_was_told_before_it() -> None:
    session = live()
    assert told(session, 22, NOON) == "sound"
    assert told(session, 24, NOON) == "gap"
    assert told(session, 25, NOON) == "sound"


@pytest.mark.parametrize("later_ns", [0, 1, 10**12])
def test_a_late_frame_begins_no_epoch_however_new_it_says_to_be(later_ns: int) -> None:
    session = live()
    assert told(session, 10, NOON) == "sound"
    assert told(session, 12, NOON + 5) == "gap"
    assert told(session, 11, NOON + 5 + later_ns) == "wrong_order"


@pytest.mark.parametrize("timed", [True, False])
def test_a_venue_that_counts_from_one_again_begins_an_epoch(timed: bool) -> None:  # noqa: FBT001
    session = live()
    for number in (22, 23, 24):
        assert told(session, number, NOON if timed else None, "a") == "sound"
    assert told(session, 1, NOON + 1 if timed else None, "b") == "anew"
    assert told(session, 2, NOON + 2 if timed else None, "b") == "sound"


@pytest.mark.parametrize("answers", [(None, None), (0, 1), (1, 2)])
def test_first_frames_out_of_order_begin_no_epoch_wherever_the_venue_counts_from(
    answers: tuple[int | None, int | None],
) -> None:
    """Only numbers that answers really had cannot be a frame's; which those are, nobody says."""
    session = new()
    for message, number in zip((frames.AUTHENTICATED, frames.SUBSCRIBED), answers, strict=True):
        answer = json.loads(message) | {"sequence": number}
        if number is None:
            del answer["sequence"]
        session.receive(json.dumps(answer).encode(), 2.0)
    begin = 0 if answers[1] is None else answers[1]
    session.receive(b'{"recipient": "another", "sequence": %d}' % (begin + 5), 2.0)
    assert told(session, begin + 2, None) == "sound"
    assert told(session, begin + 1, None, "v") == "wrong_order"


def test_a_number_that_was_used_begins_an_epoch_with_other_contents_and_none_with_the_same() -> (
    None
):
    session = live()
    for number in (22, 23, 24):
        assert told(session, number, None, f"u{number}") == "sound"
    assert told(session, 23, None, "u23") == "sound"
    assert told(session, 23, None, "another") == "anew"
    assert told(session, 24, None, "u24") == "sound"


def test_what_nobody_can_tell_is_in_doubt() -> None:
    session = live()
    assert told(session, 22, NOON) == "sound"
    assert told(session, 15, None) == "wrong_order"
    assert told(session, 16, NOON + 1) == "wrong_order"
    assert told(session, 1, NOON - 1) == "wrong_order"
    assert told(session, 23, NOON) == "sound"


def test_a_message_of_another_kind_takes_a_number_too() -> None:
    session = live()
    assert told(session, 22, NOON) == "sound"
    session.receive(b'{"type": "success", "sequence": 23, "action": "subscribe"}', 3.0)
    session.receive(b'{"recipient": "ticker.sfox.btcusd", "sequence": 24, "payload": {}}', 3.0)
    assert told(session, 25, NOON) == "sound"


@pytest.mark.parametrize("kind", [b'"type": "success"', b'"recipient": "another"'])
def test_a_message_of_another_kind_shows_a_gap_before_the_next_frame_does(kind: bytes) -> None:
    session = live()
    assert told(session, 22, NOON) == "sound"
    counted, doubt = session.receive(b'{%s, "sequence": 24}' % kind, 3.0)
    assert isinstance(counted, Count)
    assert isinstance(doubt, InDoubt)
    assert (doubt.cause, doubt.spares_last) == ("gap", False)
    assert told(session, 25, NOON) == "sound"
    assert len(session.receive(b'{%s, "sequence": 23}' % kind, 3.0)) == 1


@pytest.mark.parametrize(
    "message",
    [
        frames.SFOX[:80],
        frames.SFOX.replace(b'"test3"', b"3"),
        frames.SFOX.replace(b'"payload": {', b'"payload": [{').replace(b"}]}}", b"}]}]}"),
        b'{"event": "session_closed"}',
    ],
)
def test_what_may_be_anybodys_balances_puts_all_in_doubt_that_was_told(message: bytes) -> None:
    session = live()
    assert session.receive(message, 3.0) == (Publish(message, None),)
    session.receive(frames.sfox(21, NOON, "u"), 3.0)
    published, *doubts = session.receive(message, 3.0)
    assert published == Publish(message, None)
    assert [(one.cause, one.spares_last) for one in doubts] == [("unreadable", False)]


@pytest.mark.parametrize(
    "message",
    [
        frames.WRONG_KEY,
        b'{"type": "error", "action": "subscribe", "payload": {}}',
        b'{"type": "error", "payload": {"message": "the session of canary-key has expired"}}',
        b'{"type": "success", "action": "unsubscribe"}',
        b'{"type": "session_closed"}',
        b'{"recipient": "system", "payload": {"message": "subscription terminated"}}',
    ],
)
def test_words_of_the_end_of_a_session_put_all_in_doubt_and_ask_for_a_new_one(
    message: bytes,
) -> None:
    counted, doubt = live().receive(message, 3.0)
    assert isinstance(counted, Count)
    assert counted.kind is Kind.ERROR
    assert isinstance(doubt, InDoubt)
    assert (doubt.cause, doubt.reason) == ("venue_error", ReconnectReason.SESSION_ENDED)
    assert not doubt.spares_last
    assert KEY not in f"{counted}{doubt}"


@pytest.mark.parametrize("value", [b'"22"', b"null", b"1e400", b"22.5", b"9" * 5000, b"[]"])
def test_a_sequence_or_time_that_cannot_be_read_is_no_new_beginning(value: bytes) -> None:
    session = live()
    session.receive(frames.SFOX, 3.0)
    for name in (b'"sequence": 22', b'"timestamp": 1710367225302228171'):
        message = frames.SFOX.replace(name, name.split(b" ")[0] + b" " + value)
        assert session.receive(message, 3.0) == (Publish(message, b"test3"),)


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_break_it_and_none_are_lost(message: bytes) -> None:
    for session in (new(), live()):
        outcome, *_ = session.receive(message, 3.0)
        assert isinstance(outcome, Publish | Count)
        if isinstance(outcome, Publish):
            assert outcome.frame == message
        assert not isinstance(outcome, Send)


_OURS = b'"recipient":"private.enterprise.users.balances",'
_NOON = b'"timestamp":1710367225302228171,'
odd_frames = st.sampled_from(
    [
        b'{"sequence":%d,' + _OURS + _NOON + b'"payload":{"user_id":"a","updates":[]}}',
        b'{"sequence":%d,' + _OURS + b'"timestamp":17103,"payload":"{\\"user_id\\":\\"a\\"}"}',
        b'{"sequence":%d,' + _OURS + b'"timestamp":1.5,"payload":{"user_id":"a"}}',
        b'{"sequence":%d,' + _OURS + b'"payload":{"user_id":"b","user_id":"a"}}',
        b'{"sequence":%d,"type":"success",' + _OURS + _NOON + b'"payload":{"user_id":"\\ud800"}}',
        b'{"sequence":%d.0,' + _OURS + _NOON + b'"payload":{"user_id":"a","n":[1,{}]}}',
        b'{"sequence":"%d",' + _OURS + b'"timestamp":-5,"payload":{"user_id":7}}',
        b'{"sequence":%d,"sequence":9,"recipient":"o",' + _OURS + _NOON + b'"payload":{}} ',
        b'{"sequence":%d,' + _OURS + b'"timestamp":9999999999999999999,"payload":{"user_id":""}}',
        b'{"sequence":%d,"recipient":"other","timestamp":5,"payload":{"user_id":"a"}}',
    ]
)


def outcomes(session: SfoxSession, messages: list[bytes]) -> list[Outcome]:
    """What a feed hears of messages that came together."""
    found: list[Outcome] = []
    at = 0
    while at < len(messages):
        run = session.run(messages, at)
        if run is None:
            found += session.receive(messages[at], 0.0)
            at += 1
        else:
            found += map(Publish, run.frames, run.keys)
            at += len(run.frames)
    return found


@given(st.lists(st.tuples(odd_frames, st.integers(-2, 2)), max_size=30))
def test_the_short_way_of_plain_frames_finds_what_the_long_one_finds(
    told: list[tuple[bytes, int]],
) -> None:
    short, python, long = live(), live(), live()
    number, messages = 3, list[bytes]()
    for form, step in told:
        number = max(0, number + step)
        messages.append(form % number)
    found = [one for message in messages for one in long.receive(message, 0.0)]
    assert outcomes(short, messages) == found
    with patch.object(plain, "compiled", nothing):
        assert outcomes(python, messages) == found
    assert vars(short._memory) == vars(python._memory) == vars(long._memory)
