"""The tokens file: made by a command, read whole or refused, and no token is ever in it."""

import asyncio
import errno
import math
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from headroom.base.errors import OperatorError, SettingsError
from headroom.base.settings import Settings, load
from headroom.operate.tokens import access_of, add, keep_reading, kept, read
from processors.http.grants import hashed
from processors.http.issuer_keys import BYTES_MAX, KeysUnknown
from tests.headroom.commands import headroom
from tests.processors.issuing import AUDIENCE, ISSUER, Jwks, Signer

WORKER_TOKEN = "canary-worker-0123456789-0123456789"
DIGEST = "ab" * 32
ENTRY = f'[[token]]\nname = "risk"\nsha256 = "{DIGEST}"\nusers = "all"\n'


def file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "tokens.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    path.chmod(mode)
    return path


def settings(path: Path, **variables: Any) -> Settings:
    given = {"API_TOKENS_FILE": path, "WORKER_TOKEN": WORKER_TOKEN, **variables}
    return load({f"HEADROOM_{n}": str(text) for n, text in given.items() if text is not None})


def test_a_token_that_was_made_is_known_by_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    risk = add(path, "risk", [])
    portal = add(path, 'the "portal"', ["sfox:a", "hercle:ü\n"])
    assert [(grant.name, grant.users) for grant in read(path)] == [
        ("risk", None),
        ('the "portal"', {"sfox:a", "hercle:ü\n"}),
    ]
    assert [grant.digest for grant in read(path)] == [
        hashed(token.reveal()) for token in (risk, portal)
    ]
    text = path.read_text()
    assert risk.reveal() not in text
    assert portal.reveal() not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(OperatorError, match="already"):
        add(path, "risk", [])
    with pytest.raises(OperatorError, match="printable"):
        add(path, "ri\nsk", [])


def test_whatever_a_person_wrote_before_stays_readable(tmp_path: Path) -> None:
    """A last line without its end, and users of any letters."""
    path = file(tmp_path, ENTRY.rstrip("\n"))
    odd = ['sfox:"\\\n\t\x7f\x00', "hercle:🙂"]
    add(path, "portal", odd)
    assert [(grant.name, grant.users) for grant in read(path)] == [
        ("risk", None),
        ("portal", set(odd)),
    ]
    with pytest.raises(OperatorError, match="UTF-8"):
        add(path, "other", ["sfox:\udcff"])
    with pytest.raises(OperatorError, match="printable"):
        add(path, "\udcff", [])
    assert len(read(path)) == 2


LONGEST = ["sfox:" + "ü" * 512, "hercle:" + "u" * 1_024, "u" * 1_024, "nowhere:" + "u" * 1_016]


def test_the_longest_users_there_can_be_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    add(path, "risk", LONGEST)
    assert read(path)[0].users == set(LONGEST)


@pytest.mark.parametrize("user", ["", *(user + "u" for user in LONGEST), "\udcff"])
def test_a_user_whom_the_reader_would_refuse_is_not_written(tmp_path: Path, user: str) -> None:
    path = file(tmp_path, ENTRY)
    with pytest.raises(OperatorError, match=r"1 to 1,024 bytes"):
        add(path, "portal", ["sfox:a", user])
    assert path.read_text() == ENTRY
    if user.isascii():
        written = ENTRY.replace('"all"', f'["sfox:a", "{user}"]')
        with pytest.raises(SettingsError, match=r"1 to 1,024 bytes"):
            read(file(tmp_path, written))


def test_a_file_that_could_not_be_read_with_another_token_stays_as_it_is(tmp_path: Path) -> None:
    """A person may have written all tokens on one line, to which nothing can be added."""
    text = f'token = [{{name = "risk", sha256 = "{DIGEST}", users = "all"}}]\n'
    path = file(tmp_path, text)
    with pytest.raises(OperatorError, match="no tokens file"):
        add(path, "portal", [])
    assert path.read_text() == text
    assert len(read(path)) == 1


def test_a_failure_half_way_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file(tmp_path, ENTRY, 0o640)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OperatorError, match="No space"):
            add(path, "portal", [])
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == ENTRY
    add(path, "portal", [])
    assert [grant.name for grant in read(path)] == ["risk", "portal"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_one_and_what_is_no_file_stays_what_it_is(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file(tmp_path, ENTRY))
    add(link, "portal", [])
    assert link.is_symlink()
    assert len(read(link)) == 2
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OperatorError, match="no file"):
        add(pipe, "risk", [])
    assert pipe.is_fifo()


def test_two_at_a_time_are_both_written(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add(path, f"risk {number}", []), range(24)))
    assert {grant.name for grant in read(path)} == {f"risk {number}" for number in range(24)}


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o777])
def test_a_file_that_is_open_to_all_is_refused(tmp_path: Path, mode: int) -> None:
    path = file(tmp_path, ENTRY, mode)
    with pytest.raises(SettingsError, match=r"^HEADROOM_API_TOKENS_FILE is open to all"):
        access_of(settings(path))
    path.chmod(0o640)
    assert access_of(settings(path)) is not None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "token"),
        ("token = 1", "array"),
        ("[[token]\n", "line 1"),
        ("\udcff", "UTF-8"),
        (ENTRY + "surprise = 1", "surprise"),
        (ENTRY + ENTRY, "twice"),
        (ENTRY + ENTRY.replace("risk", "desk"), "twice"),
        (ENTRY.replace(DIGEST, DIGEST[1:]), "sha256"),
        (ENTRY.replace(DIGEST, DIGEST.upper()), "sha256"),
        (ENTRY.replace("users", "user"), "user"),
        (ENTRY.replace('"all"', '"sfox:a"'), "users"),
        (ENTRY.replace('"all"', "[]"), "users"),
        (ENTRY.replace('"all"', "[1]"), "users"),
        (ENTRY.replace('"risk"', '""'), "name"),
        (ENTRY.replace('name = "risk"\n', ""), "name"),
        (ENTRY.replace('users = "all"\n', ""), "users"),
    ],
)
def test_a_file_that_is_not_wholly_right_is_refused(tmp_path: Path, text: str, word: str) -> None:
    path = file(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        access_of(settings(path))
    assert str(caught.value).startswith("HEADROOM_API_TOKENS_FILE ")
    assert word in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        access_of(settings(tmp_path / "tokens.toml"))
    with pytest.raises(SettingsError, match="cannot be read"):
        access_of(settings(tmp_path))


def test_workers_need_a_credential_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    token = add(path, "risk", []).reveal()
    for given, word in ((None, "not set"), ("canary", "shorter"), (token, "one of the tokens")):
        with pytest.raises(SettingsError) as caught:
            access_of(settings(path, WORKER_TOKEN=given))
        assert str(caught.value).startswith("HEADROOM_WORKER_TOKEN ")
        assert word in str(caught.value)
        assert given is None or given not in str(caught.value)


def test_beyond_this_machine_there_are_tokens_and_an_address(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    add(path, "risk", [])
    for host in ("192.0.2.1", "worker.example"):
        assert access_of(settings(path, HTTP_HOST=host)) is not None
        with pytest.raises(SettingsError, match=r"^HEADROOM_HTTP_HOST "):
            access_of(settings(path, HTTP_HOST=host, API_TOKENS_FILE=None))
    everywhere = "0.0.0.0"  # noqa: S104 - what is tested
    with pytest.raises(SettingsError, match=r"^HEADROOM_HTTP_ADVERTISED_URL "):
        access_of(settings(path, HTTP_HOST=everywhere))
    assert access_of(settings(path, HTTP_HOST=everywhere, HTTP_ADVERTISED_URL="http://w:1"))
    assert access_of(settings(path, API_TOKENS_FILE=None)) is None


def test_the_command_prints_the_token_once(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    done = headroom("token", "risk", "--user", "sfox:a", "--file", str(path))
    assert (done.status, done.err) == (0, "")
    (grant,) = read(path)
    assert (grant.name, grant.users) == ("risk", {"sfox:a"})
    assert grant.digest == hashed(done.out.strip())
    headroom("token", "risk", "--file", str(path)).is_one_line("risk", "already")
    headroom("token", "two", "--user", "", "--file", str(path)).is_one_line("1 to 1,024 bytes")
    assert len(read(path)) == 1


class Looking:
    """`keep_reading` of a file, step by step."""

    def __init__(self, path: Path) -> None:
        access = access_of(settings(path))
        assert access is not None
        self.access = access
        self._step, self._done = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(keep_reading(path, access, sleep=self._sleep))

    async def _sleep(self, _: float) -> None:
        self._done.set()
        await self._step.wait()
        self._step.clear()

    async def look(self) -> None:
        """Let it look once."""
        await self._done.wait()
        self._done.clear()
        self._step.set()
        await self._done.wait()

    @property
    def names(self) -> list[str]:
        return [grant.name for grant in self.access._grants[:-1]]


async def test_a_file_that_has_changed_is_read_again_and_a_wrong_one_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = file(tmp_path, ENTRY)
    looking = Looking(path)
    try:
        await looking.look()
        assert looking.names == ["risk"]
        add(path, "portal", ["sfox:a"])
        await looking.look()
        assert looking.names == ["risk", "portal"]
        path.write_text("[[token]]\nname = ")
        await looking.look()
        assert looking.names == ["risk", "portal"]
        assert "the tokens of before stay" in caplog.text
        path.unlink()
        await looking.look()
        own = ENTRY.replace(DIGEST, hashed(WORKER_TOKEN).hex())
        file(tmp_path, own)
        await looking.look()
        assert looking.names == ["risk", "portal"]
        assert "it is the workers' own" in caplog.text
        # As a mounted secret is changed: the link leads to another file.
        file(tmp_path, ENTRY.replace("risk", "desk") + "questions_per_minute = 5\n")
        await looking.look()
        assert looking.names == ["desk"]
        assert looking.access._grants[0].questions_per_minute == 5
        assert DIGEST not in caplog.text
    finally:
        looking.task.cancel()


async def test_an_issuers_keys_are_read_beside_the_tokens(tmp_path: Path) -> None:
    """From a file, and again as it changes; with no tokens file at all."""
    keys, old, new = tmp_path / "jwks.json", Signer("ES256", "old"), Signer("EdDSA", "new")
    keys.write_bytes(Jwks(old.jwk()).text)
    given = {"JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE, "JWKS_FILE": keys}
    with pytest.raises(SettingsError, match="HEADROOM_WORKER_TOKEN"):
        access_of(settings(tmp_path, API_TOKENS_FILE=None, WORKER_TOKEN=None, **given))
    access = access_of(settings(tmp_path, API_TOKENS_FILE=None, **given))
    assert access is not None
    assert access.issuer is not None
    until = time.time() + 600
    async with kept(access, None):
        grant = await access.issuer.grant(old.token(exp=until, nbf=None))
        assert (grant.name, grant.users, access.knows(grant)) == ("jwt:portal", None, True)
        keys.write_bytes(Jwks(new.jwk()).text)
        access.issuer.keys._begun = -math.inf
        assert (await access.issuer.grant(new.token(exp=until, nbf=None))).name == "jwt:portal"
        assert not access.knows(grant)
        keys.write_bytes(b" " * (BYTES_MAX + 1))
        access.issuer.keys._begun = -math.inf
        with pytest.raises(KeysUnknown):
            await access.issuer.grant(old.token(exp=until, nbf=None))
        assert access.issuer.keys.failures == 1
