"""Several accounts of one user, moved while frames come in and a worker is killed."""

import asyncio
import itertools
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from headroom.audit import audit
from headroom.operate.accounts.bindings import Bindings, read_bindings
from schemas.identity import user_for
from tests.headroom.commands import Ended, Started, balances, headroom, until
from tests.headroom.house import house
from tests.headroom.operate.replay.scene import PARTITIONS, Scene, pouring

pytestmark = pytest.mark.slow

FILE = """
accounts:
  - {venue: sfox, account: '4711', user: ann}
  - {venue: hercle, account: user-9, user: ann}
"""


class Clients(Scene):
    """A house with an accounts file, and who has had which account."""

    file: Path
    _sequence = 10**9

    def write(self, owners: dict[str, str]) -> None:
        """The accounts file that says this."""
        entries = []
        for own, user in owners.items():
            venue, _, account = own.partition(":")
            entries.append({"venue": venue, "account": account, "user": user})
        self.file.write_text(json.dumps({"accounts": entries}), encoding="utf-8")

    def accounts(self, *words: str) -> Ended:
        return headroom("accounts", *words, **self.house.settings)

    def recorded(self) -> dict[str, str]:
        done = self.accounts("list")
        assert done.status == 0, done.err
        return dict(line.split("  ") for line in done.out.splitlines())

    def work(self, place: Path, file: Path | None) -> str:
        """What a worker says that does not start."""
        settings = self.house.settings | {"ACCOUNTS_FILE": file or "", "DATA_DIR": place}
        done = headroom("work", "--port", "0", **settings)
        assert (done.status, done.out) == (2, ""), done
        assert len(done.err.splitlines()) == 1, done.err
        return done.err

    def held_by(self, user: str) -> set[str]:
        """The accounts that HTTP says a user has."""
        answer = balances(self.house.url, user)
        held = [] if answer is None else answer["accounts"]
        return {user_for(one["venue"], one["account"]) for one in held}

    def frame(self, account: str, *, held: str) -> bytes:
        """A frame whose `held` can be read, or not; later than all that were sent."""
        self._sequence += 1
        update = {"currency": "btc", "balance": "1", "available": "1", "held": held}
        message = {
            "sequence": self._sequence,
            "recipient": "private.enterprise.users.balances",
            "payload": {"user_id": account, "updates": [update]},
        }
        return json.dumps(message).encode()

    def bindings(self) -> Bindings:
        return asyncio.run(read_bindings(self.house.kafka, partitions=PARTITIONS))

    def moved(self, owners: dict[str, list[str]]) -> Any:
        return asyncio.run(audit(self.house.kafka, owners=owners))


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    folder = tmp_path_factory.mktemp("house")
    file = folder / "accounts.yaml"
    file.write_text(FILE, encoding="utf-8")
    with house(folder, ACCOUNTS_FILE=file) as its:
        made = Clients(its)
        made.file = file
        made.sfox(["4711", "7", "8", "4711"])
        made.hercle("user-9", "user-10")
        made.wait()
        yield made


def test_one_user_has_accounts_at_both_venues(clients: Clients) -> None:
    answer = clients.asked("ann")
    assert [(one["venue"], one["account"]) for one in answer["accounts"]] == [
        ("hercle", "user-9"),
        ("sfox", "4711"),
    ]
    assert {one["user"] for one in answer["accounts"]} == {"ann"}
    assert clients.recorded() == {"sfox:4711": "ann", "hercle:user-9": "ann"}
    assert {r.key() for r in clients.read("balances.v1")} == {
        b"ann",
        b"sfox:7",
        b"sfox:8",
        b"hercle:user-10",
    }
    owners = {"sfox:4711": ["ann"], "hercle:user-9": ["ann"]}
    assert clients.moved(owners).findings == []


@pytest.mark.long
def test_a_house_of_few_users_is_promoted_and_goes_on(clients: Clients) -> None:
    """Most partitions have no user: nothing was lost of them."""
    assert clients.compared("few")["equal"]
    for name in ("few", "first"):
        clients.promoted(name)
        clients.sfox(["4711"])
        clients.wait(name)
        assert clients.held_by("ann") == {"sfox:4711", "hercle:user-9"}


def test_a_worker_whose_file_differs_does_not_start_and_names_the_accounts(
    clients: Clients, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    recorded = clients.ends(("headroom-accounts.v1", "headroom-moves.v1"))
    for text, problem in (
        (FILE.replace("ann", "bob"), "hercle:user-9 belongs to ann, not bob"),
        ("accounts: [{venue: sfox, account: '4711', user: ann}]", "ann, not hercle:user-9"),
        (
            FILE + "  - {venue: sfox, account: '7', user: ann}\n",
            "sfox:7 belongs to sfox:7, not ann",
        ),
    ):
        other.write_text(text, encoding="utf-8")
        said = clients.work(tmp_path / "data", other)
        assert "HEADROOM_ACCOUNTS_FILE differs from Kafka" in said
        assert problem in said
        assert "headroom accounts move" in said
    assert "sfox:4711 belongs to ann" in clients.work(tmp_path / "data", None)
    other.write_text("accounts: 5", encoding="utf-8")
    assert "HEADROOM_ACCOUNTS_FILE" in clients.work(tmp_path / "data", other)
    assert clients.ends(("headroom-accounts.v1", "headroom-moves.v1")) == recorded


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("nasdaq:1", "bob"), "is no account: VENUE:ACCOUNT"),
        (("sfox", "bob"), "is no account"),
        (("sfox:", "bob"), "is no account"),
        (("sfox:7", "sfox:8"), "must not look like venue:account"),
        (("sfox:7", "sfox:7"), "belongs to sfox:7 already"),
        (("sfox:4711", "ann"), "belongs to ann already"),
        (("sfox:7", ""), "a user's name has"),
    ],
)
def test_a_move_that_cannot_be_is_one_line(
    clients: Clients, words: tuple[str, str], problem: str
) -> None:
    recorded = clients.ends(("headroom-accounts.v1", "headroom-moves.v1"))
    clients.accounts("move", *words).is_one_line(problem)
    assert clients.ends(("headroom-accounts.v1", "headroom-moves.v1")) == recorded


class Crew:
    """Two workers, of which the second is killed, and started again."""

    def __init__(self, clients: Clients, folder: Path) -> None:
        self._clients, self._folder = clients, folder
        self._numbers = itertools.count(1)
        self._second: Started | None = None

    def start(self) -> None:
        place = self._folder / str(next(self._numbers))
        place.mkdir()
        settings = self._clients.house.settings
        self._second = second = Started(place, ("work", "--port", "0"), settings)
        until(lambda: "ready " in second.output, why=lambda: second.output)

    def kill(self) -> None:
        if self._second is not None:
            self._second.process.send_signal(signal.SIGKILL)
            self._second.process.wait()


@pytest.mark.timeout(400)
def test_accounts_move_while_frames_come_in_and_workers_are_killed(
    clients: Clients, tmp_path: Path
) -> None:
    """In the end each account is its last owner's, to the last digit, and nobody else's."""
    random, names = Random(11), [f"m{number}" for number in range(12)]
    owned = {user_for("sfox", name): [user_for("sfox", name)] for name in names}
    crew = Crew(clients, tmp_path)
    crew.start()
    try:
        with pouring(clients, names):
            for number in range(7):
                own = user_for("sfox", names[number % 4])
                user = random.choice(sorted({"ann", "bob", "cid", own} - {owned[own][-1]}))
                if number == 3:
                    crew.kill()
                done = clients.accounts("move", own, user)
                assert done.status == 0, done.err
                owned[own].append(user)
                if number == 3:
                    clients.write(clients.recorded())
                    crew.start()
    finally:
        crew.kill()
    clients.wait()
    owners = {own: users for own, users in owned.items() if len(users) > 1}
    found = clients.moved(owners | {"sfox:4711": ["ann"], "hercle:user-9": ["ann"]})
    assert found.findings == []
    assert found.raw == clients.sent
    numbers = {own: one.number for own, one in clients.bindings().all.items()}
    assert {own: numbers[own] for own in owners} == {
        own: len(users) - 1 for own, users in owners.items()
    }
    held = {user: clients.held_by(user) for user in {"ann", "bob", "cid", *owners}}
    for own, users in owners.items():
        assert {user for user, its in held.items() if own in its} == {users[-1]}, users


def test_a_doubt_goes_with_its_account(clients: Clients) -> None:
    """Whose frame could not be read: told of under the former user, then under the new one."""

    def doubted() -> Any:
        """What is last told of the account; None: nothing, or that it is confirmed again."""
        (*_, last) = [r for r in clients.read("unconfirmed.v1") if r.key() == b"sfox:77"]
        return None if last.value() is None else json.loads(last.value())

    sound = clients.frame("77", held="0")
    clients.send("sfox", [("77", sound), ("77", clients.frame("77", held="broken"))])
    clients.wait()
    assert doubted()["user"] == "sfox:77"
    assert clients.accounts("move", "sfox:77", "eve").status == 0
    clients.wait()
    assert (doubted()["user"], doubted()["account"]) == ("eve", "77")
    clients.send("sfox", [("77", clients.frame("77", held="0"))])
    clients.wait()
    assert doubted() is None
    assert clients.held_by("eve") == {"sfox:77"}


def test_a_replay_knows_who_has_what_now(clients: Clients) -> None:
    """The same, but for how often each user was told of, and under which name the past was."""
    found = clients.compared("moved")
    assert found["equal"], found["differences"][:3]
    assert not found["versions_compared"]
    assert found["topics"]["balances.v1"]["equal"] > 0
    ann = clients.compared("ann", "--user", "ann")
    assert ann["equal"], ann["differences"][:3]
    assert ann["carried"] > 0


def test_workers_start_again_with_the_file_that_says_what_is_so(
    clients: Clients, tmp_path: Path
) -> None:
    clients.accounts("move", "sfox:8", "dan")
    said = clients.work(tmp_path / "data", clients.file)
    assert "sfox:8 belongs to dan, not sfox:8" in said
    clients.write(clients.recorded())
    crew = Crew(clients, tmp_path)
    try:
        crew.start()
    finally:
        crew.kill()
