"""Certificates that a test makes: by an authority of its own, expired, of another host, alone."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """Who signs; `file` is its own certificate (PEM), for who is to trust it.

    `newest` is the file of the server's certificate that was made last, with its key.
    """

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder, self._name = folder, _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.newest = folder
        self.file = folder / f"{name}.pem"
        certificate = self._builder(name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        signed = certificate.sign(self._key, hashes.SHA256())
        self.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def serving(self, host: str = "localhost", *, expired: bool = False) -> ssl.SSLContext:
        """What a server of that host needs."""
        return self._context(host, self._key, self._name, expired=expired)

    def self_signed(self, host: str = "localhost") -> ssl.SSLContext:
        """The same from nobody but itself."""
        return self._context(host, None, _name(host), expired=False)

    def client(self, name: str) -> Path:
        """The file of a client's certificate, with its key."""
        self._context(name, self._key, self._name, expired=False)
        return self.newest

    def _context(
        self,
        host: str,
        by: ec.EllipticCurvePrivateKey | None,
        issuer: x509.Name,
        *,
        expired: bool,
    ) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(host)]
        if host == "localhost":
            names += [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]
        builder = self._builder(host, key, issuer, expired=expired)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        certificate = builder.sign(by or key, hashes.SHA256())
        path = self.newest = self._folder / f"server-{certificate.serial_number}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _builder(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        issuer: x509.Name | None = None,
        *,
        expired: bool = False,
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        until = now - _DAY if expired else now + 30 * _DAY
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(issuer or _name(name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * _DAY)
            .not_valid_after(until)
        )
