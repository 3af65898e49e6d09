"""One place for how a WebSocket is opened: bounds, deadlines, TLS, and silence about secrets."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode
from websockets.protocol import State

from producers.compiled import plain_messages
from producers.errors import ConfigurationError
from producers.manners import asks_for_patience, retry_after_seconds, seconds_after
from producers.outcomes import Reconnect, ReconnectReason, excerpt
from producers.reach import (
    SECURE,
    dial,
    proxy_for,
    tls_context,
    why_not_trusted,
)
from producers.settings import Deadlines
from schemas.topics import FRAME_BYTES_MAX

# Messages, of up to 16 MiB, that wait in memory while Kafka is slow; beyond them the venue waits.
_QUEUE_MESSAGES_MAX: Final = 16
# The same for messages that took the short way, by bytes.
_QUEUE_BYTES_MAX: Final = 4 * 1024 * 1024
_STANDING: Final = frozenset({State.OPEN, State.CLOSING})
_END_OF_HEAD: Final = b"\r\n\r\n"
# How often it is looked whether this process reads, while it waits for a sign of life.
_STEPS: Final = 10
_LATE_SECONDS: Final = 1.0
# A message that is there comes before a deadline that has passed; so does one that is there only
# once the socket was looked at, because this process had stood still.
_LOOK_SECONDS: Final = 0.01
UNAUTHORISED: Final = frozenset({401, 403})


class NotOpened(Exception):
    """A connection did not come about; it is tried again, after `wait_seconds` at the earliest."""

    def __init__(self, reason: ReconnectReason, detail: str, *, wait_seconds: float = 0.0) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.wait_seconds = wait_seconds


class KeyRefused(Exception):
    """The venue answered 401 or 403 before there was a connection; it may pass."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Socket(ClientConnection):
    """A WebSocket that tells of every sign of life from the venue, its pings and pongs included.

    Whoever uses it sets `on_heard`, which is called before what was heard is looked at. A venue is
    silent only to who reads: time in which this process did not run, or had not yet taken what lay
    in the socket, is no silence.
    """

    on_heard: Callable[[], object] | None = None
    _times_heard = 0
    _is_plain = True
    _rest = b""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - the library's
        super().__init__(*arguments, **options)
        self._messages: list[bytes] = []
        self._queued_bytes = 0
        self._came: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes came: asyncio's own call.

        Whole messages, as nearly all are, take a short way; whatever else comes is the library's,
        from then on all that comes (`producers.chunks`).
        """
        self._times_heard += 1
        if self.on_heard is not None:
            self.on_heard()
        if not self._is_plain or self.protocol.state not in _STANDING:
            is_handshake = self.protocol.state is State.CONNECTING
            super().data_received(data)
            # Where a message came with the handshake's end, nobody knows how far the library got.
            if is_handshake and not data.endswith(_END_OF_HEAD):
                self._is_plain = self._is_plain and self.protocol.state is State.CONNECTING
            self._wake()
            return
        if self._rest:
            data, self._rest = self._rest + data, b""
        at = plain_messages(data, self._messages, super().data_received)
        if at < 0:
            self._is_plain = False
            if rest := data[-at - 1 :]:
                super().data_received(rest)
        else:
            self._rest = data[at:]
        self._queued_bytes += len(data)
        if self._queued_bytes > _QUEUE_BYTES_MAX:
            self.transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over: asyncio's own call."""
        super().connection_lost(exc)
        self._wake()

    @property
    def is_behind(self) -> bool:
        """Whether something that came waits to be taken, so that nothing more is read."""
        return self.recv_messages.paused or self._queued_bytes > _QUEUE_BYTES_MAX

    @property
    def has_messages(self) -> bool:
        """Whether a message is there."""
        return bool(self._messages)

    def _wake(self) -> None:
        if self._came is not None and not self._came.done():
            self._came.set_result(None)

    async def messages(self) -> list[bytes]:
        """The messages that are there, text or binary, each its own bytes; waits for the first.

        Raises ConnectionClosed behind the last one. May be cancelled: nothing is lost.
        """
        while not self._messages:
            if not self._is_plain or self.protocol.state is State.CLOSED:
                return [await self.recv(decode=False)]
            self._came = self.loop.create_future()
            try:
                await self._came
            finally:
                self._came = None
        found, self._messages = self._messages, []
        if self._queued_bytes > _QUEUE_BYTES_MAX:
            self.transport.resume_reading()
        self._queued_bytes = 0
        return found

    async def keepalive(self) -> None:
        """Ping, and end a connection on which nothing is heard then: the library's own task.

        Its way takes a pong for missing that lies in the socket unread.
        """
        if self.ping_interval is None or self.ping_timeout is None:
            return
        while True:
            await asyncio.sleep(self.ping_interval)
            heard = self._times_heard
            await self.ping()
            while self._times_heard == heard:
                if await self._listened(self.ping_timeout) and self._times_heard == heard:
                    async with self.send_context():
                        self.protocol.fail(CloseCode.INTERNAL_ERROR, "nothing heard")

    async def _listened(self, seconds: float) -> bool:
        """Wait so long; whether this process read whatever came all the while.

        In steps: one that takes far longer than it should was a pause of this process.
        """
        step_seconds = seconds / _STEPS
        listened = True
        for _ in range(_STEPS):
            before = self.loop.time()
            await asyncio.sleep(step_seconds)
            late = self.loop.time() - before > step_seconds + _LATE_SECONDS
            listened = listened and not late and not self.is_behind
        return listened


class _Connect(connect):
    """`websockets.connect` that follows no redirect: a key is for the host that was named."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Every redirect is an error."""
        return exc


async def open_socket(
    url: str,
    *,
    headers: Mapping[str, str],
    deadlines: Deadlines,
    ca_file: str | None = None,
    separator_bytes: int = 0,
) -> Socket:
    """An open WebSocket to a URL that `settings.check_url` has let pass.

    `headers` may carry a bearer token: it is written to the socket and to nothing else.
    `ca_file` has the authorities that a certificate may come from, None for the system's.
    `separator_bytes` is what a message may have beyond its frame. Raises NotOpened, and what
    `websockets.connect` raises: OSError, TimeoutError, InvalidHandshake.
    """
    context, proxy = way(url, ca_file)
    # None would be taken for a proxy without encryption that has a context.
    beyond: dict[str, Any] = (
        {"proxy_ssl": context} if proxy is not None and proxy.startswith("https:") else {}
    )
    if proxy is None:
        async with asyncio.timeout(deadlines.open_seconds):
            beyond["sock"] = await dial(urlsplit(url))
    opened = await _Connect(
        url,
        create_connection=Socket,
        ssl=context,
        additional_headers=headers,
        compression=None,
        max_size=FRAME_BYTES_MAX + separator_bytes,
        max_queue=_QUEUE_MESSAGES_MAX,
        open_timeout=deadlines.open_seconds,
        ping_interval=deadlines.ping_seconds,
        ping_timeout=deadlines.pong_seconds,
        close_timeout=deadlines.close_seconds,
        proxy=proxy,
        logger=logging.getLogger("websockets.client"),
        **beyond,
    )
    if not isinstance(opened, Socket):
        raise TypeError("websockets made another connection than it was told to")
    return opened


def way(url: str, ca_file: str | None) -> tuple[ssl.SSLContext | None, str | None]:
    """What verifies certificates on the way to a URL, and the proxy on it; raises NotOpened.

    None where nothing is encrypted, and where there is no proxy. What is wrong with them may be
    mended while the producer runs.
    """
    parts = urlsplit(url)
    try:
        context = tls_context(ca_file) if parts.scheme in SECURE else None
        return context, proxy_for(parts)
    except ConfigurationError as error:
        raise NotOpened(ReconnectReason.UNREACHABLE, str(error)) from None


async def next_messages(socket: Socket, wait_seconds: float) -> list[bytes]:
    """The next messages, text or binary, each its own bytes; none after `wait_seconds`.

    However short that is, the socket is looked at.
    """
    if socket.has_messages:
        return await socket.messages()
    try:
        async with asyncio.timeout(max(_LOOK_SECONDS, wait_seconds)):
            return await socket.messages()
    except TimeoutError:
        return []


async def close_at(stop: asyncio.Event, socket: Socket) -> None:
    """Close the connection once `stop` is set."""
    await stop.wait()
    await socket.close()


def is_key_refusal(error: Exception) -> bool:
    """Whether the opening handshake failed with 401 or 403."""
    return isinstance(error, InvalidStatus) and error.response.status_code in UNAUTHORISED


def why_not_opened(error: Exception) -> Reconnect:
    """Why a connection did not come about."""
    if isinstance(error, NotOpened):
        return Reconnect(error.reason, error.detail, wait_seconds=error.wait_seconds)
    detail = excerpt(str(error) or type(error).__name__)
    if (distrust := why_not_trusted(error)) is not None:
        return Reconnect(ReconnectReason.CERTIFICATE_REFUSED, excerpt(distrust))
    if not isinstance(error, InvalidStatus):
        return Reconnect(ReconnectReason.UNREACHABLE, detail)
    headers = error.response.headers
    wait_seconds = retry_after_seconds(_last(headers, "Retry-After"), _last(headers, "Date"))
    return Reconnect(
        ReconnectReason.HANDSHAKE_REFUSED,
        detail + not_before(wait_seconds),
        wait_seconds=wait_seconds,
    )


def _last(headers: Headers, name: str) -> str | None:
    # A header that stands there twice is an error to the library's own `get`.
    found = headers.get_all(name)
    return found[-1] if found else None


def not_before(wait_seconds: float) -> str:
    """What is said of a wish to be left alone for a while; nothing where there is none."""
    return f", and asks us to wait for {wait_seconds:g} s" if wait_seconds else ""


def why_closed(closed: ConnectionClosed) -> Reconnect:
    """Why an open connection ended: who closed it, with which code."""
    sent, received = closed.sent, closed.rcvd
    if sent is not None and not closed.rcvd_then_sent:
        if sent.code == CloseCode.MESSAGE_TOO_BIG:
            return Reconnect(ReconnectReason.OVERSIZE, "a message is larger than 16 MiB")
        if sent.code == CloseCode.INTERNAL_ERROR:
            return Reconnect(ReconnectReason.SILENT, "no pong within the deadline")
        if sent.code != CloseCode.NORMAL_CLOSURE:
            return Reconnect(ReconnectReason.PROTOCOL_ERROR, excerpt(f"{sent.code} {sent.reason}"))
    if received is not None:
        return Reconnect(
            ReconnectReason.CLOSED_BY_VENUE,
            excerpt(f"{received.code} {received.reason}"),
            patient=asks_for_patience(received.code),
            wait_seconds=seconds_after(received.code),
        )
    return Reconnect(ReconnectReason.CONNECTION_LOST, "the connection broke off")
