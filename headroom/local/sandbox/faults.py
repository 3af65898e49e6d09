"""The faults that a simulated venue can be ordered to have: each has a name and one sentence.

`SFOX` and `HERCLE` are the tables. In them `kind` is the kind of trouble of the page on freshness
(docs/freshness.md) that a fault shows, 0 for what secrets and logs must stand; `strikes` whom it
strikes where an order names nobody (`any` user, or the venue's `first`); `times` and `seconds` when
it is over by itself: a fault with neither lasts until it is turned off. `orders` says what an order
is and keeps what is on.

A fault is the venue's own: nothing here knows how a producer takes it.
"""

from collections.abc import Iterable
from decimal import Decimal
from http import HTTPStatus
from typing import Final, Literal

import msgspec

AUTHENTICATION_BLOCK_SECONDS: Final = Decimal(120)
"""How long sFOX answers with errors to who asked too much, as it documents."""
SLOW_ANSWER_SECONDS: Final = Decimal(5)
"""How long an answer takes, and what `Retry-After` says, where an order says neither."""
FLOOD_PER_SECOND: Final = 20_000
LARGE_MEGABYTES: Final = 10
FALLS_FROM: Final = 5_000
"""The sequence that Hercle's falls from."""

AWAY: Final = {
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "too-many-requests": HTTPStatus.TOO_MANY_REQUESTS,
}
"""The faults that answer an HTTP request with a status and `Retry-After`."""

EVERYBODY: Final = "*"


class Fault(msgspec.Struct, frozen=True):
    """One fault by its name; `does` is what the venue does, `acts` that it does so at once."""

    name: str
    kind: int
    does: str
    strikes: Literal["any", "first"] = "any"
    times: int | None = None
    seconds: Decimal | None = None
    acts: bool = False


def _table(faults: Iterable[Fault]) -> dict[str, Fault]:
    return {fault.name: fault for fault in faults}


_LINE: Final = (
    Fault("cut", 5, "cuts its connections with RST", times=1, acts=True),
    Fault("close", 5, "closes its WebSockets with `code` (1001)", times=1, acts=True),
    Fault("cut-inside", 5, "sends half of the next frame, then RST", times=1),
    Fault(
        "refuse",
        5,
        "cuts its connections with RST, then refuses each new one, for 30 s",
        seconds=Decimal(30),
        acts=True,
    ),
    Fault("half-open", 5, "lets nothing pass on its open connections, which stay; new ones work"),
    Fault("silence", 5, "says nothing at all, not even a pong, and goes on reading"),
    Fault("dribble", 9, "lets no more than `rate` bytes leave each second (2,000)"),
    Fault(
        "flood",
        9,
        "sends `rate` frames a second (20,000) as fast as they are taken, for 5 s",
        seconds=Decimal(5),
        acts=True,
    ),
    Fault("large", 0, "sends the next frame with `megabytes` (10) of an unknown field", times=1),
    Fault(
        "unavailable",
        1,
        "cuts its connections, then answers with 503 and `Retry-After`, for 30 s",
        seconds=Decimal(30),
        acts=True,
    ),
    Fault(
        "too-many-requests",
        1,
        "cuts its connections, then answers with 429 and `Retry-After`, for 30 s",
        seconds=Decimal(30),
        acts=True,
    ),
    Fault(
        "certificate",
        1,
        "cuts its connections, and shows another certificate (with TLS only)",
        acts=True,
    ),
)


def _line(strikes: Literal["any", "first"]) -> tuple[Fault, ...]:
    """The faults that both venues have, by the same words: those of the line and its first steps.

    Where a venue has a connection for each user, a fault of the whole machine strikes all.
    """
    whole = {"refuse", "certificate"}
    return tuple(
        msgspec.structs.replace(fault, strikes="any" if fault.name in whole else strikes)
        for fault in _LINE
    )


SFOX: Final = _table(
    (
        *_line("any"),
        Fault(
            "auth-error",
            1,
            "cuts its connections, then answers `authenticate` with an error of no text or code",
            times=1,
            acts=True,
        ),
        Fault(
            "auth-blocked",
            1,
            "cuts its connections, then answers every request with an error, for 2 minutes",
            seconds=AUTHENTICATION_BLOCK_SECONDS,
            acts=True,
        ),
        Fault(
            "wrong-order",
            2,
            "sends sequence n, n + 2, n + 1 of one account; what is sent last has the last time",
            times=1,
        ),
        Fault("gap", 2, "leaves a sequence number out: the frame is withheld", times=1),
        Fault("duplicate", 2, "sends a frame twice", times=1),
        Fault("counts-anew", 2, "counts from 1 again on the open connection", times=1),
        Fault("counts-anew-untimed", 2, "counts from 1 again, and no frame has a `timestamp`"),
        Fault(
            "session-ended",
            3,
            "says `error` to `authenticate` while live, and sends no more on the connection",
            times=1,
            acts=True,
        ),
        Fault(
            "subscription-ended",
            3,
            "says `error` to `subscribe` while live, and sends no more on the connection",
            times=1,
            acts=True,
        ),
        Fault(
            "missed-while-away",
            5,
            "cuts its connections, changes an account meanwhile, and is silent about it until over",
            acts=True,
        ),
        Fault("web3-entry", 6, "adds an entry of its web3 kind, without `available` and `held`"),
        Fault("web3-in-place", 6, "sends an asset the account holds as an entry of its web3 kind"),
        Fault("held-number", 6, "sends `held` as the number 0"),
        Fault("null-wallet", 6, "sends `trading_wallet` as null"),
        Fault(
            "key-in-close",
            0,
            "closes its connections with 1008 and a reason in which the API key stands",
            times=1,
            acts=True,
        ),
        Fault(
            "key-in-message",
            0,
            "sends a message of no known kind in which the API key stands",
            times=1,
            acts=True,
        ),
    )
)


HERCLE: Final = _table(
    (
        *_line("first"),
        Fault(
            "goodbye",
            5,
            "takes its leave by a message of type 7 without `allowReconnect`, and closes",
            strikes="first",
            times=1,
            acts=True,
        ),
        Fault(
            "goodbye-return",
            5,
            "takes its leave by a message of type 7 with `allowReconnect`, and closes",
            strikes="first",
            times=1,
            acts=True,
        ),
        Fault(
            "redirect",
            1,
            "cuts the connection, then redirects once, with a token that its target accepts",
            strikes="first",
            times=1,
            acts=True,
        ),
        Fault(
            "redirect-loop",
            1,
            "cuts the connection, then redirects again and again",
            strikes="first",
            acts=True,
        ),
        Fault(
            "long-polling",
            1,
            "cuts the connection, then offers no transport but long polling",
            strikes="first",
            acts=True,
        ),
        Fault(
            "refused-once",
            1,
            "cuts the connection, then answers one negotiation with 401",
            strikes="first",
            times=1,
            acts=True,
        ),
        Fault(
            "refused-html",
            1,
            "cuts the connection, then answers one negotiation with 403 and a page of HTML",
            strikes="first",
            times=1,
            acts=True,
        ),
        Fault(
            "redirect-refused",
            1,
            "cuts the connection, then redirects with a token that its target refuses with 401",
            strikes="first",
            times=1,
            acts=True,
        ),
        Fault("completion-error", 3, "completes every question with an `error`", strikes="first"),
        Fault("error-event", 3, "sends an event of an error instead of balances", strikes="first"),
        Fault("no-event", 3, "completes every question and sends no event", strikes="first"),
        Fault("pings-only", 3, "answers no question, and goes on pinging", strikes="first"),
        Fault(
            "sequence-falls",
            4,
            "tells sequence 5000, then 1, 2 and 3 with other balances",
            strikes="first",
            times=4,
        ),
        Fault(
            "deleted-then-falls",
            4,
            "tells `deleted: true`, then sequence 1, 2 and 3 of the account that is back",
            strikes="first",
            times=4,
        ),
        Fault("list", 7, "sends an array of two users' balances as `data`", strikes="first"),
        Fault("list-text", 7, "sends that array as a text in a string", strikes="first"),
        Fault("second-argument", 7, "sends another account in a second argument", strikes="first"),
        Fault("split", 8, "sends each hub message in two WebSocket messages", strikes="first"),
        Fault(
            "glued",
            8,
            "sends the rest of a hub message glued to the beginning of the next",
            strikes="first",
        ),
        Fault("slow", 9, "takes 5 s for each answer, one after the other", strikes="first"),
        Fault("deaf", 9, "stops reading from the socket, and goes on pinging", strikes="first"),
        Fault("asset-limits", 10, "sends assets' exposures and limits as amounts of the asset"),
        Fault(
            "numbered-errors",
            0,
            "sends an event of an error with each answer; its words differ in a number only",
            strikes="first",
        ),
        Fault(
            "key-in-close",
            0,
            "closes the connection with 1008 and a reason in which the API key stands",
            strikes="first",
            times=1,
            acts=True,
        ),
        Fault(
            "key-in-message",
            0,
            "sends a message of no known kind in which the API key stands",
            strikes="first",
            times=1,
            acts=True,
        ),
        Fault("bad-amount", 6, "sends an amount that is none, `1e400`", strikes="first"),
    )
)

TABLES: Final = {"sfox": SFOX, "hercle": HERCLE}
"""The tables of the venues that can be ordered to have faults."""
