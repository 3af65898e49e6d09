"""The server's side of the SignalR JSON hub protocol, version 1: pure, without I/O or a clock.

Source: https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md
"""

import json
from typing import Final

import msgspec

SEPARATOR: Final = "\x1e"
HANDSHAKE_ANSWER: Final = "{}"
PING: Final = '{"type":6}'

_INVOCATION: Final = 1
_CLOSE: Final = 7
_VERSION_MAX: Final = 2
_UNFINISHED_CHARACTERS_MAX: Final = 64 * 1024


class Handshake(msgspec.Struct, frozen=True):
    """The client's handshake; `error` says why it is refused, and is None where it is not."""

    error: str | None


class Invocation(msgspec.Struct, frozen=True):
    """A call of a hub method; without an `invocation_id` no completion is wanted."""

    target: str
    arguments: tuple[object, ...]
    invocation_id: str | None


class Goodbye(msgspec.Struct, frozen=True):
    """The client closes (`error` None), or has said what ends the connection."""

    error: str | None


HubEvent = Handshake | Invocation | Goodbye


class HubSession:
    """One connection: text in, events out. Pings and other kinds of message lead to none."""

    def __init__(self) -> None:
        self._unfinished = ""
        self.shaken = False

    def receive(self, data: str | bytes) -> list[HubEvent]:
        """The events of one WebSocket message; it may hold several hub messages, or a part."""
        try:
            text = data.decode() if isinstance(data, bytes) else data
        except UnicodeDecodeError:
            return [Goodbye("a message is not UTF-8")]
        *messages, self._unfinished = (self._unfinished + text).split(SEPARATOR)
        if len(self._unfinished) > _UNFINISHED_CHARACTERS_MAX:
            return [Goodbye("a message has no end")]
        events: list[HubEvent] = []
        for message in messages:
            event = self._event_of(message)
            if event is not None:
                events.append(event)
            if isinstance(event, Goodbye) or (isinstance(event, Handshake) and event.error):
                break
        return events

    def _event_of(self, text: str) -> HubEvent | None:
        try:
            message = msgspec.json.decode(text)
        except (ValueError, RecursionError):
            message = None
        if not self.shaken:
            return self._handshake(message)
        if not isinstance(message, dict):
            return Goodbye("a message is not a JSON object")
        kind = message.get("type")
        if kind == _CLOSE:
            return Goodbye(None)
        return _invocation(message) if kind == _INVOCATION else None

    def _handshake(self, message: object) -> Handshake:
        if not isinstance(message, dict) or "protocol" not in message:
            return Handshake("Handshake was canceled.")
        if message["protocol"] != "json":
            return Handshake(f"The protocol '{message['protocol']}' is not supported.")
        version = message.get("version")
        # As ASP.NET takes them: 2 from a client that could count (and does not, unless both agreed
        # on it in the negotiation), 0 from signalrcore's.
        if not isinstance(version, int) or not 0 <= version <= _VERSION_MAX:
            return Handshake("The server does not support this version of the protocol 'json'.")
        self.shaken = True
        return Handshake(None)


def handshake_refused(error: str) -> str:
    """The answer to a handshake that is refused."""
    return json.dumps({"error": error})


def close_message(error: str | None, *, allow_reconnect: bool) -> str:
    """The message of type 7 that goes before the end of a connection."""
    message: dict[str, object] = {"type": 7}
    if error is not None:
        message["error"] = error
    if allow_reconnect:
        message["allowReconnect"] = True
    return json.dumps(message)


def completion(invocation_id: str, error: str | None = None) -> str:
    """The message of type 3 that ends an invocation: without a result, or with an error."""
    message: dict[str, object] = {"type": 3, "invocationId": invocation_id}
    message |= {"result": None} if error is None else {"error": error}
    return json.dumps(message, ensure_ascii=False)


def _invocation(message: dict[str, object]) -> HubEvent:
    target, arguments = message.get("target"), message.get("arguments")
    invocation_id = message.get("invocationId")
    if not isinstance(target, str) or not isinstance(arguments, list):
        return Goodbye("an invocation needs a target and arguments")
    if invocation_id is not None and not isinstance(invocation_id, str):
        return Goodbye("an invocationId must be text")
    return Invocation(target, tuple(arguments), invocation_id)
