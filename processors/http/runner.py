"""How an application is served: every error is a problem document, and tells of nothing it got.

aiohttp answers what it cannot read, and what an application never sees, by itself: in plain text
that quotes the request, which it logs, too. There the quoted header may be somebody's token.
Who takes too long, or is one too many, goes: see `processors.http.crowd`.
"""

import asyncio
import logging
import socket
import time
import traceback
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from processors.http.crowd import BOUNDS, Bounds, Crowd, Doing, descriptors
from processors.http.problems import Problem, bad_request, not_found, not_yet
from schemas.words import Words

log = logging.getLogger("headroom.http")

_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_ERRORS_OF_READING: Final = (HttpProcessingError, web.RequestPayloadError)
_UNREADABLE: Final = "this request cannot be read"
_LOOK_SECONDS: Final = 1.0
_PROBES: Final = frozenset({"/livez", "/readyz", "/metrics"})
STREAMED: Final = web.RequestKey("streamed", bool)
"""Set in a request whose answer goes on for ever, and whose handler minds how fast it is read."""


class Runner(web.AppRunner):
    """Serves an application on a socket that is bound; `start` once, `cleanup` at the end.

    `dropped` is told why a connection was: `late`, `crowded` or `too many`.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        shutdown_seconds: float,
        bounds: Bounds = BOUNDS,
        dropped: Callable[[str], object] = lambda _: None,
    ) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=shutdown_seconds)
        self._crowd = Crowd(bounds.within(descriptors()))
        self._dropped = dropped
        self._looking: asyncio.Task[None] | None = None

    async def start(self, listener: socket.socket) -> None:
        """Begin to answer."""
        await self.setup()
        await web.SockSite(self, listener, backlog=self._crowd.bounds.accepted_at_once).start()

    async def cleanup(self) -> None:
        """Answer no more, and let all go."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await super().cleanup()

    @property
    def connected(self) -> int:
        """How many are connected at this moment."""
        return len(self._crowd)

    async def _make_server(self) -> web.Server:
        # The one place where aiohttp makes what reads the bytes: tests over a real socket watch it.
        made = await super()._make_server()
        words = Words()
        server = _Server(
            _with_problems(made.request_handler, words),
            self._crowd,
            self._dropped,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            access_log=None,
        )
        self._looking = asyncio.create_task(server.look())
        return server


class _Server(web.Server):
    def __init__(
        self,
        handler: _Handler,
        crowd: Crowd,
        dropped: Callable[[str], object],
        **options: Any,  # noqa: ANN401 - aiohttp's own
    ) -> None:
        super().__init__(handler, **options)
        self._words = Words()
        self._crowd = crowd
        self._dropped = dropped

    def __call__(self) -> web.RequestHandler:
        """A protocol for one connection."""
        return _Connection(self, self._words, self._crowd, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Count one more."""
        super().connection_made(handler, transport)
        if isinstance(handler, _Connection):
            gone = self._crowd.came(handler, self._loop.time())
            if gone is handler:
                self._tell("too many", "all that are connected are being answered")
            elif gone is not None:
                self._tell("crowded", "another one came")

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        """Count one less."""
        super().connection_lost(handler, exc)
        if isinstance(handler, _Connection):
            self._crowd.left(handler)

    async def look(self) -> None:
        """Drop whoever takes too long, once a second."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for _, doing in self._crowd.look(self._loop.time()):
                if doing is not Doing.IDLE:
                    slow = "asks" if doing is Doing.ASKING else "takes its answer"
                    self._tell("late", f"it {slow} too slowly")

    def _tell(self, why: str, text: str) -> None:
        self._dropped(why)
        _say(self._words, logging.WARNING, f"a connection is dropped: {text}")


class _Connection(web.RequestHandler):
    """One connection: what aiohttp says of a request that it cannot read is said by us."""

    __slots__ = ("_crowd", "_words")

    def __init__(self, server: web.Server, words: Words, crowd: Crowd, **options: Any) -> None:  # noqa: ANN401
        super().__init__(server, **options)
        self._words = words
        self._crowd = crowd

    def is_within_bounds(self) -> bool:
        """Whether it is not one too many."""
        return not self._crowd.is_spare(self)

    def doing(self) -> tuple[Doing, object]:
        """What it is at, and the request that it is about."""
        request = self._current_request
        if request is not None:
            return Doing.STREAMED if request.get(STREAMED) else Doing.ANSWERED, request
        if self._messages:
            return Doing.ANSWERED, None
        # A part of the next request cannot be told from none: aiohttp's parser keeps it.
        return (Doing.ASKING, None) if not self._request_count else (Doing.IDLE, None)

    def drop(self) -> None:
        """Close it at once, whatever was not sent yet."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A problem document, after which the connection is closed.

        Nobody is told the `message`, which quotes the request.
        """
        self.log_exception(message, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of another answer was sent already")
        phrase = HTTPStatus(status).phrase
        detail = _UNREADABLE if status == HTTPStatus.BAD_REQUEST else phrase
        problem = Problem(status, phrase, detail)
        # Not the problem itself, which is an error to be raised. What could not be read counts as
        # HTTP/1.0, which has no word for it, so that it stands here.
        answer = web.Response(
            status=status,
            body=problem.body,
            headers={"Content-Type": problem.content_type, "Connection": "close"},
        )
        answer.force_close()
        return answer

    def log_exception(self, *_args: Any, **kw: Any) -> None:  # noqa: ANN401 - aiohttp's own
        """One line without any byte of the request, each kind once a minute."""
        error = kw.get("exc_info")
        if isinstance(error, _ERRORS_OF_READING):
            text = f"a request of {_peer(self)} cannot be read ({type(error).__name__})"
            _say(self._words, logging.WARNING, text)
        else:
            text = f"an unforeseen error below the application: {_where(error)}"
            _say(self._words, logging.ERROR, text)


def _with_problems(handler: _Handler, words: Words) -> _Handler:
    """Every error is a problem document; an unforeseen one says nothing of the inside."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await (handler if _may_ask(request) else _too_many)(request)
        except Problem:
            raise
        except web.HTTPNotFound:
            raise not_found("no such path") from None
        except web.HTTPException as error:
            allow = error.headers.get("Allow")
            headers = None if allow is None else {"Allow": allow}
            phrase = HTTPStatus(error.status).phrase
            raise Problem(error.status, phrase, phrase, headers) from None
        except _ERRORS_OF_READING as error:
            _say(words, logging.WARNING, f"a request cannot be read ({type(error).__name__})")
            raise bad_request(_UNREADABLE) from None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            _say(words, logging.ERROR, f"an unforeseen error: {_where(error)}")
            raise Problem(500, "Internal Server Error", "see the worker's log") from None

    return handle


def _may_ask(request: web.BaseRequest) -> bool:
    connection = request.protocol
    return (
        not isinstance(connection, _Connection)
        or connection.is_within_bounds()
        or request.path in _PROBES
    )


async def _too_many(_: web.BaseRequest) -> web.StreamResponse:
    problem = not_yet("too many are connected to this worker")
    problem.force_close()
    raise problem


def _say(words: Words, level: int, text: str) -> None:
    line = words.say(text, int(time.monotonic()))
    if line is not None:
        log.log(level, "%s", line)


def _peer(connection: web.RequestHandler) -> str:
    peer = connection.peername
    return str(peer[0]) if isinstance(peer, tuple) else "somebody"


def _where(error: object) -> str:
    """What kind of error, and where: its words, and what calls it, may quote the request."""
    if not isinstance(error, BaseException):
        return "unknown"
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames[-8:]))
    return f"{type(error).__name__} at {places}"
