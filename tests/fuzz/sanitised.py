"""What is compiled, compiled once more so that it ends at the first read where it must not.

With gcc's AddressSanitizer and UndefinedBehaviorSanitizer, and with a note of all that has run.
It lies in a folder of its own, named after its sources, and is taken by who asks for it.
"""

import contextlib
import ctypes
import hashlib
import importlib.machinery
import importlib.util
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import hatch_build

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "build" / "fuzz"
COVER = Path(__file__).with_name("cover.c")
SANITIZE = "-fsanitize=address,undefined"
COMPILE_ARGS = [
    # Python has its numbers wrap around; ours are to be told of where they do.
    *("-O1", "-g", "-w", "-fno-omit-frame-pointer", "-fno-wrapv"),
    *(SANITIZE, "-fno-sanitize-recover=undefined", "-fsanitize-coverage=trace-pc"),
    # With these gcc 12 leaves out the check of many a read that they guard: it went unseen.
    "-fno-sanitize=null,pointer-overflow,alignment",
]
_CALL = re.compile(r"call\s+[0-9a-f]+ <__sanitizer_cov_trace_pc>$")
_BLOCKS = 1 << 20  # as `cover.c` has it


class NoSanitiser(Exception):
    """Why nothing can be compiled that way here."""


def library(name: str = "libasan.so") -> str:
    """The path of gcc's library of this name; raises `NoSanitiser` where there is none."""
    gcc = shutil.which("gcc")
    if gcc is None:
        raise NoSanitiser("there is no gcc here")
    said = subprocess.run(
        [gcc, f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    path = said.stdout.strip()
    if not Path(path).is_absolute():  # gcc says the bare name of what it does not have
        raise NoSanitiser(f"gcc has no {name} here")
    return path


def environment() -> dict[str, str]:
    """What a Python needs that takes sanitised modules.

    Each object is an allocation of its own then, so that nothing lies directly behind it.
    """
    return os.environ | {
        "LD_PRELOAD": library(),
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=64:abort_on_error=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:abort_on_error=1",
    }


def built(root: Path = ROOT, into: Path = BUILT) -> Path:
    """The folder of the sanitised modules of these sources; what is not there is compiled.

    Raises `NoSanitiser` where that cannot be.
    """
    library()
    sources = sorted(source for room in hatch_build.ROOMS for source in (root / room).glob("*.pyx"))
    missing = {}
    for source in sources:
        module = into / source.relative_to(root).with_suffix(hatch_build.OF_THIS_PYTHON)
        told, noted = _digest(source), module.with_suffix(".digest")
        if not (module.exists() and noted.exists() and noted.read_text() == told):
            module.parent.mkdir(parents=True, exist_ok=True)
            noted.unlink(missing_ok=True)
            missing[source.relative_to(root)] = module, noted, told
    if missing:
        with tempfile.TemporaryDirectory(dir=into) as scratch, contextlib.chdir(root):
            _compile({source: module for source, (module, *_) in missing.items()}, Path(scratch))
        for _, noted, told in missing.values():
            noted.write_text(told)
    return into


def _digest(source: Path) -> str:
    """All that a module is made of."""
    told = hashlib.sha256(repr((COMPILE_ARGS, sys.version)).encode())
    for path in (source, *sorted(source.parent.glob("*.pxd")), COVER):
        told.update(path.read_bytes())
    return told.hexdigest()


def _compile(modules: dict[Path, Path], scratch: Path) -> None:
    cover = scratch / "cover.o"
    try:
        subprocess.run(
            ["gcc", "-O2", "-fPIC", "-c", COVER, "-o", cover], capture_output=True, check=True
        )
        hatch_build.compile_modules(
            modules,
            compile_args=COMPILE_ARGS,
            link_args=[SANITIZE, str(cover)],
            build=scratch / "build",
            emit_linenums=True,  # reports name lines of the sources
        )
    except Exception as error:
        raise NoSanitiser(f"nothing could be compiled: {' '.join(str(error).split())}") from error


class Finder:
    """Finds the modules of a folder before any other of the same name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A module's spec; None where the folder has none of this name."""
        found = self.folder.joinpath(*name.split(".")).with_suffix(hatch_build.OF_THIS_PYTHON)
        if not found.exists():
            return None
        loader = importlib.machinery.ExtensionFileLoader(name, str(found))
        return importlib.util.spec_from_file_location(name, found, loader=loader)


def take(folder: Path) -> None:
    """From now on these modules are imported."""
    sys.meta_path.insert(0, Finder(folder))


def fence() -> Callable[[bytes], bytes]:
    """Copies bytes so that not even the zero behind them, which Python adds, may be read."""
    poison = ctypes.CDLL(None).__asan_poison_memory_region
    poison.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    head_bytes = bytes.__basicsize__ - 1

    def fenced(data: bytes) -> bytes:
        if len(data) < 2:
            return data
        own = bytes(bytearray(data))
        poison(id(own) + head_bytes + len(own), 1)
        return own

    return fenced


class Cover:
    """How much of the modules of a folder has run in this process."""

    def __init__(self, folder: Path) -> None:
        self._libraries = {path: ctypes.CDLL(str(path)) for path in sorted(folder.glob("*/*/*.so"))}
        self._ways = [
            ctypes.c_uint.in_dll(one, "headroom_ways") for one in self._libraries.values()
        ]

    def ways(self) -> int:
        """Ways from one block to another."""
        return sum([one.value for one in self._ways])

    def lines(self) -> dict[str, tuple[set[int], set[int]]]:
        """By source: the lines that have code, and those of them that have run."""
        found: dict[str, tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
        for path, one in self._libraries.items():
            ran = (ctypes.c_ubyte * _BLOCKS).in_dll(one, "headroom_blocks")
            calls = _calls(path)
            for returns, (source, line) in zip(calls, _places(path, calls), strict=True):
                # What Cython adds behind a line counts on: not all of it is beyond the end.
                if source.endswith((".pyx", ".pxd")) and _has_code(Path(source), line):
                    found[source][0].add(line)
                    if ran[returns % _BLOCKS]:
                        found[source][1].add(line)
        return found


def _has_code(source: Path, line: int) -> bool:
    """Whether something stands on a line of a source."""
    lines = _text(source)
    return 0 < line <= len(lines) and lines[line - 1].strip() not in ("", '"""')


@lru_cache
def _text(source: Path) -> list[str]:
    return (ROOT / source).read_text().splitlines()


def _calls(module: Path) -> list[int]:
    """Where the notes of a module return to."""
    said = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", module], capture_output=True, text=True, check=True
    )
    lines = said.stdout.splitlines()
    return [
        int(after.split(":")[0], 16)
        for line, after in itertools.pairwise(lines)
        if _CALL.search(line) and ":" in after
    ]


def _places(module: Path, addresses: list[int]) -> list[tuple[str, int]]:
    """Source and line of these addresses."""
    said = subprocess.run(
        ["addr2line", "-e", module],
        input="\n".join(hex(one - 1) for one in addresses),
        capture_output=True,
        text=True,
        check=True,
    )
    places = []
    for line in said.stdout.splitlines():
        source, _, number = line.partition(" ")[0].rpartition(":")
        places.append((source, int(number) if number.isdigit() else 0))
    return places
