"""Where workers and producers keep what they have: looked at, and nothing written to try it."""

import os
from pathlib import Path
from typing import Final

from headroom.base.settings import Settings
from headroom.operate.doctor.findings import Finding
from headroom.operate.doctor.judging import Room, filesystem_of, judge_room

_MOUNTS: Final = Path("/proc/self/mounts")
# The file's own log, and frames that no newer one makes obsolete, come on top (docs/contract.md).
_SPOOL_TIMES: Final = 1.5


def look_at_folders(settings: Settings) -> list[Finding]:
    """The workers' folder and the producers' spool; blocks for as long as a disk does."""
    data, spool = settings.data_dir, settings.spool_dir
    found = judge_room(room_of("HEADROOM_DATA_DIR", data))
    wanted_bytes = int(settings.spool_bytes_max * _SPOOL_TIMES)
    return found + judge_room(room_of("HEADROOM_SPOOL_DIR", spool), wanted_bytes=wanted_bytes)


def room_of(setting: str, path: Path) -> Room:
    """A folder as it is; of one that is not there yet, as that is in which it would be made."""
    there = path.absolute()
    try:
        while not there.exists():
            there = there.parent
        facts = os.statvfs(there)
    except OSError as error:
        return Room(setting, str(path), 0, "unknown", error.strerror or type(error).__name__)
    problem = None
    if not there.is_dir():
        problem = f"{there} is no folder"
    elif facts.f_flag & os.ST_RDONLY:
        problem = "its file system is read-only"
    elif not os.access(there, os.W_OK | os.X_OK):
        problem = f"this user ({os.geteuid()}) may not write in {there}"
    kind = filesystem_of(str(there.resolve()), _mounts())
    return Room(setting, str(path), facts.f_bavail * facts.f_frsize, kind, problem)


def _mounts() -> str:
    try:
        return _MOUNTS.read_text("utf-8", "replace")
    except OSError:
        return ""  # not a Linux
