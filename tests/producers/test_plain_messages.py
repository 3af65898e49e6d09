"""The short way for whole messages finds what the library finds, wherever the chunks end."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import Protocol, Side, State

from producers import chunks, compiled

# The same function twice where there was no C compiler.
EITHER = pytest.mark.parametrize(
    "plain_messages", [chunks.plain_messages, compiled.plain_messages], ids=["python", "compiled"]
)
sizes = st.sampled_from([0, 1, 5, 125, 126, 127, 300, 65_535, 65_536, 70_000])
whole = st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY]), sizes).map(
    lambda one: Frame(one[0], b"m" * one[1])
)
control = st.sampled_from(
    [Frame(Opcode.PING, b"hello"), Frame(Opcode.PONG, b""), Frame(Opcode.CLOSE, b"\x03\xe8bye")]
)
cut = st.just([Frame(Opcode.TEXT, b"a", fin=False), Frame(Opcode.CONT, b"b")])
streams = st.lists(st.one_of(whole.map(lambda f: [f]), control.map(lambda f: [f]), cut), max_size=8)


class Ours:
    """What `Socket` does with chunks, without a socket."""

    def __init__(self, plain_messages: Any) -> None:
        self._plain_messages = plain_messages
        self.library = Protocol(Side.CLIENT, state=State.OPEN)
        self.found: list[bytes] = []
        self._is_plain = True
        self._rest = b""

    def receive(self, data: bytes) -> None:
        if not self._is_plain:
            self._pass_on(data)
            return
        data = self._rest + data
        at = self._plain_messages(data, self.found, self._pass_on)
        if at < 0:
            self._is_plain = False
            self._pass_on(data[-at - 1 :])
        else:
            self._rest = data[at:]

    def _pass_on(self, data: bytes) -> None:
        self.library.receive_data(data)
        self.found += frames_of(self.library)


def frames_of(protocol: Protocol) -> list[bytes]:
    events = [event for event in protocol.events_received() if isinstance(event, Frame)]
    return [bytes(event.data) for event in events if event.opcode in DATA_OPCODES]


@EITHER
@settings(deadline=None)
@given(frames=streams, sizes=st.lists(st.integers(1, 70_000), min_size=1, max_size=20))
def test_whatever_comes_in_whatever_chunks_it_is_what_the_library_finds(
    plain_messages: Any, frames: list[list[Frame]], sizes: list[int]
) -> None:
    bytes_sent = b"".join(
        frame.serialize(mask=False, extensions=[]) for some in frames for frame in some
    )
    library, ours = Protocol(Side.CLIENT, state=State.OPEN), Ours(plain_messages)
    at = 0
    for size in [*sizes, len(bytes_sent)]:
        chunk = bytes_sent[at : at + size]
        at += size
        if chunk:
            library.receive_data(chunk)
            ours.receive(chunk)
    assert ours.found == frames_of(library)
    # Pings are answered, and a violation of the protocol is one.
    sent = ours.library.data_to_send(), library.data_to_send()
    assert [len(one) for one in sent[0]] == [len(one) for one in sent[1]]
    assert ours.library.state == library.state


@EITHER
@given(data=st.binary(max_size=300), size=st.integers(1, 300))
def test_what_is_no_websocket_ends_as_with_the_library(
    plain_messages: Any, data: bytes, size: int
) -> None:
    library, ours = Protocol(Side.CLIENT, state=State.OPEN), Ours(plain_messages)
    for at in range(0, len(data), size):
        library.receive_data(data[at : at + size])
        ours.receive(data[at : at + size])
    found = frames_of(library)
    assert ours.found[: len(found)] == found
    if ours.library.state is not library.state:
        # The library has judged the head of what we wait for as a whole.
        assert library.state is not State.OPEN
