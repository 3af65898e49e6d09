"""The settings of all programs but the venues': what each variable means, and what it may be.

All that is wrong with them is told at once (`headroom.base.mistakes`).
"""

import ipaddress
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from headroom.base.environment import Environment, secret_in
from headroom.base.errors import SettingsError
from headroom.base.mistakes import Mistakes
from schemas.secrets import Secret
from schemas.topics import PARTITIONS_DEFAULT

_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
_PORT_MAX: Final = 65_535
_PARTITIONS_MAX: Final = 10_000
_REPLICATION_FACTOR_MAX: Final = 32_767
_STALE_SECONDS_MAX: Final = 86_400
NOT_SERVING_SECONDS: Final = 300.0
_NOT_SERVING_SECONDS_MAX: Final = 86_400
HTTP_CONNECTIONS_DEFAULT: Final = 2_000
_HTTP_CONNECTIONS_MAX: Final = 100_000
SPOOL_BYTES_DEFAULT: Final = 1024**3
SPOOL_BYTES_MIN: Final = 1024**2
_SPOOL_BYTES_MAX: Final = 1024**4
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
TRACES_RATIO_DEFAULT: Final = 0.001
LOG_FORMATS: Final = ("auto", "text", "json")
_STORES: Final = ("rocksdb", "memory")
_GUARANTEES: Final = ("exactly_once", "at_least_once")
REGISTRY_MODES: Final = ("register", "lookup", "off")
_STANDBY_REPLICAS_MAX: Final = 10
_QUESTIONS_PER_MINUTE_MAX: Final = 1_000_000
_EVERY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104 - told apart, not listened on
_LEASE: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")


class KafkaSettings(msgspec.Struct, frozen=True):
    """How to reach Kafka; `bootstrap` is None where none is set."""

    bootstrap: str | None
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "SCRAM-SHA-512"
    sasl_username: str | None = None
    sasl_password: Secret | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    sasl_password_file: str | None = None

    def fresh(self) -> "KafkaSettings":
        """The same with the password that its file holds now; raises `SettingsError`."""
        if self.sasl_password_file is None:
            return self
        password = secret_in(self.sasl_password_file, "KAFKA_SASL_PASSWORD", ours=True)
        return msgspec.structs.replace(self, sasl_password=password)

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of every aiokafka client; SettingsError without an address."""
        if self.bootstrap is None:
            raise SettingsError(
                "HEADROOM_KAFKA_BOOTSTRAP",
                "is not set: host:port of a broker (`headroom broker` starts one here)",
            )
        found: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.endswith("SSL"):
            found["ssl_context"] = self._ssl_context()
        if self.security_protocol.startswith("SASL"):
            if self.sasl_username is None or self.sasl_password is None:
                missing = "USERNAME" if self.sasl_username is None else "PASSWORD"
                problem = f"is not set, and {self.security_protocol} needs it"
                raise SettingsError(f"HEADROOM_KAFKA_SASL_{missing}", problem)
            found["sasl_mechanism"] = self.sasl_mechanism
            found["sasl_plain_username"] = self.sasl_username
            found["sasl_plain_password"] = self.sasl_password.reveal()
        return found

    def properties(self) -> dict[str, str]:
        """What librdkafka is told beside `arguments`: the files of TLS, which it reads itself."""
        if not self.security_protocol.endswith("SSL"):
            return {}
        files = {
            "ssl.ca.location": self.ssl_cafile,
            "ssl.certificate.location": self.ssl_certfile,
            "ssl.key.location": self.ssl_keyfile,
        }
        return {name: path for name, path in files.items() if path is not None}

    def _ssl_context(self) -> ssl.SSLContext:
        # Verifies the broker's certificate and name; there is no way to turn that off.
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile)
            if self.ssl_certfile is not None:
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError("HEADROOM_KAFKA_SSL_*", f"cannot be loaded: {error}") from None
        return context


class RegistrySettings(msgspec.Struct, frozen=True):
    """How to reach a schema registry; without a `username` nobody has to say who they are."""

    url: str
    username: str | None = None
    password: Secret | None = None
    mode: str = REGISTRY_MODES[0]


class JwtSettings(msgspec.Struct, frozen=True):
    """Whose JWTs count, for whom; its keys are at a URL or in a file, one of the two."""

    issuer: str
    audience: str
    users_claim: str
    jwks_url: str | None
    jwks_file: Path | None
    questions_per_minute: int | None


class TracesSettings(msgspec.Struct, frozen=True):
    """To which collector (OTLP over HTTP) spans go, and of what part of all frames, 0 to 1.

    `is_ours`: the endpoint is told by our own setting, not by OpenTelemetry's, which whoever runs a
    cluster may have put into every process.
    """

    endpoint: str
    ratio: float
    is_ours: bool


class Settings(msgspec.Struct, frozen=True):
    """All settings but those of the venues, which only a producer needs."""

    kafka: KafkaSettings
    partitions: int
    replication_factor: int
    data_dir: Path
    log_level: str
    http_host: str
    http_port: int
    api_tokens_file: Path | None
    worker_token: Secret | None
    http_advertised_url: str | None
    stale_after_seconds: float
    not_serving_seconds: float
    http_connections_max: int
    store: str
    guarantee: str
    standby_replicas: int
    registry: RegistrySettings | None
    accounts_file: Path | None = None
    hercle_asset_limits: str = "base"
    spool_bytes_max: int = SPOOL_BYTES_DEFAULT
    spool: Path | None = None
    producer_lease: str | None = None
    log_format: str = LOG_FORMATS[0]
    probes_host: str = "127.0.0.1"
    probes_port: int = 0
    alerts_file: Path | None = None
    jwt: JwtSettings | None = None
    traces: TracesSettings | None = None

    @property
    def spool_dir(self) -> Path:
        """Where producers keep frames until Kafka has them."""
        return self.data_dir / "spool" if self.spool is None else self.spool

    @property
    def in_assets(self) -> frozenset[str]:
        """The venues whose limits of assets are amounts of the assets themselves."""
        return frozenset(["hercle"] if self.hercle_asset_limits == "asset" else [])

    def check_listening(self) -> None:
        """That a worker may listen where it is told to; raises `SettingsError`."""
        guarded = self.api_tokens_file is not None or self.jwt is not None
        if not (guarded or _is_loopback(self.http_host)):
            problem = (
                f"is this machine as long as no tokens protect it (HEADROOM_API_TOKENS_FILE, "
                f"HEADROOM_JWT_ISSUER), not {self.http_host}"
            )
            raise SettingsError("HEADROOM_HTTP_HOST", problem)
        if self.http_host in _EVERY_ADDRESS and self.http_advertised_url is None:
            problem = f"is not set, and nobody can ask a worker at {self.http_host}"
            raise SettingsError("HEADROOM_HTTP_ADVERTISED_URL", problem)


def load(variables: Mapping[str, str], mistakes: Mistakes | None = None) -> Settings:
    """The settings in `variables`; raises `SettingsError` for all that cannot be right.

    With `mistakes` these are noted there, and defaults stand in.
    """
    found = Mistakes() if mistakes is None else mistakes
    settings = load_from(Environment(variables, found))
    if mistakes is None:
        found.refuse()
    return settings


def load_from(environment: Environment) -> Settings:
    """The same by an environment, which knows afterwards what there is to be asked for."""
    tokens, accounts = environment.text("API_TOKENS_FILE"), environment.text("ACCOUNTS_FILE")
    spool, alerts = environment.text("SPOOL_DIR"), environment.text("ALERTS_FILE")
    return Settings(
        kafka=_kafka(environment),
        partitions=environment.number("PARTITIONS", PARTITIONS_DEFAULT, int, 1, _PARTITIONS_MAX),
        replication_factor=environment.number(
            "REPLICATION_FACTOR", 1, int, 1, _REPLICATION_FACTOR_MAX
        ),
        data_dir=Path(environment.text("DATA_DIR") or Path.home() / ".local/share/headroom"),
        log_level=environment.choice("LOG_LEVEL", "INFO", _LEVELS),
        http_host=environment.text("HTTP_HOST") or "127.0.0.1",
        http_port=environment.number("HTTP_PORT", 6066, int, 0, _PORT_MAX),
        api_tokens_file=None if tokens is None else Path(tokens),
        worker_token=environment.bearer("WORKER_TOKEN"),
        http_advertised_url=_http_url(environment, "HTTP_ADVERTISED_URL"),
        stale_after_seconds=environment.number(
            "STALE_AFTER_SECONDS", 60.0, float, 1, _STALE_SECONDS_MAX
        ),
        not_serving_seconds=environment.number(
            "NOT_SERVING_SECONDS", NOT_SERVING_SECONDS, float, 10, _NOT_SERVING_SECONDS_MAX
        ),
        http_connections_max=environment.number(
            "HTTP_CONNECTIONS_MAX", HTTP_CONNECTIONS_DEFAULT, int, 1, _HTTP_CONNECTIONS_MAX
        ),
        store=environment.choice("STORE", "rocksdb", _STORES),
        guarantee=environment.choice("GUARANTEE", _GUARANTEES[0], _GUARANTEES),
        standby_replicas=environment.number("STANDBY_REPLICAS", 0, int, 0, _STANDBY_REPLICAS_MAX),
        registry=_registry(environment),
        accounts_file=None if accounts is None else Path(accounts),
        hercle_asset_limits=environment.choice("HERCLE_ASSET_LIMITS", "base", ("base", "asset")),
        spool_bytes_max=environment.number(
            "SPOOL_BYTES_MAX", SPOOL_BYTES_DEFAULT, int, SPOOL_BYTES_MIN, _SPOOL_BYTES_MAX
        ),
        spool=None if spool is None else Path(spool),
        producer_lease=_lease(environment),
        log_format=environment.choice("LOG_FORMAT", LOG_FORMATS[0], LOG_FORMATS),
        probes_host=environment.text("PROBES_HOST") or "127.0.0.1",
        probes_port=environment.number("PROBES_PORT", 0, int, 0, _PORT_MAX),
        alerts_file=None if alerts is None else Path(alerts),
        jwt=_jwt(environment),
        traces=_traces(environment),
    )


def _kafka(environment: Environment) -> KafkaSettings:
    return KafkaSettings(
        bootstrap=_bootstrap(environment),
        security_protocol=environment.choice("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", _PROTOCOLS),
        sasl_mechanism=environment.choice("KAFKA_SASL_MECHANISM", _MECHANISMS[0], _MECHANISMS),
        sasl_username=environment.text("KAFKA_SASL_USERNAME"),
        sasl_password=environment.secret("KAFKA_SASL_PASSWORD", ours=True),
        ssl_cafile=environment.text("KAFKA_SSL_CAFILE"),
        ssl_certfile=environment.text("KAFKA_SSL_CERTFILE"),
        ssl_keyfile=environment.text("KAFKA_SSL_KEYFILE"),
        sasl_password_file=environment.text("KAFKA_SASL_PASSWORD_FILE"),
    )


def _bootstrap(environment: Environment) -> str | None:
    text = environment.text("KAFKA_BOOTSTRAP")
    for address in [] if text is None else text.split(","):
        host, _, port = address.strip().rpartition(":")
        sound = host and port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _PORT_MAX
        if not sound:
            problem = f"is host:port, several with commas between them, not {text!r}"
            environment.wrong("KAFKA_BOOTSTRAP", problem)
            return None
    return text


def _lease(environment: Environment) -> str | None:
    text = environment.text("PRODUCER_LEASE")
    if text is not None and not _LEASE.fullmatch(text):
        problem = f"is a name of up to 100 letters, digits, dots, _ and -, not {text[:40]!r}"
        environment.wrong("PRODUCER_LEASE", problem)
        return None
    return text


def _registry(environment: Environment) -> RegistrySettings | None:
    url = _http_url(environment, "SCHEMA_REGISTRY_URL")
    mode = environment.choice("SCHEMA_REGISTRY_MODE", REGISTRY_MODES[0], REGISTRY_MODES)
    username = environment.text("SCHEMA_REGISTRY_USERNAME")
    password = environment.secret("SCHEMA_REGISTRY_PASSWORD", ours=True)
    if url is None or mode == "off":
        return None
    if username is not None and (host := _open_to(url)):
        problem = f"must begin with https:// for {host}: a password would travel in the clear"
        environment.wrong("SCHEMA_REGISTRY_URL", problem)
        return None
    return RegistrySettings(url, username, password, mode)


def _jwt(environment: Environment) -> JwtSettings | None:
    issuer, audience = environment.text("JWT_ISSUER"), environment.text("JWT_AUDIENCE")
    url, file = _http_url(environment, "JWKS_URL"), environment.text("JWKS_FILE")
    claim = environment.text("JWT_USERS_CLAIM") or "headroom_users"
    most = environment.number("JWT_QUESTIONS_PER_MINUTE", 0, int, 1, _QUESTIONS_PER_MINUTE_MAX)
    has_url = environment.text("JWKS_URL") is not None
    if issuer is None:
        if audience or has_url or file:
            environment.wrong("JWT_ISSUER", "is not set, and its audience or keys are")
        return None
    if audience is None or has_url == (file is not None):
        problem = "needs HEADROOM_JWT_AUDIENCE, and one of HEADROOM_JWKS_URL, HEADROOM_JWKS_FILE"
        environment.wrong("JWT_ISSUER", problem)
        return None
    if url is not None and _open_to(url):
        problem = "must begin with https://: whoever changes the keys on the way could sign tokens"
        environment.wrong("JWKS_URL", problem)
    keys = None if file is None else Path(file)
    return JwtSettings(issuer, audience, claim, url, keys, most or None)


def _traces(environment: Environment) -> TracesSettings | None:
    ratio = environment.number("TRACES_RATIO", TRACES_RATIO_DEFAULT, float, 0, 1)
    ours = _http_url(environment, "OTLP_ENDPOINT")
    endpoint = ours or environment.standard("OTEL_EXPORTER_OTLP_ENDPOINT")
    return None if endpoint is None else TracesSettings(endpoint, ratio, is_ours=ours is not None)


def _http_url(environment: Environment, name: str) -> str | None:
    """A URL; what a person could have put a password into is never told."""
    text = environment.text(name)
    if text is None:
        return None
    if not text.startswith(("http://", "https://")):
        environment.wrong(name, "is a URL that begins with http:// or https://")
        return None
    if "@" in text:
        environment.wrong(name, "must not hold a user or a password")
        return None
    return text


def _open_to(url: str) -> str | None:
    """The host to which a URL leads in the clear over a network; None where it does not."""
    host = urlsplit(url).hostname or "nobody"
    return host if url.startswith("http:") and not _is_loopback(host) else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
