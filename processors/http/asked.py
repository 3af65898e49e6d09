"""Who asked about whom: a line of JSON for each question about users by name."""

import logging
import time
from collections.abc import Sequence
from typing import Final

import msgspec
from aiohttp import web

from schemas.times import rfc3339

log = logging.getLogger("headroom.questions")

_ASKED: Final = web.RequestKey("asked", list[str])


class Question(msgspec.Struct, frozen=True):
    """Who asked what about whom, when (UTC), and how it was answered (None: not to an end)."""

    at: str
    by: str
    users: list[str]
    path: str
    status: int | None


def note_asked(request: web.Request, users: Sequence[str]) -> None:
    """Whom a request is about; nobody who is asked about goes unnoted."""
    request[_ASKED] = list(users)


def write_down(request: web.Request, by: str, status: int | None) -> None:
    """Write it down, where it was about anybody."""
    if users := request.get(_ASKED):
        question = Question(rfc3339(time.time_ns()), by, users, request.path, status)
        log.info("%s", msgspec.json.encode(question).decode())
