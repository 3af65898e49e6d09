"""`python -m schemas.export` writes the files; with `release VERSION` they are kept, too."""

import shutil
import sys

from schemas.export import DIRECTORY, RELEASED, ROOT, write


def main(words: list[str]) -> int:
    """Write all; keep the schemas of a version where that is asked for."""
    for path in write():
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
