"""Errors as RFC 9457 problem documents."""

from collections.abc import Mapping

import orjson
from aiohttp import web

RETRY_AFTER_SECONDS = 1


class Problem(web.HTTPException):
    """An answer that is an error: `status`, a short `title`, a `detail` for a person."""

    def __init__(
        self, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status_code = status
        body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        super().__init__(
            text=orjson.dumps(body).decode(),
            content_type="application/problem+json",
            headers=headers,
        )


def not_found(detail: str) -> Problem:
    """404: said by the owner of the key alone."""
    return Problem(404, "Not Found", detail)


def not_yet(detail: str) -> Problem:
    """503: tables are being restored or moved; an empty answer would be a false one."""
    return Problem(503, "Service Unavailable", detail, {"Retry-After": str(RETRY_AFTER_SECONDS)})


def bad_request(detail: str) -> Problem:
    """400: the question cannot be understood."""
    return Problem(400, "Bad Request", detail)
