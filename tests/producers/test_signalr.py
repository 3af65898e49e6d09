"""The SignalR JSON hub protocol: what is written, and how answers are read."""

import json

import pytest

from producers.hercle import signalr
from producers.hercle.signalr import Handshake


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
