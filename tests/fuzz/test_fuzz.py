"""The fuzzer, for a moment, and that it finds what it is there to find."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from processors import compiled
from producers import compiled as compiled_producers
from tests.fuzz import __main__ as command
from tests.fuzz import sanitised
from tests.fuzz.corpus import all_ways
from tests.fuzz.driver import Fuzzer, Page
from tests.fuzz.mutating import BYTES_MAX, Mutator, words_of
from tests.fuzz.ways import Fence, Said, Way, copied

INPUTS = 3_000
SOURCES = [
    path for room in sanitised.hatch_build.ROOMS for path in sanitised.ROOT.glob(f"{room}/*.p[yx]*")
]
TINY = """
from cpython.bytes cimport PyBytes_AS_STRING

def letter(bytes text, Py_ssize_t at):
    return PyBytes_AS_STRING(text)[at]

def next_of(long long number):
    return number + 1

cdef struct Cursor:
    const char* at
    const char* end

cdef inline bint take_digits(Cursor* cursor) noexcept nogil:
    cdef const char* start = cursor.at
    while c"0" <= cursor.at[0] <= c"9":
        cursor.at += 1
    return cursor.at > start

cdef bint take_number(Cursor* cursor) noexcept nogil:
    if cursor.at < cursor.end and cursor.at[0] == c"-":
        cursor.at += 1
    if not take_digits(cursor):
        return False
    return cursor.at == cursor.end

def is_number(bytes text):
    cdef Cursor cursor
    cursor.at = PyBytes_AS_STRING(text)
    cursor.end = cursor.at + len(text)
    return take_number(&cursor)
"""


def fuzzer(ways: dict[str, Way], seed: int = 1, page: Page | None = None) -> Fuzzer:
    random = Random(seed)
    mutator = Mutator(random, words_of(SOURCES))
    return Fuzzer(ways, mutator, random, fence=copied, page=page)


@pytest.mark.skipif(
    not (compiled.IS_COMPILED and compiled_producers.IS_COMPILED),
    reason="there was no C compiler",
)
def test_for_a_moment_what_is_compiled_says_what_the_python_says() -> None:
    ours = fuzzer(all_ways())
    ours.begin()
    for _ in range(INPUTS):
        ours.step()
    assert "\n".join(map(str, ours.found)) == ""
    assert {name: one.said > 0 for name, one in ours.counts.items()} == dict.fromkeys(
        ours.counts, True
    )


def test_a_difference_is_found_shortened_and_told_with_both_values() -> None:
    def both(data: bytes, fence: Fence) -> Said:
        return (b"Q" in data, False) if data else None

    ours = fuzzer({"odd": Way([b'{"a":1,"b":"2"}'], both)})
    ours.begin()
    while ours.step():
        pass
    (found,) = ours.found
    assert found.data == b"Q"
    assert str(found).splitlines() == [
        "odd: both ways differ",
        "  hex: 51",
        "  text: 'Q'",
        "  compiled: True",
        "  python:   False",
    ]
    assert ours.counts["odd"].tried > 1


def test_whatever_is_raised_is_found() -> None:
    def both(data: bytes, fence: Fence) -> Said:
        raise UnicodeError("no text")

    ours = fuzzer({"odd": Way([b"a"], both)})
    ours.begin()
    assert [type(found.said) for found in ours.found] == [UnicodeError]


def test_the_same_seed_tries_the_same() -> None:
    tried: list[list[bytes]] = []
    for seed in (1, 1, 2):
        told: list[bytes] = []
        ours = fuzzer(
            {"any": Way([b"one,2", b"three"], lambda data, _, told=told: told.append(data))}, seed
        )
        ours.begin()
        assert all(ours.step() for _ in range(300))
        tried.append(told)
    assert tried[0] == tried[1] != tried[2]
    assert max(map(len, tried[0])) <= BYTES_MAX
    assert len(set(tried[0])) > 200


def test_what_a_process_died_of_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Page(tmp_path / "last").put("fold", b"\x00deadly\xff")
    words = [sys.executable, "-c", "import os; os.abort()"]
    assert command._watched(words, dict(os.environ), tmp_path, 60) == 1
    said = capfd.readouterr().out
    assert said.splitlines() == [
        "fold: it ended with -6 at this input",
        "  hex: 00646561646c79ff",
    ]
    assert command._watched([sys.executable, "-c", ""], dict(os.environ), tmp_path, 60) == 0


@pytest.mark.long
def test_sanitisers_end_a_process_at_a_read_where_it_must_not(tmp_path: Path) -> None:
    """A letter too far, at the zero that Python adds, far behind; a number too great."""
    room = tmp_path / sanitised.hatch_build.ROOMS[0]
    room.mkdir(parents=True)
    (room / "tiny.pyx").write_text(TINY)
    try:
        folder = sanitised.built(tmp_path, tmp_path / "built")
    except sanitised.NoSanitiser as error:
        pytest.skip(str(error))

    def said_of(expression: str) -> str:
        code = (
            "from pathlib import Path; from tests.fuzz import sanitised;"
            f"sanitised.take(Path({str(folder)!r})); from processors.compiled.tiny import *;"
            f"own = sanitised.fence()(b'abc' * 9); print('said', {expression})"
        )
        done = subprocess.run(
            [sys.executable, "-P", "-c", code],
            env=sanitised.environment() | {"PYTHONPATH": str(sanitised.ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        # Aborted, so that nobody takes it for a status of the command's own.
        assert done.returncode == (0 if done.stdout.startswith("said") else -6)
        return done.stdout or done.stderr

    assert said_of("letter(own, 26)") == "said 99\n"
    assert said_of("letter(b'abc' * 9, 27)") == "said 0\n"  # Python's zero: only a fence tells
    assert "AddressSanitizer" in said_of("letter(own, 27)")
    beyond = said_of("letter(own, 40)")
    assert "heap-buffer-overflow" in beyond
    assert "tiny.pyx:5" in beyond
    assert said_of("is_number(b'-12')") == "said True\n"
    assert "take_number" in said_of("is_number(sanitised.fence()(b'-12'))")
    assert "signed integer overflow" in said_of("next_of(2**63 - 1)")
