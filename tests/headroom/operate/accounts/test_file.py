"""The accounts file: read strictly, each mistake one clear line."""

from pathlib import Path

import pytest

from headroom.base.errors import SettingsError
from headroom.operate.accounts.file import read_accounts


def read(folder: Path, text: str) -> dict[str, str]:
    path = folder / "accounts.yaml"
    path.write_text(text, encoding="utf-8")
    return read_accounts(path)


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    wanted = {"sfox:4711": "ann", "hercle:a:b": "ann"}
    assert read_accounts(None) == {}
    assert read(tmp_path, "accounts: []") == {}
    assert (
        read(
            tmp_path,
            "accounts:\n- {venue: sfox, account: '4711', user: ann}\n"
            "- {venue: hercle, account: 'a:b', user: ann}\n",
        )
        == wanted
    )
    assert (
        read(
            tmp_path,
            '{"accounts": [{"venue": "sfox", "account": "4711", "user": "ann"},'
            ' {"venue": "hercle", "account": "a:b", "user": "ann"}]}',
        )
        == wanted
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("accounts: [{venue: sfox, account: 4711, user: ann}]", "a text between quotes"),
        ("accounts: [{venue: sfox, account: a, user: no}]", "a text between quotes"),
        ("accounts: [{venue: sfox, account: a}]", "missing required field `user`"),
        ("accounts: [{venue: sfox, account: a, user: b, usr: c}]", "unknown field `usr`"),
        ("accounts: [{venue: nasdaq, account: a, user: b}]", "entry 1: 'nasdaq' is no venue"),
        ("accounts: [{venue: sfox, account: '', user: b}]", "entry 1: an account's id has"),
        ("accounts: [{venue: sfox, account: a, user: ''}]", "entry 1: a user's name has"),
        ("accounts: [{venue: sfox, account: a, user: 'sfox:a'}]", "must not look like"),
        ("accounts: [{venue: sfox, account: a, user: 'later:b'}]", "must not look like"),
        (
            "accounts: [{venue: sfox, account: a, user: b}, {venue: sfox, account: a, user: b}]",
            "entry 2: sfox:a stands there twice",
        ),
        ("accounts: {", "is not YAML"),
        ("[]", "HEADROOM_ACCOUNTS_FILE"),
        ("", "HEADROOM_ACCOUNTS_FILE"),
        ("accounts: !!python/object/apply:os.system [true]", "is not YAML"),
    ],
)
def test_what_is_not_wholly_right_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, text)
    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nothing-here"):
        read_accounts(tmp_path / "nothing-here")
