"""Who gets in at the simulated Hercle, and what the faults of the gate answer instead."""

from typing import Final

from aiohttp import web

from headroom.sandbox.hercle_admission import Admission
from headroom.sandbox.orders import Orders

_PAGE: Final = (
    "<!DOCTYPE html>\n<html><head><title>403 Forbidden</title></head>"
    "<body><center><h1>403 Forbidden</h1></center></body></html>\n"
)


class Gate:
    """Answers with aiohttp's exceptions whoever does not get in; `refused` counts them."""

    def __init__(self, admission: Admission, orders: Orders) -> None:
        self._admission = admission
        self._orders = orders
        self.refused = 0
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
        if self._orders.strike("unavailable", user_id):
            raise web.HTTPServiceUnavailable
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
        return self._admission.negotiate(user_id, version)

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
