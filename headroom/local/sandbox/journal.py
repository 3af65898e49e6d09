"""What a simulated venue has sent: one JSON object a line, written when the send succeeded."""

import base64
import json
from pathlib import Path
from typing import IO

import msgspec

from schemas.times import rfc3339


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One frame that went out: to whom, of whom, when, and exactly what.

    `account` and `sequence` are None where the frame was injected or tells of several `accounts`;
    `fault` is the name of the fault under which it was sent. `frame` is the text of one
    WebSocket message at sFOX, of one hub message without its 0x1E at Hercle; or bytes that were
    injected as they are.
    """

    account: str | None
    connection: str
    sequence: int | None
    sent_ns: int
    frame: str | bytes
    injected: bool = False
    fault: str | None = None
    accounts: tuple[str, ...] = ()


class Journal:
    """Counts what was sent and, where it has a path, appends a line of each frame to the file.

    A line is `{"venue", "account", "connection", "sequence", "sent_time", "frame"}`; an injected
    frame has `"injected": true` beside them, and injected bytes stand as `frame_base64` with
    `frame` null. A frame that a fault made, or changed, or sent in another way has the fault's name
    as `fault`; one of several accounts has `account` and `sequence` null, and `accounts`.

    A fault's beginning and end are `{"venue", "fault", "user", "sent_time", "on"}`; no frame has
    `on`. Raises OSError where the file cannot be written.
    """

    def __init__(self, venue: str, path: Path | None) -> None:
        self.venue = venue
        self._path = path
        self._file: IO[bytes] | None = None
        self.frames_sent = 0

    def open(self) -> None:
        """Open the file for appending: a venue that is started again goes on in its journal."""
        if self._path is not None:
            self._file = self._path.open("ab", buffering=0)

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self, sent: Sent) -> None:
        """Count a frame and write its line, whole and at once."""
        self.frames_sent += 1
        if self._file is None:  # Most tests: no line is made for nobody.
            return
        line: dict[str, object] = {
            "venue": self.venue,
            "account": sent.account,
            "connection": sent.connection,
            "sequence": sent.sequence,
            "sent_time": rfc3339(sent.sent_ns),
            "frame": sent.frame if isinstance(sent.frame, str) else None,
        }
        if isinstance(sent.frame, bytes):
            line["frame_base64"] = base64.b64encode(sent.frame).decode("ascii")
        if sent.injected:
            line["injected"] = True
        if sent.fault is not None:
            line["fault"] = sent.fault
        if sent.accounts:
            line["accounts"] = list(sent.accounts)
        self._append(line)

    def write_fault(self, name: str, user: str | None, sent_ns: int, *, on: bool) -> None:
        """Write that a fault begins or ends; `user` None strikes all. No frame is counted."""
        self._append(
            {
                "venue": self.venue,
                "fault": name,
                "user": user,
                "sent_time": rfc3339(sent_ns),
                "on": on,
            }
        )

    def _append(self, line: dict[str, object]) -> None:
        if self._file is None:
            return
        # Unbuffered, so one call is one line in the file: a reader never sees half of two.
        data = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        if self._file.write(data) != len(data):
            message = f"{self._path}: a line could not be written whole; is the disk full?"
            raise OSError(message)
