"""The SignalR JSON hub protocol, version 1, by signalrcore's classes; the text stays exact. Pure.

What we write, signalrcore encodes. What we read is split here and never taken apart by it: its
JSON turns amounts into floats, and Kafka gets each hub message exactly as it came.

Source: https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md
"""

from typing import Final

import msgspec
from msgspec import UNSET
from signalrcore.messages.invocation_message import InvocationMessage
from signalrcore.messages.message_type import MessageType
from signalrcore.messages.ping_message import PingMessage
from signalrcore.protocol.json_hub_protocol import JsonHubProtocol
from signalrcore.types import RECORD_SEPARATOR

from producers.reading import Part, read

SEPARATOR: Final = RECORD_SEPARATOR.encode()

__all__ = [
    "SEPARATOR",
    "HubMessage",
    "MessageType",
    "handshake_request",
    "invocation",
    "message_type",
    "ping",
    "read_handshake",
]


class HubMessage(msgspec.Struct, rename="camel"):
    """The members of a hub message that tell what it is, as they stand in the text."""

    type: Part = UNSET
    target: Part = UNSET
    arguments: Part = UNSET
    invocation_id: Part = UNSET
    error: Part = UNSET
    allow_reconnect: Part = UNSET


class Handshake(msgspec.Struct, frozen=True):
    """The server's answer to our handshake; `error` is why it refuses, None where it agrees."""

    error: str | None


def handshake_request() -> str:
    """What the client says first."""
    protocol = JsonHubProtocol(version=1)
    return str(protocol.encode(protocol.handshake_message()))


def read_handshake(record: bytes) -> Handshake | None:
    """The server's answer; None where this is none: no object, or already a hub message."""
    message = read(record, HubMessage)
    if message is None or message.type is not UNSET:
        return None
    if message.error is UNSET:
        return Handshake(error=None)
    return Handshake(error=read(message.error, str) or "no reason given")


def invocation(target: str, argument: str, *, number: int) -> str:
    """A call of a hub method with one argument; `number` comes back in its completion."""
    message = InvocationMessage(str(number), target, [argument])
    return str(JsonHubProtocol(version=1).encode(message))


def ping() -> str:
    """A sign of life."""
    return str(JsonHubProtocol(version=1).encode(PingMessage()))


def message_type(message: HubMessage) -> MessageType | int | None:
    """The type of a hub message: known, another number, or None where it has none."""
    number = read(message.type, int)
    if number is None:
        return None
    try:
        return MessageType(number)
    except ValueError:
        return number
