"""Settings that cannot be right are refused, and secrets never show."""

import copy
import json
import pickle
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.errors import ConfigurationError
from producers.hercle import HercleSettings
from producers.sfox import SfoxSettings
from schemas.secrets import Secret

CANARY = "canary-0123456789"


def hercle(**changes: object) -> HercleSettings:
    settings = {"api_keys": (Secret(CANARY),), "client_id": "me"} | changes
    return HercleSettings(**settings)


def test_a_secret_never_shows_itself() -> None:
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{secret!r}", "%s" % secret]  # noqa: UP031
    assert all(CANARY not in text for text in shown)
    assert CANARY not in repr(SfoxSettings(api_key=secret))
    assert CANARY not in repr(hercle())
    assert secret.reveal() == CANARY
    assert secret.redact(f"a {CANARY} b") == "a Secret(hidden) b"
    assert Secret("").redact("ab") == "ab"


@pytest.mark.parametrize("carry", [pickle.dumps, copy.copy, copy.deepcopy, msgspec.json.encode])
def test_a_secret_is_not_carried_away(carry: object) -> None:
    with pytest.raises(TypeError):
        carry(Secret(CANARY))
    with pytest.raises(TypeError):
        json.dumps(Secret(CANARY))


@given(st.text(), st.text())
def test_secrets_are_equal_where_their_texts_are(left: str, right: str) -> None:
    assert (Secret(left) == Secret(right)) is (left == right)
    assert hash(Secret(left)) == hash(Secret(right))
    assert Secret(left) != left


@pytest.mark.parametrize(
    "url",
    ["wss://ws.sfox.com/ws", "ws://localhost:1/ws", "ws://127.0.0.7/ws", "ws://[::1]:9/ws"],
)
def test_urls_that_may_be_used(url: str) -> None:
    assert SfoxSettings(api_key=Secret(CANARY), url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "ws://ws.sfox.com/ws",
        "ws://10.0.0.1/ws",
        "ws://127.0.0.1.example.com/ws",
        "https://ws.sfox.com/ws",
        "wss://user:canary-0123456789@ws.sfox.com/ws",
        "wss:///ws",
        "wss://host:99999/ws",
        "wss://[::1",
        "",
    ],
)
def test_urls_that_may_not(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SfoxSettings(api_key=Secret(CANARY), url=url)
    assert caught.value.setting == "HEADROOM_SFOX_URL"
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("key", ["", "a b", "a\r\nX: y", "ключ", "x" * 9000, "\ud800"])
def test_keys_that_cannot_be_sent(key: str) -> None:
    for make in (
        lambda: SfoxSettings(api_key=Secret(key)),
        lambda: hercle(api_keys=(Secret(key),)),
    ):
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert not key or key not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"api_keys": ()}, "HEADROOM_HERCLE_API_KEY"),
        ({"api_keys": (Secret("a"), Secret("a"))}, "HEADROOM_HERCLE_API_KEY"),
        ({"client_id": ""}, "HEADROOM_HERCLE_CLIENT_ID"),
        ({"client_id": "x" * 37}, "HEADROOM_HERCLE_CLIENT_ID"),
        ({"poll_seconds": Decimal("0.049")}, "HEADROOM_HERCLE_POLL_SECONDS"),
        ({"poll_seconds": Decimal("NaN")}, "HEADROOM_HERCLE_POLL_SECONDS"),
        ({"poll_seconds": Decimal("Infinity")}, "HEADROOM_HERCLE_POLL_SECONDS"),
        ({"url": "http://example.com/hub"}, "HEADROOM_HERCLE_URL"),
        ({"url": "wss://example.com/hub"}, "HEADROOM_HERCLE_URL"),
    ],
)
def test_impossible_settings_of_hercle(changes: dict[str, object], setting: str) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        hercle(**changes)


def test_the_least_and_the_usual_are_fine() -> None:
    assert hercle(poll_seconds=Decimal("0.05"), client_id="x" * 36).poll_seconds == Decimal("0.05")
