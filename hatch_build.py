"""Compiles `ROOMS` where there is a C compiler; Headroom works without, only slower.

Hatchling calls this for wheels and for editable installs; `python hatch_build.py` does the same.
"""

import contextlib
import sys
import sysconfig
import time
from collections.abc import Sequence
from os import utime
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).resolve()
ROOMS = (Path("processors/compiled"), Path("producers/compiled"))
BUILD = Path("build/compiled")
OF_THIS_PYTHON = str(sysconfig.get_config_var("EXT_SUFFIX"))

NOT_COMPILED = (
    "%s is not compiled; Headroom works without, slower. To have it, install a C compiler and "
    "Python's headers (Debian, Ubuntu: apt install gcc python3-dev) and then Headroom again. Reason"
)


class Compile(BuildHookInterface[BuilderConfig]):
    """Puts the compiled modules beside their sources, and into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before anything is packed; `version` is `standard` or `editable`."""
        compiled = [module for room in ROOMS for module in compile_room(room)]
        if compiled and version == "standard":  # an editable wheel holds nothing but a path
            build_data["artifacts"] += [path.as_posix() for path in compiled]
            build_data["pure_python"] = False
            build_data["infer_tag"] = True


def compile_room(room: Path) -> list[Path]:
    """Compile what is not compiled yet; all modules of the room, or none where one cannot be."""
    with contextlib.chdir(HERE.parent):
        remove_stale(room)
        modules = {
            source: source.with_name(source.stem + OF_THIS_PYTHON)
            for source in sorted(room.glob("*.pyx"))
        }
        missing = {source: module for source, module in modules.items() if not module.exists()}
        try:
            if missing:
                compile_modules(missing)
        except Exception as error:  # noqa: BLE001 - whatever it is, Headroom installs without
            for module in modules.values():  # they share structs: either all are there or none
                module.unlink(missing_ok=True)
            reason = " ".join(str(error).split())
            sys.stderr.write(f"{NOT_COMPILED % room}: {reason}\n")
            return []
        return list(modules.values())


def remove_stale(room: Path) -> None:
    """Remove, for every Python, what older sources became: it would be believed before them."""
    shared = max(path.stat().st_mtime_ns for path in (HERE, *room.glob("*.pxd")))
    for module in room.glob("*.so"):
        source = module.with_name(module.name.partition(".")[0] + ".pyx")
        if not source.exists() or module.stat().st_mtime_ns < max(
            shared, source.stat().st_mtime_ns
        ):
            module.unlink()


def compile_modules(
    modules: dict[Path, Path],
    *,
    compile_args: Sequence[str] = ("-g0",),  # for no debugger: a fifth of the size
    link_args: Sequence[str] = (),
    build: Path = BUILD,
    emit_linenums: bool = False,
) -> None:
    """Compile the sources aside, and put them in place when all of them are done.

    The tests compile them another way, too, into a place of their own: `tests/fuzz/sanitised.py`.
    """
    # Here, so that without them an install goes on, as without a C compiler.
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    began = time.time_ns()
    extensions = [
        Extension(
            ".".join((*source.parent.parts, source.stem)),
            [str(source)],
            extra_compile_args=list(compile_args),
            extra_link_args=list(link_args),
        )
        for source in modules
    ]
    extensions = cythonize(
        extensions, build_dir=str(build), force=True, quiet=True, emit_linenums=emit_linenums
    )
    command = build_ext(Distribution({"name": "headroom", "ext_modules": extensions}))
    command.build_lib = command.build_temp = str(build)
    command.force = command.parallel = True
    command.ensure_finalized()
    command.run()
    for extension, module in zip(extensions, modules.values(), strict=True):
        Path(command.get_ext_fullpath(extension.name)).replace(module)
        utime(module, ns=(began, began))  # so that a source that was changed meanwhile is newer


if __name__ == "__main__":
    for one in ROOMS:
        compile_room(one)
