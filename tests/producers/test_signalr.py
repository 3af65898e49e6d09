"""The SignalR JSON hub protocol: what is written, and how what is read is split."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.hercle import signalr
from producers.hercle.signalr import Handshake


@given(st.lists(st.binary().map(lambda record: record.replace(b"\x1e", b"")), min_size=1))
def test_records_come_out_as_they_went_in(records: list[bytes]) -> None:
    message = b"".join(record + b"\x1e" for record in records)
    assert signalr.split(message) == records


@given(st.binary())
def test_what_is_split_joins_again_to_the_same_bytes(message: bytes) -> None:
    records = signalr.split(message)
    end = b"\x1e" if message.endswith(b"\x1e") else b""
    assert b"\x1e".join(records) + end == message


def test_a_rest_without_a_separator_is_not_lost() -> None:
    assert signalr.split(b"a\x1eb") == [b"a", b"b"]
    assert signalr.split(b"") == []


def written(text: str) -> object:
    assert text.endswith("\x1e")
    assert text.count("\x1e") == 1
    return json.loads(text[:-1])


def test_what_the_client_writes() -> None:
    assert written(signalr.handshake_request()) == {"protocol": "json", "version": 1}
    assert written(signalr.ping()) == {"type": 6}
    assert written(signalr.invocation("GetBalances", 'my "client"', number=7)) == {
        "type": 1,
        "target": "GetBalances",
        "arguments": ['my "client"'],
        "invocationId": "7",
        "headers": {},
    }


@pytest.mark.parametrize(
    ("record", "answer"),
    [
        (b"{}", Handshake(None)),
        (b' {"minorVersion": 0} ', Handshake(None)),
        (b'{"error": "no"}', Handshake("no")),
        (b'{"error": null}', Handshake("no reason given")),
        (b'{"type": 6}', None),
        (b"[]", None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_the_answer_to_the_handshake(record: bytes, answer: Handshake | None) -> None:
    assert signalr.read_handshake(record) == answer
