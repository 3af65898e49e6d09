"""The demo in a terminal: what a person sees, read off the screen by a terminal emulator."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pyte
import pytest

pytestmark = pytest.mark.long

COLUMNS, LINES = 110, 40


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The screens of a demo in which a venue leaves a number of its sequence out."""
    # With so many users it takes seconds until each has had a frame again: a busy machine sees it.
    words = ("demo", "--for", "17", "--rate", "80", "--users", "80", "--fault", "sfox:gap")
    return run(tmp_path_factory.mktemp("demo"), *words)


def test_a_person_sees_everything_on_one_screen(frames: list[str]) -> None:
    """One picture that is painted over, until the accounting stands under it."""
    pictures = [frame for frame in frames if "Headroom" in frame]
    assert len(pictures) >= 3
    full = [frame for frame in pictures if "limits used most" in frame]
    assert full, pictures[-1]
    seen = full[-1]
    for word in (
        *("frames", "raw", "normalised", "dead letters", "lag", "users", "88"),
        *("sfox", "● connected", "hercle", "8 of 8 connected", "s ago"),
        *("hercle:user-000", "█", "EUR", "/v1/users", "/metrics", "Kafka"),
    ):
        assert word in seen, (word, seen)
    assert all(frame.count("╭─ Headroom") <= 1 for frame in frames)
    assert "lost                  0" in frames[-1]


def test_a_number_turns_unconfirmed_on_the_screen_and_back(frames: list[str]) -> None:
    seen: list[str] = []
    for frame in frames:
        for word in ("fault on:", "80 live", "unconfirmed", "lost                  0"):
            if word in frame and (not seen or seen[-1] != word):
                seen.append(word)
    ordered = iter(seen)
    for word in ("80 live", "fault on:", "unconfirmed", "80 live", "lost                  0"):
        assert word in ordered, (word, seen, frames[-1])
    assert any("a gap" in frame for frame in frames), "the reason stands beside it"


def run(folder: Path, *words: str) -> list[str]:
    """The screens of a command, each after something was written; it has to end well."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    frames: list[str] = []
    kept = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    with subprocess.Popen(
        [sys.executable, "-m", "headroom", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**kept, "TERM": "xterm-256color", "TMPDIR": str(folder)},
    ) as process:
        os.close(theirs)
        while written := _read(ours):
            stream.feed(written)
            frame = "\n".join(row.rstrip() for row in screen.display)
            if not frames or frame != frames[-1]:
                frames.append(frame)
        os.close(ours)
        assert process.wait() == 0, frames[-1]
    return frames


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # Linux says so when the other side is closed
        return b""
