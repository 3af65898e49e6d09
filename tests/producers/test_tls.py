"""Whose certificate is believed: real servers with certificates that the test makes."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from producers.errors import ConfigurationError
from producers.hercle import HercleLine, HercleSettings
from producers.line import Line
from producers.outcomes import ReconnectReason
from producers.reach import check_reach
from producers.sfox import SfoxLine, SfoxSettings
from schemas.secrets import Secret
from tests.producers.certificates import Authority
from tests.producers.test_negotiate import hub
from tests.producers.worlds import CALM, CANARY, Given, let_in, running, until

Told = list[str]


@asynccontextmanager
async def sfox(tls: ssl.SSLContext | None) -> AsyncIterator[tuple[str, Told]]:
    """A venue on TLS (None: without), and what was said to it."""
    told: Told = []

    async def talk(socket: ServerConnection) -> None:
        told.append("somebody came in")
        await let_in(socket)
        await socket.wait_closed()

    async with serve(talk, "127.0.0.1", 0, ssl=tls) as server:
        yield f"wss://localhost:{server.sockets[0].getsockname()[1]}/ws", told


@asynccontextmanager
async def hercle(tls: ssl.SSLContext | None) -> AsyncIterator[tuple[str, Told]]:
    async with hub(tls, host="localhost") as served:
        told: Told = []

        def answer(_: int) -> object:
            told.append("somebody came in")
            return {"connectionToken": "t"}

        served.answers = answer
        yield served.url.replace("http:", "https:"), told


def sfox_line(url: str, ca_file: Path | None) -> Line:
    trusted = None if ca_file is None else str(ca_file)
    return SfoxLine(SfoxSettings(api_key=Secret(CANARY), url=url, deadlines=CALM, ca_file=trusted))


def hercle_line(url: str, ca_file: Path | None) -> Line:
    trusted = None if ca_file is None else str(ca_file)
    keys = (Secret(CANARY),)
    return HercleLine(
        HercleSettings(api_keys=keys, client_id="me", url=url, deadlines=CALM, ca_file=trusted), 1
    )


Served = Callable[[ssl.SSLContext | None], object]
VENUES = pytest.mark.parametrize(
    ("venue", "line"), [(sfox, sfox_line), (hercle, hercle_line)], ids=["sfox", "hercle"]
)


@VENUES
async def test_a_certificate_of_an_authority_that_is_trusted_is_believed(
    venue: Served, line: Callable[..., Line], tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    async with AsyncExitStack() as stack:
        url, told = await stack.enter_async_context(venue(authority.serving()))
        await stack.enter_async_context(running(Given(line(url, authority.file))))
        await until(lambda: told)


REFUSED = {
    "expired": (lambda one, _: one.serving(expired=True), "certificate has expired"),
    "wrong_host": (lambda one, _: one.serving("elsewhere.example"), "Hostname mismatch"),
    "self_signed": (lambda one, _: one.self_signed(), "self-signed certificate"),
    "unknown_authority": (lambda _, other: other.serving(), "unable to get local issuer"),
}


@VENUES
@pytest.mark.parametrize("how", REFUSED)
async def test_any_other_certificate_is_refused_by_name_before_a_word_is_said(
    how: str, venue: Served, line: Callable[..., Line], tmp_path: Path
) -> None:
    one, other = Authority(tmp_path), Authority(tmp_path, "other")
    make, words = REFUSED[how]
    async with venue(make(one, other)) as (url, told):
        given = Given(line(url, one.file))
        async with running(given):
            await until(lambda: sum(given.feed.reconnects.values()) >= 2)
            # It passes: the venue may have a new one tomorrow.
            assert set(given.feed.reconnects) == {ReconnectReason.CERTIFICATE_REFUSED}
            assert "its certificate is not accepted" in given.feed.health().what or (
                given.feed.health().what == "connecting"
            )
            doubt = given.feed.status().doubt
            assert doubt is not None
            assert words in doubt.reason
            assert given.feed.health().state in ("down", "waiting")
        assert not told


@VENUES
async def test_without_a_file_only_the_systems_authorities_count(
    venue: Served, line: Callable[..., Line], tmp_path: Path
) -> None:
    async with venue(Authority(tmp_path).serving()) as (url, told):
        given = Given(line(url, None))
        async with running(given):
            await until(lambda: given.feed.reconnects[ReconnectReason.CERTIFICATE_REFUSED])
        assert not told


@VENUES
async def test_a_venue_that_speaks_no_tls_is_told_nothing(
    venue: Served, line: Callable[..., Line], tmp_path: Path
) -> None:
    async with venue(None) as (url, told):
        given = Given(line(url, Authority(tmp_path).file))
        async with running(given):
            await until(lambda: given.feed.reconnects[ReconnectReason.UNREACHABLE])
        assert not told


@VENUES
async def test_a_file_of_authorities_that_changes_counts_with_the_next_connection(
    venue: Served, line: Callable[..., Line], tmp_path: Path
) -> None:
    old, new = Authority(tmp_path), Authority(tmp_path, "new")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(old.file.read_bytes())
    async with venue(new.serving()) as (url, told):
        given = Given(line(url, trusted))
        async with running(given):
            await until(lambda: given.feed.reconnects[ReconnectReason.CERTIFICATE_REFUSED])
            trusted.unlink()  # in the middle of a change: no reason to end
            await until(lambda: given.feed.reconnects[ReconnectReason.UNREACHABLE])
            doubt = given.feed.status().doubt
            assert doubt is not None
            trusted.write_bytes(new.file.read_bytes())
            await until(lambda: told)


@pytest.mark.parametrize("text", [None, "", "no certificate at all"])
def test_a_file_that_cannot_be_right_is_one_clear_line_at_the_start(
    text: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match="HEADROOM_CA_FILE"):
        check_reach("wss://venue.example/ws", str(path))


async def test_a_certificate_that_is_renewed_needs_nothing_of_us(tmp_path: Path) -> None:
    """The next connection sees the new one."""
    authority = Authority(tmp_path)
    tls = authority.serving(expired=True)
    async with sfox(tls) as (url, told):
        given = Given(sfox_line(url, authority.file))
        async with running(given):
            await until(lambda: given.feed.reconnects[ReconnectReason.CERTIFICATE_REFUSED])
            authority.serving()
            tls.load_cert_chain(authority.newest)
            await until(lambda: told)
