"""The settings: each has its meaning, and each mistake is one clear line without a secret."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from headroom.base.environment import Environment
from headroom.base.errors import SettingsError, SettingsErrors
from headroom.base.mistakes import Mistakes
from headroom.base.settings import JwtSettings, KafkaSettings, Settings, load
from producers.errors import ConfigurationError
from schemas.secrets import Secret

CANARY = "canary-0123456789"


def of(**variables: str) -> Settings:
    return load({f"HEADROOM_{name}": text for name, text in variables.items()})


def test_without_a_variable_everything_has_its_default() -> None:
    found = of()
    assert found == Settings(
        kafka=KafkaSettings(bootstrap=None),
        partitions=8,
        replication_factor=1,
        data_dir=Path.home() / ".local/share/headroom",
        log_level="INFO",
        http_host="127.0.0.1",
        http_port=6066,
        api_tokens_file=None,
        worker_token=None,
        http_advertised_url=None,
        stale_after_seconds=60.0,
        not_serving_seconds=300.0,
        http_connections_max=2_000,
        store="rocksdb",
        guarantee="exactly_once",
        standby_replicas=0,
        registry=None,
    )


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("PARTITIONS", "3", "partitions", 3),
        ("REPLICATION_FACTOR", "3", "replication_factor", 3),
        ("DATA_DIR", "/somewhere", "data_dir", Path("/somewhere")),
        ("LOG_LEVEL", "DEBUG", "log_level", "DEBUG"),
        ("LOG_FORMAT", "json", "log_format", "json"),
        ("PROBES_HOST", "::", "probes_host", "::"),
        ("PROBES_PORT", "6067", "probes_port", 6067),
        ("HTTP_HOST", "localhost", "http_host", "localhost"),
        ("HTTP_HOST", "::1", "http_host", "::1"),
        ("HTTP_HOST", "127.3.2.1", "http_host", "127.3.2.1"),
        ("HTTP_PORT", "0", "http_port", 0),
        ("API_TOKENS_FILE", "/tokens", "api_tokens_file", Path("/tokens")),
        ("WORKER_TOKEN", CANARY, "worker_token", Secret(CANARY)),
        ("HTTP_ADVERTISED_URL", "http://w:1", "http_advertised_url", "http://w:1"),
        ("STALE_AFTER_SECONDS", "2.5", "stale_after_seconds", 2.5),
        ("NOT_SERVING_SECONDS", "30", "not_serving_seconds", 30.0),
        ("HTTP_CONNECTIONS_MAX", "64", "http_connections_max", 64),
        ("STORE", "memory", "store", "memory"),
        ("STORE", "", "store", "rocksdb"),
        ("GUARANTEE", "at_least_once", "guarantee", "at_least_once"),
        ("STANDBY_REPLICAS", "1", "standby_replicas", 1),
        ("HERCLE_ASSET_LIMITS", "base", "in_assets", frozenset()),
        ("HERCLE_ASSET_LIMITS", "asset", "in_assets", frozenset({"hercle"})),
    ],
)
def test_a_variable_sets_what_it_is_named_for(
    variable: str, text: str, field: str, value: object
) -> None:
    assert getattr(of(**{variable: text}), field) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("LOG_FORMAT", "xml"),
        ("PROBES_PORT", "65536"),
        *[("PARTITIONS", text) for text in ("0", "-1", "x", "1.5", "99999999999")],
        *[("REPLICATION_FACTOR", text) for text in ("0", "x", "40000")],
        ("LOG_LEVEL", "loud"),
        *[("HTTP_HOST", text) for text in ("0.0.0.0", "192.0.2.1", "::", "example.org")],  # noqa: S104 - that it is refused
        *[("HTTP_PORT", text) for text in ("-1", "x", "65536")],
        *[("HTTP_ADVERTISED_URL", text) for text in ("w:1", "ftp://w")],
        *[("STALE_AFTER_SECONDS", text) for text in ("0", "x", "nan", "inf", "-1")],
        ("STORE", "paper"),
        ("GUARANTEE", "at_most_once"),
        *[("STANDBY_REPLICAS", text) for text in ("-1", "x", "11")],
        ("WORKER_TOKEN_FILE", "/no/such/file"),
        *[("KAFKA_BOOTSTRAP", text) for text in ("x", "x:", ":1", "x:y", "x:0", "a:1,,b:1")],
        ("KAFKA_BOOTSTRAP", "x:65536"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("KAFKA_SASL_MECHANISM", "GSSAPI"),
        ("KAFKA_SASL_PASSWORD_FILE", "/no/such/file"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable(variable: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        of(**{variable: text}).check_listening()
    assert str(caught.value).startswith(f"HEADROOM_{variable} ")
    assert caught.value.name == f"HEADROOM_{variable}"
    assert "\n" not in str(caught.value)


def test_all_that_is_wrong_is_told_at_once_each_setting_once() -> None:
    wrong = {
        "KAFKA_BOOTSTRAP": "x",
        "PARTITIONS": "0",
        "LOG_LEVEL": "loud",
        "WORKER_TOKEN_FILE": "/no/such/file",
        "JWKS_URL": "ftp://x",
        "PRODUCER_LEASE": "a b",
    }
    with pytest.raises(SettingsErrors) as caught:
        of(**wrong)
    lines = str(caught.value).split("; ")
    assert [line.split()[0] for line in lines] == [
        f"HEADROOM_{name}"
        for name in (
            *("KAFKA_BOOTSTRAP", "PARTITIONS", "LOG_LEVEL", "WORKER_TOKEN_FILE"),
            *("PRODUCER_LEASE", "JWKS_URL", "JWT_ISSUER"),
        )
    ]
    mistakes = Mistakes()
    found = load({f"HEADROOM_{name}": text for name, text in wrong.items()}, mistakes)
    assert (found.partitions, found.log_level, found.jwt) == (8, "INFO", None)
    # What follows from a mistake that was told is not another one.
    assert mistakes.of(found.kafka.arguments) is None
    assert len(mistakes.each) == len(lines)
    with pytest.raises(SettingsErrors):
        mistakes.whole(found)


def test_a_secret_whose_file_cannot_be_read_is_not_missed_as_well() -> None:
    mistakes = Mistakes()
    mistakes.note(SettingsError("HEADROOM_KEY_FILE", "cannot be read"))
    mistakes.note(ConfigurationError("HEADROOM_KEY", "is not set"))
    assert [str(one) for one in mistakes.each] == ["HEADROOM_KEY_FILE cannot be read"]


def test_nothing_wrong_is_refused_by_nobody() -> None:
    assert Mistakes().whole(1) == 1
    with pytest.raises(TypeError):
        Mistakes().whole(None)


# Secrets.


def test_a_secret_comes_from_its_variable_or_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{CANARY}\n")
    for variables in ({"HEADROOM_KEY": CANARY}, {"HEADROOM_KEY_FILE": str(file)}):
        found = Environment(variables).secret("KEY")
        assert found is not None
        assert found.reveal() == CANARY
    assert Environment({}).secret("KEY") is None
    assert Environment({"HEADROOM_KEY": ""}).secret("KEY") is None


@pytest.mark.parametrize("content", [CANARY, f"{CANARY}\r\n", f" \t{CANARY}\n\n"])
def test_a_token_for_a_header_is_without_the_white_space_around_it(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content.encode())
    for variables in ({"HEADROOM_TOKEN": content}, {"HEADROOM_TOKEN_FILE": str(file)}):
        found = Environment(variables).bearer("TOKEN")
        assert found is not None
        assert found.reveal() == CANARY
    assert Environment({}).bearer("TOKEN") is None


@pytest.mark.parametrize("odd", ["\r\n", "\r", "\n", "\0", "\x01", "\x7f", "\udcff"])
def test_a_token_that_no_header_can_carry_is_one_line_that_does_not_tell_it(odd: str) -> None:
    for variable in ("API_TOKEN", "WORKER_TOKEN"):
        with pytest.raises(SettingsError, match=f"^HEADROOM_{variable} holds a control") as caught:
            Environment({f"HEADROOM_{variable}": f"{CANARY}{odd}x"}).bearer(variable)
        assert CANARY not in str(caught.value)
    with pytest.raises(SettingsError, match="HEADROOM_WORKER_TOKEN"):
        of(WORKER_TOKEN=f"{CANARY}{odd}x")


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named_by_its_variable_and_not_shown(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / CANARY
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match="HEADROOM_KEY_FILE cannot be read") as caught:
        Environment({"HEADROOM_KEY_FILE": str(file)}).secret("KEY")
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_secret_is_in_no_text_of_the_settings() -> None:
    found = of(
        KAFKA_BOOTSTRAP="k:9093",
        KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT",
        KAFKA_SASL_USERNAME="u",
        KAFKA_SASL_PASSWORD=CANARY,
    )
    assert found.kafka.sasl_password is not None
    assert CANARY not in repr(found) + str(found.kafka)


# What aiokafka's clients get.

SASL = {
    "KAFKA_BOOTSTRAP": "k:9093",
    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "KAFKA_SASL_USERNAME": "u",
    "KAFKA_SASL_PASSWORD": CANARY,
}


def test_a_plain_kafka_needs_its_address_alone() -> None:
    expected = {"bootstrap_servers": "a:1,b:2", "security_protocol": "PLAINTEXT"}
    assert of(KAFKA_BOOTSTRAP="a:1,b:2").kafka.arguments() == expected
    assert of(KAFKA_BOOTSTRAP="[::1]:9092").kafka.bootstrap == "[::1]:9092"


def test_without_an_address_it_says_which_variable_is_missing() -> None:
    with pytest.raises(SettingsError, match="HEADROOM_KAFKA_BOOTSTRAP is not set"):
        of().kafka.arguments()


@pytest.mark.parametrize(("mechanism", "expected"), [(None, "SCRAM-SHA-512"), ("PLAIN", "PLAIN")])
def test_sasl_has_user_password_and_a_mechanism(mechanism: str | None, expected: str) -> None:
    more = {} if mechanism is None else {"KAFKA_SASL_MECHANISM": mechanism}
    found = of(**SASL, **more).kafka.arguments()
    assert found["sasl_mechanism"] == expected
    assert (found["sasl_plain_username"], found["sasl_plain_password"]) == ("u", CANARY)


@pytest.mark.parametrize("missing", ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"])
def test_half_a_login_is_refused(missing: str) -> None:
    given = {name: text for name, text in SASL.items() if name != missing}
    with pytest.raises(SettingsError, match=f"HEADROOM_{missing} is not set") as caught:
        of(**given).kafka.arguments()
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_tls_is_always_verified(protocol: str) -> None:
    found: dict[str, Any] = of(**SASL | {"KAFKA_SECURITY_PROTOCOL": protocol}).kafka.arguments()
    context = found["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("variable", ["KAFKA_SSL_CAFILE", "KAFKA_SSL_CERTFILE"])
def test_a_certificate_that_cannot_be_loaded_is_one_clear_line(
    variable: str, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.pem"
    for path in (bad, tmp_path / "missing.pem"):
        bad.write_text(CANARY)
        more = {"KAFKA_SECURITY_PROTOCOL": "SSL", variable: str(path)}
        with pytest.raises(SettingsError, match="HEADROOM_KAFKA_SSL_") as caught:
            of(**SASL | more).kafka.arguments()
        assert CANARY not in str(caught.value)


def test_a_lease_has_a_name_that_kafka_takes() -> None:
    assert load({}).producer_lease is None
    assert load({"HEADROOM_PRODUCER_LEASE": "prod-1.a_B"}).producer_lease == "prod-1.a_B"
    for name in ("two words", "a/b", "x" * 101, "ü"):
        with pytest.raises(SettingsError, match="HEADROOM_PRODUCER_LEASE"):
            load({"HEADROOM_PRODUCER_LEASE": name})


ISSUER = {"JWT_ISSUER": "https://i", "JWT_AUDIENCE": "headroom", "JWKS_URL": "https://i/jwks"}


def test_whose_jwts_count_is_said_wholly_or_not_at_all() -> None:
    jwt = of(**ISSUER).jwt
    assert jwt == JwtSettings(
        "https://i", "headroom", "headroom_users", "https://i/jwks", None, None
    )
    given = {**ISSUER, "JWKS_URL": "", "JWKS_FILE": "/jwks", "JWT_USERS_CLAIM": "https://i/users"}
    jwt = of(**given, JWT_QUESTIONS_PER_MINUTE="60").jwt
    assert jwt is not None
    assert (jwt.users_claim, jwt.jwks_file) == ("https://i/users", Path("/jwks"))
    assert (jwt.jwks_url, jwt.questions_per_minute) == (None, 60)
    assert of(**{**ISSUER, "JWKS_URL": "http://127.0.0.1:1/jwks"}).jwt
    assert of().jwt is None
    # With them a worker may listen elsewhere.
    of(**ISSUER, HTTP_HOST="192.0.2.1").check_listening()


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"JWT_ISSUER": ""}, "JWT_ISSUER"),
        ({"JWT_AUDIENCE": ""}, "JWT_ISSUER"),
        ({"JWKS_URL": ""}, "JWT_ISSUER"),
        ({"JWKS_FILE": "/jwks"}, "JWT_ISSUER"),
        ({"JWKS_URL": "http://i/jwks"}, "JWKS_URL"),
        ({"JWKS_URL": "https://a:b@i/jwks"}, "JWKS_URL"),
        ({"JWT_QUESTIONS_PER_MINUTE": "0"}, "JWT_QUESTIONS_PER_MINUTE"),
    ],
)
def test_an_issuer_that_is_half_said_is_refused(changes: dict[str, str], variable: str) -> None:
    with pytest.raises(SettingsError, match=f"^HEADROOM_{variable} "):
        of(**{**ISSUER, **changes})
