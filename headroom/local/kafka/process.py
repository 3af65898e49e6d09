"""A child process that does not outlive its parent."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1  # Source: Linux, prctl(2)


def spawn(
    command: Sequence[str | Path],
    *,
    output: Path,
    inherited_fd: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process whose output is appended to a file and that ends with this one.

    It has a session of its own, so that Ctrl-C reaches the parent alone, which then stops it in
    order. `inherited_fd` stays open in the child for as long as it lives (a lock's, say).
    `environment` replaces that of this process (None: the same).

    On Linux the kernel sends SIGTERM when the *thread* that called this ends, also after a
    kill -9: call it from a thread that lasts, as the main one. Elsewhere only an orderly end of
    the parent stops the child.
    """
    with output.open("ab") as file:
        return subprocess.Popen(  # noqa: S603 - the command is our own
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
            pass_fds=() if inherited_fd is None else (inherited_fd,),
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - two system calls, nothing that locks
        )


def die_with_parent() -> Callable[[], None] | None:
    """What a child does between fork and exec, to end with the thread that starts it.

    Everything is looked up before the fork.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def bind() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel was told
            os._exit(1)

    return bind


def is_alive(pid: int) -> bool:
    """Whether a process of this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
