"""The loop: one input after the other through both ways; what leads somewhere new is kept."""

import mmap
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests.fuzz.mutating import BYTES_MAX, Mutator
from tests.fuzz.ways import Fence, Way

KEPT_MAX = 4_000  # inputs of a way
PLAIN_SHARE = 0.7
SHORTENINGS_MAX = 2_000
_LETTERS_MAX = 2_000
_HEAD = struct.Struct("=16sI")


class Found(NamedTuple):
    """An input of which both ways do not say the same, or of which one raises."""

    way: str
    data: bytes
    said: Any
    meant: Any

    def __str__(self) -> str:
        said, meant = (repr(one)[:_LETTERS_MAX] for one in (self.said, self.meant))
        text = self.data.decode("utf-8", "backslashreplace")[:_LETTERS_MAX]
        return (
            f"{self.way}: both ways differ\n  hex: {self.data.hex()}\n  text: {text!r}\n"
            f"  compiled: {said}\n  python:   {meant}"
        )


class Page:
    """The input that is being tried, in a file: it is still there when the process is not."""

    def __init__(self, path: Path) -> None:
        with path.open("w+b") as file:
            file.truncate(_HEAD.size + BYTES_MAX)
            self._memory = mmap.mmap(file.fileno(), _HEAD.size + BYTES_MAX)

    def put(self, way: str, data: bytes) -> None:
        memory, size = self._memory, len(data)
        _HEAD.pack_into(memory, 0, way.encode(), size)
        memory[_HEAD.size : _HEAD.size + size] = data

    @staticmethod
    def last(path: Path) -> tuple[str, bytes] | None:
        """What was tried last; None if nothing was."""
        data = path.read_bytes() if path.exists() else b""
        if len(data) < _HEAD.size:
            return None
        name, size = _HEAD.unpack_from(data)
        way = name.rstrip(b"\0").decode()
        return (way, data[_HEAD.size : _HEAD.size + size]) if way else None


class Counts:
    """Of one way: inputs, those of which what is compiled said something, those that were kept."""

    def __init__(self) -> None:
        self.tried = self.said = self.kept = 0


class Fuzzer:
    """Tries inputs; `ways_seen` is how much of what is compiled has run, which only ever grows."""

    def __init__(
        self,
        ways: Mapping[str, Way],
        mutator: Mutator,
        random: Random,
        *,
        fence: Fence,
        ways_seen: Callable[[], int] = lambda: 0,
        page: Page | None = None,
    ) -> None:
        self._ways = dict(ways)
        self._mutator, self._random, self._fence = mutator, random, fence
        self._ways_seen, self._page = ways_seen, page
        self._corpus: dict[str, list[bytes]] = {name: [] for name in ways}
        # Those of which what is compiled said something: nearly all changes end that.
        self._plain: dict[str, list[bytes]] = {name: [] for name in ways}
        self.counts = {name: Counts() for name in ways}
        self.found: list[Found] = []

    def begin(self) -> None:
        """The seeds: all of them, unchanged, and kept."""
        for name, way in list(self._ways.items()):
            for seed in way.seeds:
                self._keep(name, seed, plain=self._try(name, seed))

    def step(self) -> bool:
        """One more input; False where no way is left to be tried."""
        if not self._ways:
            return False
        name = self._random.choice(list(self._ways))
        before = self._ways_seen()
        some = self._corpus[name]
        if self._random.random() < PLAIN_SHARE:
            some = self._plain[name] or some
        data = self._mutator.changed(some, self._corpus[name])
        plain = self._try(name, data)
        if self._ways_seen() > before:
            self.counts[name].kept += 1
            self._keep(name, data, plain=plain)
        return True

    def _keep(self, name: str, data: bytes, *, plain: bool) -> None:
        for some in (self._corpus[name], *([self._plain[name]] if plain else [])):
            if len(some) < KEPT_MAX:
                some.append(data)

    def _try(self, name: str, data: bytes) -> bool:
        """Whether what is compiled said something."""
        counts = self.counts[name]
        counts.tried += 1
        found = self.look(name, data)
        counts.said += found is not None
        if isinstance(found, Found):
            self.found.append(self._shortened(found))
            self._ways.pop(name, None)  # one is enough to be mended
        return found is not None

    def look(self, name: str, data: bytes) -> Found | bool | None:
        """What is found of an input; True where both say the same, None where one says nothing."""
        if self._page is not None:
            self._page.put(name, data)
        try:
            both = self._ways[name].both(data, self._fence)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may raise
            return Found(name, data, error, "never an exception")
        if both is None:
            return None
        return both[0] == both[1] or Found(name, data, *both)

    def _shortened(self, found: Found) -> Found:
        """The same with less: what can be left out is left out."""
        size, left = len(found.data), SHORTENINGS_MAX
        while size := size // 2:
            at = 0
            while at < len(found.data) and left:
                left -= 1
                data = found.data[:at] + found.data[at + size :]
                less = self.look(found.way, data)
                if isinstance(less, Found) and type(less.said) is type(found.said):
                    found = less
                else:
                    at += size
        return found
