"""A venue whose certificate changes under a running producer: it comes back only to a good one."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from headroom.local.sandbox import HercleConfig, HercleSandbox, SfoxConfig, SfoxSandbox
from headroom.local.sandbox.door import Papers
from producers.hercle import HercleLine, HercleSettings
from producers.outcomes import ReconnectReason
from producers.sfox import SfoxLine, SfoxSettings
from schemas.secrets import Secret
from tests.producers.worlds import CANARY, Given, running, until

DAY = dt.timedelta(days=1)


def papers(path: Path, host: str, *, days: int = 1) -> Path:
    """A certificate that vouches for itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, path.name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 10 * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("papers")
    papers(found / "good", "127.0.0.1")
    papers(found / "expired", "127.0.0.1", days=-1)
    papers(found / "other-host", "127.0.0.2")
    papers(found / "unknown", "127.0.0.1")
    return found


@pytest.fixture
def trusting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system's authorities are these; what is unknown is not among them."""
    context = ssl.create_default_context()
    for name in ("good", "expired", "other-host"):
        context.load_verify_locations(folder / name)
    monkeypatch.setattr(ssl, "create_default_context", lambda *_, **__: context)
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", context)
    return


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("expired", "certificate has expired"),
        ("other-host", "IP address mismatch"),
        ("unknown", "self-signed certificate"),
    ],
)
@pytest.mark.parametrize("venue", ["sfox", "hercle"])
async def test_a_certificate_that_is_not_to_be_trusted_is_told_and_nothing_is_said_to_it(
    folder: Path, venue: str, name: str, words: str
) -> None:
    """Connected, then the other one, then the good one again: connected, without hands."""
    shown = Papers(folder / "good", folder / name)
    if venue == "sfox":
        config = SfoxConfig(api_key=CANARY, rate_per_second=Decimal(50), papers=shown)
        sandbox: SfoxSandbox | HercleSandbox = SfoxSandbox(config)
    else:
        sandbox = HercleSandbox(HercleConfig(keys={CANARY: "u"}, papers=shown))
    async with sandbox:
        if isinstance(sandbox, SfoxSandbox):
            line: SfoxLine | HercleLine = SfoxLine(
                SfoxSettings(api_key=Secret(CANARY), url=sandbox.url)
            )
        else:
            settings = HercleSettings(
                api_keys=(Secret(CANARY),),
                client_id="me",
                url=sandbox.url,
                poll_seconds=Decimal("0.05"),
            )
            line = HercleLine(settings, 1)
        given = Given(line)
        async with running(given):
            await given.published.until(3)
            sandbox.order("certificate")
            await until(lambda: given.feed.reconnects[ReconnectReason.CERTIFICATE_REFUSED] >= 2)
            assert sandbox.connections == 1
            assert sandbox.refused == 0
            told = [status.doubt.reason for status in given.told if status.doubt]
            assert any(words in reason for reason in told), told
            sandbox.clear("certificate")
            frames = len(given.published.frames)
            await given.published.until(frames + 3)
            assert sandbox.connections == 2
    assert not any(CANARY in reason for reason in told)
