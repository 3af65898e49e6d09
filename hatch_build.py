"""Compiles `processors/compiled` where there is a C compiler; Headroom works without, only slower.

Hatchling calls this for wheels and for editable installs; `python hatch_build.py` does the same.
"""

import sys
from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, ExecError, PlatformError

ROOT = Path(__file__).parent
ROOM = "processors/compiled"


class Compile(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the compiled modules beside their sources, and into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before anything is packed; `version` is `standard` or `editable`."""
        del version
        made = compile_room()
        build_data["artifacts"] += made
        build_data["pure_python"] = not made
        build_data["infer_tag"] = bool(made)


def compile_room() -> list[str]:
    """Compile all modules of the room; their paths, none where it cannot be done."""
    sources = sorted(ROOT.glob(f"{ROOM}/*.pyx"))
    extensions = [
        Extension(f"{ROOM.replace('/', '.')}.{source.stem}", [str(source.relative_to(ROOT))])
        for source in sources
    ]
    distribution = Distribution(
        {
            "name": "headroom",
            "ext_modules": cythonize(extensions, build_dir="build", quiet=True),
        }
    )
    command = build_ext(distribution)
    command.inplace = True
    command.build_temp = "build"
    command.ensure_finalized()
    try:
        command.run()
    except (CCompilerError, ExecError, PlatformError) as error:
        print(f"{ROOM} is not compiled, Headroom will be slower: {error}", file=sys.stderr)
        return []
    return [command.get_ext_filename(extension.name) for extension in extensions]


if __name__ == "__main__":
    compile_room()
