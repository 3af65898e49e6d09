"""Who gets in at the simulated Hercle, and what the faults of the gate answer instead."""

from http import HTTPStatus
from typing import Final

from aiohttp import web

from headroom.local.sandbox.faults import AWAY
from headroom.local.sandbox.hercle_admission import Admission
from headroom.local.sandbox.orders import Orders

_PAGE: Final = (
    "<!DOCTYPE html>\n<html><head><title>403 Forbidden</title></head>"
    "<body><center><h1>403 Forbidden</h1></center></body></html>\n"
)


class Gate:
    """Answers with aiohttp's exceptions whoever does not get in.

    `refused` counts those that have no right to, `turned_away` those that came at a wrong time.
    """

    def __init__(self, admission: Admission, orders: Orders) -> None:
        self._admission = admission
        self._orders = orders
        self.refused = 0
        self.turned_away = 0
        self.stopping = False

    def user_of(self, authorization: str) -> str:
        """The user of an Authorization header; raises 401, and 503 for who may not come now."""
        if self.stopping:
            raise web.HTTPServiceUnavailable
        user_id = self._admission.user_of(authorization)
        if user_id is None:
            redirected = self._admission.redirected(authorization)
            if redirected is not None:
                self._orders.strike("redirect-refused", redirected)
            raise self._unauthorized()
        for name, status in AWAY.items():
            ordered = self._orders.strike(name, user_id)
            if ordered is not None:
                self.turned_away += 1
                raise _away(status, ordered.retry_after)
        return user_id

    def negotiating(self, authorization: str) -> str:
        """As `user_of`, for a negotiation: that may be refused for once."""
        user_id = self.user_of(authorization)
        if self._orders.strike("refused-once", user_id):
            raise self._unauthorized()
        if self._orders.strike("refused-html", user_id):
            self.refused += 1
            raise web.HTTPForbidden(text=_PAGE, content_type="text/html")
        return user_id

    def negotiate(self, user_id: str, version: int, elsewhere: str) -> dict[str, object]:
        """The answer to a negotiation."""
        if self._orders.on("redirect-refused", user_id):
            return self._admission.redirect(user_id, elsewhere)
        for name in ("redirect", "redirect-loop"):
            if self._orders.strike(name, user_id):
                return self._admission.redirect(user_id, elsewhere, accepted=True)
        polling = self._orders.strike("long-polling", user_id) is not None
        return self._admission.negotiate(user_id, version, polling_only=polling)

    def admit(self, user_id: str, token: str | None) -> None:
        """Open a WebSocket with a negotiated token; raises 400 without one, 404 for no such."""
        if token is None:
            raise web.HTTPBadRequest(text="Connection ID required")
        if not self._admission.admit(user_id, token):
            self.refused += 1
            raise web.HTTPNotFound(text="No Connection with that ID")

    def _unauthorized(self) -> web.HTTPUnauthorized:
        self.refused += 1
        return web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})


def _away(status: HTTPStatus, retry_after: str) -> web.HTTPException:
    headers = {"Retry-After": retry_after}
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        return web.HTTPTooManyRequests(headers=headers)
    return web.HTTPServiceUnavailable(headers=headers)
