"""How faults are ordered: by name, at the start, over HTTP; and what the journal tells of them."""

import asyncio
import json
import re
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect

from headroom.audit import read_journals
from headroom.local.demo.faults import Wanted, caused
from headroom.local.demo.observe import frames
from headroom.local.sandbox import HercleConfig, HercleSandbox, Order, SfoxConfig, SfoxSandbox
from headroom.local.sandbox.faults import HERCLE, SFOX
from tests.headroom.commands import headroom, started, until
from tests.headroom.local.sandbox.clients import http, journal_lines, sfox_subscribe

KEY = "canary-key"
TESTS = Path(__file__).parent


def sandbox(venue, **changes):
    if venue == "sfox":
        return SfoxSandbox(SfoxConfig(api_key=KEY, users=3, **changes))
    return HercleSandbox(HercleConfig(keys={KEY: "user-0001", "k": "user-0002"}, **changes))


def control(url):
    return f"http://{urlsplit(url).netloc}/control/faults"


async def asked(url):
    """The status and the document of the control path."""
    status, body = await http(url)
    return status, json.loads(body)


@pytest.mark.parametrize("venue", ["sfox", "hercle"])
async def test_the_control_path_turns_faults_on_and_off(venue, tmp_path):
    """One form at both venues; the journal has a line for each beginning and each end."""
    path = tmp_path / "journal"
    name = {"sfox": "null-wallet", "hercle": "no-event"}[venue]
    async with sandbox(venue, journal=path) as running:
        url = control(running.url)
        status, found = await asked(url)
        assert (status, found["venue"]) == (200, venue)
        assert [each["name"] for each in found["faults"]] == list(running.orders.table)
        assert not any(each["on"] for each in found["faults"])

        status, found = await asked(f"{url}/{name}?on=1&user=user-0002&seconds=60&times=5")
        assert status == 200
        assert (found["on"], found["user"], found["times_left"]) == (True, "user-0002", 5)
        assert Decimal(found["seconds"]) == 60
        assert (await asked(f"{url}/{name}"))[1] == found
        (on,) = [each for each in (await asked(url))[1]["faults"] if each["on"]]
        assert on == found

        assert (await asked(f"{url}/{name}?on=0"))[1]["on"] is False
        assert (await asked(f"{url}/{name}?on=0"))[0] == 200
        assert running.connections == 0
    first, last = journal_lines(path)
    assert list(first) == ["venue", "fault", "user", "sent_time", "on"]
    assert (first["venue"], first["fault"], first["user"]) == (venue, name, "user-0002")
    assert (first["on"], last["on"]) == (True, False)
    assert last["sent_time"] >= first["sent_time"]


@pytest.mark.parametrize("venue", ["sfox", "hercle"])
@pytest.mark.parametrize(
    ("query", "status", "word"),
    [
        ("nonsense?on=1", 404, "nonsense"),
        ("cut?on=1&user=nobody", 400, "nobody"),
        ("cut?on=1&seconds=0", 400, "seconds"),
        ("cut?on=1&seconds=x", 400, "seconds"),
        ("cut?on=1&times=-1", 400, "times"),
        ("cut?on=1&tiems=1", 400, "tiems"),
        ("cut?on=maybe", 400, "maybe"),
    ],
)
async def test_what_cannot_be_ordered_is_said(venue, query, status, word):
    """404 with the names for a fault that there is not, 400 for a value that cannot be."""
    async with sandbox(venue) as running:
        found, document = await asked(f"{control(running.url)}/{query}")
        assert found == status
        assert word in document["error"]
        if status == 404:
            assert document["faults"] == list(running.orders.table)
        assert running.orders.running() == []


@pytest.mark.parametrize("venue", ["sfox", "hercle"])
@pytest.mark.parametrize("path", ["/control", "/control/", "/control/faultsx"])
async def test_nothing_else_is_there(venue, path):
    """404 beside the control path."""
    async with sandbox(venue) as running:
        status, _ = await http(f"http://{urlsplit(running.url).netloc}{path}")
        assert status == 404


async def test_a_fault_that_is_ordered_again_begins_anew(tmp_path):
    """The first one ends before: what waits for it need not wait longer."""
    path = tmp_path / "journal"
    async with sandbox("sfox", journal=path) as running:
        first = running.order("gap", times=7)
        second = running.order("gap")
        assert first.over.is_set()
        assert not second.over.is_set()
        assert running.clear("gap")
        assert not running.clear("gap")
    assert [line["on"] for line in journal_lines(path)] == [True, False, True, False]


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("gap", Order(name="gap")),
        ("slow:user-0001", Order(name="slow", user="user-0001")),
        ("slow:*", Order(name="slow", user="*")),
        ("slow:fund:a/b", Order(name="slow", user="fund:a/b")),
        (
            "slow?user=k%C3%BCche&seconds=2.5&times=3&delay_seconds=0.1",
            Order(
                name="slow",
                user="küche",
                seconds=Decimal("2.5"),
                times=3,
                delay_seconds=Decimal("0.1"),
            ),
        ),
    ],
)
def test_an_order_is_read_as_it_is_written(text, order):
    """A name, a user behind a colon, and the rest as in a query."""
    assert Order.read(text) == order


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: SfoxConfig(faults=(Order(name="slow"),)), "null-wallet"),
        (lambda: HercleConfig(faults=(Order(name="gap"),)), "sequence-falls"),
        (lambda: SfoxConfig(faults=(Order(name="gap", user="x"),)), "no user 'x'"),
        (lambda: Order(name="gap", seconds=Decimal("inf")), "seconds"),
        (lambda: Order(name="gap", delay_seconds=Decimal(-1)), "delay_seconds"),
        (lambda: Order.read("gap?times="), "times"),
    ],
)
def test_an_order_that_cannot_be_is_refused_at_once(make, word):
    """Before anything listens."""
    with pytest.raises(ValueError, match=re.escape(word)):
        make()


@pytest.mark.parametrize(
    "words",
    [
        ("sandbox", "sfox", "--fault", "nonsense"),
        ("sandbox", "hercle", "--fault", "gap"),
        ("sandbox", "hercle", "--fault", "slow:nobody"),
        ("sandbox", "sfox", "--fault", "gap?times=x"),
        ("demo", "--fault", "nonsense"),
        ("demo", "--fault", "cut"),
        ("demo", "--fault", "hercle:gap"),
    ],
    ids=" ".join,
)
def test_a_fault_that_there_is_not_is_one_clear_line(words):
    """Exit status 2, and nothing was started."""
    headroom(*words).is_one_line()


async def test_the_option_of_the_command(tmp_path):
    """On from the start, and told by the control path of the running command."""
    words = ("--fault", "slow:user-0002", "--fault", "no-event")
    with started(tmp_path / "place", "sandbox", "hercle", *words) as running:
        until(lambda: "\n" in running.output)
        url = running.output.splitlines()[0]
        on = {each["name"]: each for each in (await asked(control(url)))[1]["faults"]}
        assert {name for name, each in on.items() if each["on"]} == {"slow", "no-event"}
        assert (on["slow"]["user"], on["no-event"]["user"]) == ("user-0002", "user-0001")


def test_every_fault_is_ordered_by_a_test():
    """Each has a sentence, a kind, and a test of its venue that names it."""
    for venue, table in (("sfox", SFOX), ("hercle", HERCLE)):
        names = (f"test_{venue}_faults.py", "test_line_faults.py")
        text = "".join((TESTS / name).read_text(encoding="utf-8") for name in names)
        for name, fault in table.items():
            assert fault.name == name
            assert fault.does
            assert 0 <= fault.kind <= 10
            assert f'"{name}"' in text, name


async def test_a_reader_of_journals_passes_over_what_is_no_frame(tmp_path):
    """The audit has the frames with their faults; the demo counts the frames."""
    path = tmp_path / "journal"
    settings = {"journal": path, "rate_per_second": Decimal(2_000)}
    async with sandbox("sfox", **settings) as running, connect(running.url) as client:
        await sfox_subscribe(client, KEY)
        running.order("duplicate", times=3)
        running.order("key-in-message")
        while running.orders.running():
            await client.recv()
        # An account's text that looks like a line of a fault.
        await running.inject('{"user": "x", "on": true}')
        sent = running.frames_sent
        assert frames(path) == sent
        found = list(read_journals([path]))
        assert len(found) == sent
        assert [each.fault for each in found].count("duplicate") == 6
        assert len(journal_lines(path)) == sent + 4
    wanted = [Wanted.read("duplicate"), Wanted.read("sfox:key-in-message")]
    assert [each.frames for each in caused(wanted, [path])] == [6, 1]
    assert caused([], [path]) is None
    assert frames(tmp_path / "none") == 0


def test_the_demo_finds_the_venue_of_a_fault():
    """The name alone where one venue has it, else with the venue; a user may follow."""
    assert Wanted.read("gap") == Wanted("sfox", Order(name="gap"))
    assert Wanted.read("slow:user-0002") == Wanted("hercle", Order(name="slow", user="user-0002"))
    assert Wanted.read("hercle:cut:*") == Wanted("hercle", Order(name="cut", user="*"))
    assert Wanted.read("sfox:cut").name == "sfox:cut"


async def test_a_fault_is_over_after_its_seconds_and_the_clock_is_passed_in():
    """The sleep that ends it is the sandbox's own."""
    slept = asyncio.get_running_loop().create_future()

    async def sleep(seconds):
        if seconds == 7:
            await slept
        else:
            await asyncio.sleep(seconds)

    async with SfoxSandbox(SfoxConfig(), sleep=sleep) as running:
        ordered = running.order("null-wallet", seconds=7)
        assert not ordered.over.is_set()
        slept.set_result(None)
        await ordered.over.wait()
        assert running.orders.running() == []
