"""`python -m schemas.export` writes the files; with `release VERSION` they are kept, too.

Whichever it is: what Confluent's rule will say to them after the last release is a warning.
"""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from schemas.export import DIRECTORY, RELEASED, ROOT, schemas, write
from schemas.export.confluent import refused


def main(words: list[str]) -> int:
    """Write all; keep the schemas of a version where that is asked for."""
    for path in write():
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    _warn()
    if not words:
        return 0
    if len(words) != 2 or words[0] != "release":  # noqa: PLR2004 - a word and a version
        sys.stderr.write("usage: python -m schemas.export [release VERSION]\n")
        return 2
    kept = RELEASED / words[1]
    if kept.exists():
        sys.stderr.write(f"{words[1]} is released: what it promised stays\n")
        return 2
    kept.mkdir(parents=True)
    for path in DIRECTORY.glob("*.schema.json"):
        shutil.copy(path, kept)
    sys.stdout.write(f"{kept.relative_to(ROOT)}\n")
    return 0


def _warn() -> None:
    versions = sorted(RELEASED.iterdir(), key=lambda path: _numbers(path.name))
    found = refused(_read(versions[-1]), schemas()) if versions else []
    if found:
        sys.stderr.write(
            f"warning: by its rule BACKWARD (the default) Confluent's registry will refuse these "
            f"after {versions[-1].name}; FORWARD takes them (docs/operations.md):\n"
        )
        sys.stderr.writelines(f"  {line}\n" for line in found)


def _read(directory: Path) -> dict[str, dict[str, Any]]:
    paths = sorted(directory.glob("*.schema.json"))
    return {path.name: json.loads(path.read_text("utf-8")) for path in paths}


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
