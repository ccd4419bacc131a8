"""Which processes a test has left behind, however they tried to get away."""

from __future__ import annotations

import os
import re
import resource
import secrets
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A limit that nobody needs. It is inherited by everything, while Chromium's processes lose their
# environment, leave their session and exchange their parent.
_LIMIT = resource.RLIMIT_MSGQUEUE
_MARK = re.compile(rb"^Max msgqueue size +(\d+) ", re.MULTILINE)


@contextmanager
def marking() -> Iterator[int]:
    """A mark that all processes started inside carry; those that are left at the end are killed.

    Ask `survivors` first, inside: nothing should be left to kill.
    """
    soft, hard = resource.getrlimit(_LIMIT)
    mark = secrets.randbelow(hard if hard > 0 else 1_000_000)
    resource.setrlimit(_LIMIT, (mark, hard))
    try:
        yield mark
    finally:
        resource.setrlimit(_LIMIT, (soft, hard))
        for pid in carriers(mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def unmarked() -> list[str]:
    """What stands before a command whose processes outlive the test: they carry no mark then."""
    _, hard = resource.getrlimit(_LIMIT)
    limit = "unlimited" if hard == resource.RLIM_INFINITY else hard
    return ["prlimit", f"--msgqueue={limit}:{limit}"]


def carriers(mark: int) -> dict[int, str]:
    """The command lines of the living processes with `mark`, other than this one, by process id."""
    return {
        int(process.name): _command_line(process)
        for process in Path("/proc").iterdir()
        if process.name.isdigit()
        and int(process.name) != os.getpid()
        and _mark(process) == mark
        and _lives(process)
    }


def children(parent: int) -> list[int]:
    """Process ids of the children of `parent`, also of those that ended and were not reaped."""
    return [
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and _status(process)[1:2] == [b"%d" % parent]
    ]


def survivors(mark: int, seconds: float = 10.0) -> list[str]:
    """Pid and command line of what still lives with `mark` after at most `seconds`."""
    await_that(lambda: not carriers(mark), seconds)
    return [f"{pid} {line}" for pid, line in carriers(mark).items()]


def await_that(is_so: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether it `is_so` within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (so := is_so()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return so


def _mark(process: Path) -> int | None:
    found = _MARK.search(_read(process / "limits"))
    return int(found[1]) if found else None


def _lives(process: Path) -> bool:
    """Whether it is there and no zombie that waits for the system to take notice."""
    return _status(process)[:1] not in ([], [b"Z"], [b"X"])


def _status(process: Path) -> list[bytes]:
    """Its state, parent and so on; empty if it has ended."""
    return _read(process / "stat").rpartition(b")")[2].split()


def _command_line(process: Path) -> str:
    return _read(process / "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # it has just ended
        return b""
