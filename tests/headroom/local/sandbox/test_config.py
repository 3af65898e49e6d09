"""What a simulated venue accepts to be told, and what it says where it does not."""

from decimal import Decimal

import pytest

from headroom.local.sandbox import HercleConfig, SfoxConfig, hercle_keys, read_keys


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"port": -1}, "port must be 0 to 65535"),
        ({"port": 65_536}, "port must be 0 to 65535"),
        ({"users": 0}, "users must be 1 to"),
        ({"users": 100_001}, "users must be 1 to"),
        ({"rate_per_second": Decimal(-1)}, "rate must be 0 to"),
        ({"rate_per_second": Decimal("NaN")}, "rate must be 0 to"),
        ({"close_seconds": Decimal(0)}, "close_seconds must be greater than 0"),
    ],
)
@pytest.mark.parametrize("kind", [SfoxConfig, HercleConfig])
def test_a_value_that_cannot_be_is_one_clear_line(kind, change, said):
    """Both venues refuse the same mistakes with the same words."""
    with pytest.raises(ValueError, match=said) as caught:
        kind(**change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"path": "v1"}, "path must begin"),
        ({"path": "/v1/"}, "path must begin"),
        ({"ping_seconds": Decimal(0)}, "ping_seconds must be"),
        ({"keys": {"a": "u", "b": "u"}}, "a user id of its own"),
        ({"keys": {"a": ""}}, "1 to 1024 bytes"),
    ],
)
def test_hercle_has_mistakes_of_its_own(change, said):
    """A path, a time, users that cannot be."""
    with pytest.raises(ValueError, match=said):
        HercleConfig(**change)


@pytest.mark.parametrize("key", ["", "canary key", "canary\n", "cänary"])
def test_a_bad_key_is_refused_without_being_told(key):
    """The message of a refused key does not hold it."""
    for make in (lambda: SfoxConfig(api_key=key), lambda: HercleConfig(keys={key: "u"})):
        with pytest.raises(ValueError, match="an API key must be") as caught:
            make()
        assert "nary" not in str(caught.value)


def test_no_key_is_in_a_repr():
    """A configuration may be logged."""
    configs = [
        SfoxConfig(api_key="canary-1"),
        HercleConfig(base_key="canary-2"),
        HercleConfig(keys={"canary-3": "user"}),
    ]
    assert "canary" not in repr(configs)


def test_hercle_keys_are_told_by_their_number():
    """User i of a base key has the key `BASE-000i`."""
    assert hercle_keys("base", 2) == {"base-0001": "user-0001", "base-0002": "user-0002"}
    assert HercleConfig(users=2, base_key="base").users_by_key == hercle_keys("base", 2)
    assert HercleConfig(users=2, keys={"k": "u"}).users_by_key == {"k": "u"}


def test_a_file_of_keys(tmp_path):
    """A key, a space and the rest of the line; comments and empty lines are passed over."""
    path = tmp_path / "keys"
    path.write_text("# keys\n\nkey-1 user one\nkey-2   fund/alpha\n", encoding="utf-8")
    assert read_keys(path) == {"key-1": "user one", "key-2": "fund/alpha"}


@pytest.mark.parametrize("text", ["canary\n", "canary u\ncanary v\n", "# none\n"])
def test_a_bad_file_of_keys_is_refused_by_its_line(tmp_path, text):
    """The line's number is told, its text is not."""
    path = tmp_path / "keys"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="keys: ") as caught:
        read_keys(path)
    assert "canary" not in str(caught.value)
