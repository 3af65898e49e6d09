"""A session with Hercle's hub, and what the hub says to it."""

import json

from producers.hercle import HercleSession
from producers.outcomes import (
    Confirmed,
    Doubted,
    Outcome,
    Reconnect,
    ReconnectReason,
    Send,
)
from producers.settings import Deadlines
from schemas.secrets import Secret
from tests.producers import frames

KEY = "canary-key"
RS = b"\x1e"


def new(poll_seconds: float = 5.0) -> HercleSession:
    session = HercleSession(
        "my-client",
        poll_seconds=poll_seconds,
        deadlines=Deadlines(answer_seconds=10, silence_seconds=30),
        api_key=Secret(KEY),
    )
    session.start(0.0)
    return session


def live(poll_seconds: float = 5.0) -> HercleSession:
    session = new(poll_seconds)
    session.receive(b"{}" + RS, 0.0)
    return session


def said(session: HercleSession, record: bytes, now: float = 1.0) -> list[Outcome]:
    return list(session.receive(record + RS, now))


def asked(outcomes: list[Outcome]) -> list[str]:
    texts = [outcome.text[:-1] for outcome in outcomes if isinstance(outcome, Send)]
    return [json.loads(text).get("target", "ping") for text in texts]


def frame(sequence: int, held: str = "1", user: str = "u", *, deleted: bool = False) -> bytes:
    """A frame of one account; `held` is what it holds of one asset."""
    return frames.event("account.balances.snapshot", data(sequence, held, user, deleted=deleted))


def data(sequence: int, held: str = "1", user: str = "u", *, deleted: bool = False) -> object:
    asset = {"name": "BTC", "available": int(held), "allocated": 0, "currentExposure": sequence}
    return {"userId": user, "sequence": sequence, "assets": [asset], "deleted": deleted}


def completion(number: int, error: str | None = None) -> bytes:
    message = {"type": 3, "invocationId": str(number)} | ({} if error is None else {"error": error})
    return json.dumps(message).encode()


def answer(session: HercleSession, record: bytes, now: float) -> list[Outcome]:
    """The open question is answered by a frame and its completion."""
    return said(session, record, now) + said(session, completion(session.asked), now)


def causes(outcomes: list[Outcome]) -> list[str]:
    return [outcome.cause for outcome in outcomes if isinstance(outcome, Doubted)]


def ended(outcomes: list[Outcome]) -> list[ReconnectReason]:
    return [outcome.reason for outcome in outcomes if isinstance(outcome, Reconnect)]


CONFIRMED = Confirmed(("user-123",))
