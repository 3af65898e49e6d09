"""Dead letters on a real Kafka, by the commands that a person types; the audit judges after it."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from headroom.audit import audit
from schemas.headers import RawHeaders
from schemas.venues import VENUES
from tests.data import documented_frame
from tests.headroom import commands
from tests.headroom.commands import environment, headroom, until
from tests.headroom.house import House, house

pytestmark = pytest.mark.slow

EPOCH = 1_710_367_000_000_000_000
TIME = "2024-03-13T22:00:25.310000000Z"
PARTITIONS = 8
BROKEN = 7


class Letters:
    """A house, and frames in it of which some cannot be read."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.settings = house.settings
        self._receipts: Counter[str] = Counter()

    def send(self, venue: str, *frames: bytes, key: bytes | None = b"test3") -> None:
        records = []
        for frame in frames:
            self._receipts[venue] += 1
            headers = RawHeaders(venue, VENUES[venue].feed, EPOCH, self._receipts[venue], TIME)
            records.append((key, frame, headers.encode()))
        self.house.produce(VENUES[venue].raw_topic, *records)

    def run(self, *words: str) -> commands.Ended:
        return headroom("deadletters", *words, **self.settings)

    def listed(self, *words: str) -> dict[str, Any]:
        done = self.run("list", "--json", *words)
        assert done.status == 0, done.err
        return json.loads(done.out)

    def count(self) -> int:
        return sum(row["count"] for row in self.listed()["counts"])

    def audit(self) -> Any:
        return asyncio.run(audit(self.house.kafka))


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Letters]:
    with house(tmp_path_factory.mktemp("house")) as its:
        made = Letters(its)
        good = documented_frame("sfox")
        made.send("sfox", good, good[:40], good.replace(b'"9.99850081"', b'"1e5"'))
        made.send("sfox", *[good.replace(b'"held"', b'"gone"')] * 4)
        made.send("hercle", b'\xff{"type": 1}')
        until(lambda: made.count() == BROKEN, why=lambda: its.worker.output)
        yield made


def test_counts_come_first_and_each_letter_has_its_reason(letters: Letters) -> None:
    found = letters.listed()
    assert {(row["venue"], row["reason"]): row["count"] for row in found["counts"]} == {
        ("hercle", "not_utf8"): 1,
        ("sfox", "amount"): 1,
        ("sfox", "missing_field"): 4,
        ("sfox", "not_json"): 1,
    }
    assert len(found["letters"]) == BROKEN
    shown = letters.run("list", "--reason", "amount").out.splitlines()
    assert shown[0] == "1 dead letters"
    assert "payload.updates[0].balance" in shown[-1]
    assert letters.run("list", "--limit", "0").out.splitlines()[1].split() == [
        *("4", "sfox", "missing_field")
    ]
    hercle = letters.listed("--since", "1970-01-02", "--venue", "hercle")
    assert hercle["counts"] == [{"venue": "hercle", "reason": "not_utf8", "count": 1}]
    assert letters.listed("--since", "1h")["counts"] == found["counts"]


def test_one_is_shown_with_all_that_is_known_of_it(letters: Letters) -> None:
    (letter,) = letters.listed("--reason", "amount")["letters"]
    shown = letters.run("show", letter["origin"]).out
    assert f"raw record   {letter['origin']}" in shown
    assert "amount: payload.updates[0].balance" in shown
    assert re.search(r"code +processors\.normalise\.sfox 0\.1\.0", shown)
    # The mark stands below the amount.
    text, mark = re.search(r"^(.*\"1e5\".*)\n( *\^+)$", shown, re.MULTILINE).groups()  # type: ignore[union-attr]
    assert text[mark.index("^") : len(mark)] == '"1e5"'
    assert "00000000  7b 22 73 65 71" in shown
    (odd,) = letters.listed("--reason", "not_utf8")["letters"]
    assert odd["frame_base64"]
    assert "00000000  ff 7b 22 74" in letters.run("show", odd["origin"]).out


def test_export_writes_all_of_them_once(letters: Letters, tmp_path: Path) -> None:
    path = tmp_path / "letters.jsonl"
    assert letters.run("export", "--to", str(path), "--reason", "missing_field").status == 0
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len({line["origin"] for line in lines}) == len(lines) == 4
    assert lines[0]["frame"].encode() == documented_frame("sfox").replace(b'"held"', b'"gone"')
    letters.run("export", "--to", str(path)).is_one_line("File exists")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show", "nonsense"), "TOPIC/PARTITION/OFFSET"),
        (("show", "raw.sfox.balances.v1/0/999"), "no dead letter of raw.sfox.balances.v1/0/999"),
        (("retry",), "say which"),
        (("retry", "raw.sfox.balances.v1/0/999"), "no dead letter of"),
        (("retry", "--reason", "too_deep"), "no dead letter is meant"),
        (("list", "--since", "2100-01-01"), "has not come yet"),
        (("list", "--since", "yesterday"), "is no time"),
        (("list", "--until", "1970-01-02"), "deadletters.v1 holds nothing before 20"),
        (("list", "--since", "1h", "--until", "2h"), "--since must be before --until"),
        (("list", "--reason", "nonsense"), "nonsense"),
        (("list", "--venue", "nowhere"), "nowhere"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_one_clear_line(
    letters: Letters, words: tuple[str, ...], says: str
) -> None:
    letters.run(*words).is_one_line(says)


def test_the_newest_are_shown_in_the_order_of_their_burial(letters: Letters) -> None:
    every = letters.listed()["letters"]
    assert [each["buried"] for each in every] == sorted(each["buried"] for each in every)
    assert letters.listed("--limit", "3")["letters"] == every[-3:]


def test_a_retry_is_once_and_the_accounting_closes(letters: Letters) -> None:
    before = letters.audit()
    words = ("retry", "--reason", "missing_field")
    assert letters.run(*words, "--dry-run").out == "would send 4 again, 0 had been already\n"
    first = letters.run(*words)
    assert first.err == "4 sent again, 0 had been already\n"
    # Again nobody can read them: four more, each of which says what it is a retry of.
    until(lambda: letters.count() == BROKEN + 4)
    second = letters.run("retry", *[line.split()[0] for line in first.out.splitlines()])
    assert (second.out, second.err) == ("", "0 sent again, 4 had been already\n")
    retries = [letter for letter in letters.listed()["letters"] if letter["retry_of"]]
    assert len(retries) == 4
    origins = {line.split()[0]: line.split()[-1] for line in first.out.splitlines()}
    assert {letter["retry_of"]: letter["origin"] for letter in retries} == origins
    assert letters.run("show", next(iter(origins))).out.count("sent again") == 1
    after = letters.audit()
    assert after.findings == []
    assert after.raw == before.raw + 4
    assert after.normalised + after.dead_lettered == after.raw


# The command, killed by itself once Kafka has taken so many of its sends; never for 0.
KILLED_AFTER = """
import os, signal, sys
from aiokafka import AIOKafkaProducer
from headroom.cli import main
left, send = int(sys.argv.pop(1)), AIOKafkaProducer.send_and_wait
async def counted(self, *args, **kwargs):
    global left
    done = await send(self, *args, **kwargs)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return done
AIOKafkaProducer.send_and_wait = counted
main()
"""


def test_a_retry_that_is_killed_anywhere_sends_each_once(letters: Letters) -> None:
    """Killed behind a frame, behind its note, and in the second of two transactions."""
    good = documented_frame("sfox")
    before = letters.count()
    letters.send("sfox", *[good.replace(b'"9.99850081"', b'"NaN"')] * 600)
    until(lambda: letters.count() == before + 600)
    amounts = letters.listed("--reason", "amount", "--limit", "1000")["letters"]
    places = [letter["origin"] for letter in amounts]
    assert len(places) == 601
    for sends in (1, 2, 3, 999, 1_000, 1_001, 0):
        command = [sys.executable, "-c", KILLED_AFTER, str(sends), "deadletters", "retry", *places]
        done = subprocess.run(
            command,
            env=environment(**letters.settings),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (-signal.SIGKILL if sends else 0), done.stderr
    found = letters.audit()
    assert [finding for finding in found.findings if "twice" in finding.problem] == []
    raw = read(letters, "raw.sfox.balances.v1")
    again = [dict(m.headers()).get("headroom.retry.of") for m in raw]
    sent = [origin for origin in again if origin is not None]
    assert len(sent) == len(set(sent)) == 4 + 601


def test_accounts_of_one_frame_are_letters_of_their_own_and_one_retry(letters: Letters) -> None:
    frame = json.loads(documented_frame("hercle"))
    data = frame["arguments"][0]["data"]
    frame["arguments"][0]["data"] = [
        {**data, "userId": "a"},
        {**data, "userId": "b", "assets": None},
        {**data, "userId": "c", "deleted": None},
    ]
    before = letters.count()
    letters.send("hercle", json.dumps(frame).encode(), key=None)
    until(lambda: letters.count() == before + 2)
    first, second = letters.listed("--venue", "hercle", "--reason", "wrong_type")["letters"]
    place, _, part = first["origin"].rpartition("/")
    assert (part, second["origin"]) == ("1", f"{place}/2")
    assert (first["parts"], first["account"]) == (3, None)
    shown = letters.run("show", second["origin"]).out
    assert f"raw record   {place}\n" in shown
    assert "part         2 of 3 accounts, from 0" in shown
    assert "wrong_type: data[2].deleted" in shown
    assert "characters" in shown  # it is pointed at
    both = letters.run("show", place).out
    assert [both.count(f"{number} of 3 accounts") for number in (0, 1, 2)] == [0, 1, 1]
    letters.run("show", f"{place}/0").is_one_line(f"no dead letter of {place}/0")
    # They are one frame: it is sent once, whichever of them is asked for.
    dry = letters.run("retry", first["origin"], second["origin"], "--dry-run").out
    assert dry == "would send 1 again, 0 had been already\n"
    done = letters.run("retry", second["origin"])
    assert done.err == "1 sent again, 0 had been already\n"
    assert done.out.startswith(f"{place}  now ")
    until(lambda: letters.count() == before + 4)
    assert letters.run("retry", first["origin"]).err == "0 sent again, 1 had been already\n"
    assert letters.run("show", first["origin"]).out.count("sent again") == 1
    retries = [one for one in letters.listed()["letters"] if one["retry_of"] == place]
    assert [one["origin"].rpartition("/")[2] for one in retries] == ["1", "2"]
    found = letters.audit()
    assert [finding for finding in found.findings if finding.invariant == "I2"] == []


def read(letters: Letters, topic: str) -> list[Any]:
    """Every committed record of a topic."""
    consumer = Consumer(
        {
            "bootstrap.servers": letters.house.bootstrap,
            "group.id": "all",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    found, ended = [], 0
    while ended < PARTITIONS:
        message = consumer.poll(5)
        assert message is not None
        if message.error() is not None:
            ended += 1
        else:
            found.append(message)
    consumer.close()
    return found
