"""What a log last said, for an error message."""

import re
from pathlib import Path
from typing import Final

TAIL_BYTES: Final = 64 * 1024
LINE_LETTERS_MAX: Final = 240

_TROUBLE = re.compile(r"\b(?:ERROR|FATAL)\b|(?:Exception|Error)\b|^Caused by:|[Ee]rror:")
_NOISE = re.compile(r"^\s|^\tat |^\s*\.\.\. \d+ more|^$")


def size_bytes(log_path: Path) -> int:
    """The log's length now; 0 where there is none yet."""
    try:
        return log_path.stat().st_size
    except OSError:
        return 0


def read_since(log_path: Path, offset: int) -> str:
    """The end of what was appended after `offset` (bytes)."""
    try:
        with log_path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(min(offset, end), end - TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def last_meaningful_line(text: str) -> str:
    """The last line that tells of trouble, else the last line that says anything, else ""."""
    lines = [line.strip() for line in text.splitlines() if not _NOISE.match(line)]
    telling = [line for line in lines if _TROUBLE.search(line)] or lines
    return telling[-1][:LINE_LETTERS_MAX] if telling else ""
