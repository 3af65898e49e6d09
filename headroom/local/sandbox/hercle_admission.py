"""Who may connect to the simulated Hercle: bearer tokens, and the tokens of negotiated connections.

Source: https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/TransportProtocols.md
"""

from collections.abc import Callable, Mapping
from typing import Final

_TOKENS_MAX: Final = 1_000
_TRANSPORTS: Final = [{"transport": "WebSockets", "transferFormats": ["Text"]}]
_POLLING: Final = [{"transport": "LongPolling", "transferFormats": ["Text", "Binary"]}]


class Admission:
    """Each API key is one user's; a negotiated token opens one WebSocket of the same user."""

    def __init__(self, users_by_key: Mapping[str, str], new_token: Callable[[], str]) -> None:
        self._user_by_bearer = {f"Bearer {key}": user for key, user in users_by_key.items()}
        self._new_token = new_token
        self._user_by_token: dict[str, str] = {}
        self._user_by_short: dict[str, str] = {}

    def user_of(self, authorization: str) -> str | None:
        """The user of an Authorization header; None where the key is not known."""
        # A lookup by hash tells nothing of a key by its time, as a comparison would.
        return self._user_by_bearer.get(authorization)

    def redirect(self, user_id: str, url: str, *, accepted: bool = False) -> dict[str, object]:
        """The answer that sends a client elsewhere, with a token that is not its key.

        Where it is not `accepted` there, it is known for one that was given, and good for nothing.
        """
        token = self._new_token()
        known = self._user_by_bearer if accepted else self._user_by_short
        known[f"Bearer {token}"] = user_id
        return {"url": url, "accessToken": token}

    def redirected(self, authorization: str) -> str | None:
        """The user who was given this token for elsewhere; it is good for nothing afterwards."""
        return self._user_by_short.pop(authorization, None)

    def negotiate(
        self, user_id: str, version: int, *, polling_only: bool = False
    ) -> dict[str, object]:
        """The answer to a negotiation; before version 1 the connection's id was its token."""
        connection_id = token = self._new_token()
        answer: dict[str, object] = {"negotiateVersion": 0, "connectionId": connection_id}
        if version >= 1:
            token = self._new_token()
            answer |= {"negotiateVersion": 1, "connectionToken": token}
        if len(self._user_by_token) >= _TOKENS_MAX:
            # The oldest goes: nobody came for it.
            del self._user_by_token[next(iter(self._user_by_token))]
        self._user_by_token[token] = user_id
        return answer | {"availableTransports": _POLLING if polling_only else _TRANSPORTS}

    def admit(self, user_id: str, token: str) -> bool:
        """Whether a token opens a WebSocket of this user now; it does so once."""
        if self._user_by_token.get(token) != user_id:
            return False
        del self._user_by_token[token]
        return True
