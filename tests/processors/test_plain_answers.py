"""A row that is told without being decoded is told as decoding it would: to the byte, on all terms.

Each question is asked twice of the same worker: as it is, and while nothing is plain to it.
"""

from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from processors import compiled
from processors.freshness import Connections, user_freshness
from processors.http import of_users
from processors.http.events import users as of_events
from processors.http.events.users import UserEvents
from processors.http.of_users import UserQuestions
from processors.http.ownership import Ownership
from processors.http.problems import Problem
from processors.ledger.users import Unread, doubt
from schemas.codec import encode
from schemas.documents import BalanceSnapshot, Source
from tests.processors.compiled.test_account import PIECES
from tests.processors.connections import MANY_STATUSES, SECONDS, at, connections, status
from tests.processors.ledger.snapshots import last, logs, plain_logs, snapshot
from tests.schemas.strategies import MANY

URL = "http://127.0.0.1:1"
LIVE = connections(status(1))
PLAIN = [snapshot(1, 1, 5, user="u", assets={"ETH": "0", "BTC": "1.10"})]


class Asked:
    """One worker that holds a row, and how it answers."""

    def __init__(self, row: bytes | None, known: Connections = LIVE) -> None:
        app: Any = SimpleNamespace(serving=True, owner=lambda *_: (0, URL))
        table: Any = SimpleNamespace(committed=lambda *_: row)
        feeds: Any = SimpleNamespace(freshness=lambda state: user_freshness(state, known))
        agents: Any = SimpleNamespace(users=table, in_assets=frozenset())
        self._questions = UserQuestions(agents, Ownership(app, URL, None), feeds)

    def answer(self, what: str = "balances", query: str = "", **headers: str) -> Any:
        """Status, headers in any order, and body; or which error it is."""
        path = f"/v1/users/u/{what}?{query}"
        request = make_mocked_request("GET", path, headers=headers, match_info={"user": "u"})
        try:
            said = ended(getattr(self._questions, what)(request))
        except Problem as problem:
            said = problem
        except ValueError as error:
            return type(error)
        return said.status, sorted(said.headers.items()), said.body

    def twice(self, what: str = "balances", query: str = "", **headers: str) -> Any:
        """The answer, which is the same the long way."""
        said = self.answer(what, query, **headers)
        with patch.object(of_users, "read_row", lambda _: None):
            assert self.answer(what, query, **headers) == said
        return said


def ended(answering: Coroutine[Any, Any, web.Response]) -> web.Response:
    """What comes of a handler that waits for nobody."""
    with pytest.raises(StopIteration) as caught:
        answering.send(None)
    response: web.Response = caught.value.value
    return response


def row_of(log: list[BalanceSnapshot]) -> bytes:
    return encode(last(log).state)


@st.composite
def rows(draw: st.DrawFn) -> bytes:
    """A row of one plain account, or another one: of several, deleted, in doubt."""
    user = draw(st.sampled_from(["u", "żółw"]))
    log = draw(st.one_of(plain_logs(user=user), plain_logs(user=user), logs(user=user)))
    time = at(draw(SECONDS))
    state = last(msgspec.structs.replace(one, received_time=time) for one in log).state
    if draw(st.integers(0, 9)) == 0:
        source = Source("raw", 0, 9)
        state = doubt(state, Unread("sfox", "a", user, 9, 9, at(995.0), "unreadable", source))
    return encode(state)


MOMENTS = st.builds(
    lambda statuses, known, is_news, ahead: connections(
        *statuses, known=known, is_news=is_news, worker_ahead_seconds=ahead
    ),
    MANY_STATUSES,
    known=st.sampled_from([True, True, True, False]),
    is_news=st.sampled_from([True, True, False]),
    ahead=st.sampled_from([0.0, 0.0, 90.0, -90.0]),
)
WHAT = st.sampled_from(["balances", "exposure"])
TERMS = st.sampled_from(["", "", "require=live", "max_age_seconds=10", "max_age_seconds=0"])


@given(rows(), MOMENTS, WHAT, TERMS, st.sampled_from(["", "x", "*", "its own"]))
@MANY
def test_both_ways_answer_the_same(
    row: bytes, known: Connections, what: str, terms: str, tag: str
) -> None:
    asked = Asked(row, known)
    said = asked.twice(what, terms)
    if tag == "its own":
        tag = dict(said[1]).get("ETag", "none")
    if tag:
        asked.twice(what, terms, **{"If-None-Match": tag})


@given(st.data(), WHAT)
@MANY
def test_of_a_row_that_somebody_edited_too(data: st.DataObject, what: str) -> None:
    row = row_of(PLAIN)
    for _ in range(data.draw(st.integers(1, 2))):
        place, gone = data.draw(st.integers(0, len(row))), data.draw(st.sampled_from([0, 0, 1, 5]))
        row = row[:place] + data.draw(st.sampled_from(PIECES)) + row[place + gone :]
    Asked(row).twice(what)


@pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")
@pytest.mark.parametrize("what", ["balances", "exposure"])
def test_a_plain_row_is_not_decoded(what: str) -> None:
    with patch.object(of_users, "state_of", side_effect=AssertionError):
        status_, headers, body = Asked(row_of(PLAIN)).answer(what)
    assert (status_, dict(headers)["X-Headroom-Answered-By"]) == (200, "owner")
    assert b'"1.10"' in body
    assert body.endswith(b"}]}}")
    assert Asked(row_of(PLAIN)).twice(what, **{"If-None-Match": dict(headers)["ETag"]})[0] == 304
    assert Asked(row_of(PLAIN), connections()).twice(what, "require=live")[0] == 503


@pytest.mark.parametrize(("vouches_from", "state"), [(5, b"live"), (6, b"unconfirmed")])
def test_a_plain_row_is_as_fresh_as_its_last_frame(vouches_from: int, state: bytes) -> None:
    asked = Asked(row_of(PLAIN), connections(status(1, vouches_from=vouches_from)))
    assert b'"state":"%b"' % state in asked.twice()[2]


def test_who_is_not_there_or_has_no_account_left_is_404() -> None:
    gone = row_of([*PLAIN, snapshot(1, 2, 6, user="u", deleted=True)])
    for row in (None, gone):
        status_, headers, _ = Asked(row).twice()
        assert (status_, dict(headers)["X-Headroom-Answered-By"]) == (404, "owner")
    assert Asked(b"{}").twice()[0] == 503


def told(row: bytes, known: Connections) -> list[object]:
    table: Any = SimpleNamespace(committed=lambda *_: row)
    source = UserEvents(table, now=lambda: known)
    return [source.tell(0, kind, b"u") for kind in source.kinds]


@given(rows(), MOMENTS)
@MANY
def test_events_of_a_row_are_the_same_both_ways(row: bytes, known: Connections) -> None:
    """With the assets and venues by which they are found."""
    said = told(row, known)
    with patch.object(of_events, "read_row", lambda _: None):
        assert told(row, known) == said


@pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")
def test_events_of_a_plain_row_are_told_without_decoding_it() -> None:
    with patch.object(of_events, "decode", side_effect=AssertionError):
        assert [one.assets for (one,) in told(row_of(PLAIN), LIVE)] == [{"BTC", "ETH"}] * 3  # type: ignore[attr-defined]
