"""The system calls of a program, and a fault at each of them in turn."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.strace import straced, unmeasured

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# Between two of these nothing changes, so that being killed there is the same as at the second.
_CHANGES = "openat,mkdir,rename,unlink,write,pwrite64,ftruncate,fsync,fdatasync"
# Options of strace: only those calls, which also halves its time.
CHANGES = ("-e", f"trace={_CHANGES}")

_CALL = re.compile(r"^\d+ +(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
_PATH = re.compile(r'"(?P<named>[^"]*)"|\d+<(?P<opened>/[^>]*)>')


@dataclass(frozen=True)
class Point:
    """The `nth` call of a name, from 1, in a run without a fault."""

    name: str
    nth: int

    def fault(self, what: str) -> tuple[str, ...]:
        """Options of strace that bring about `what` at this call: `error=EIO`, `signal=KILL`."""
        return ("-e", f"inject={self.name}:{what}:when={self.nth}")


def on(paths: Iterable[Path]) -> tuple[str, ...]:
    """Options of strace: only calls on `paths`, none of the interpreter's own."""
    return tuple(option for path in paths for option in ("-P", str(path)))


def points(program: str, argument: Path, log: Path, *options: str) -> list[Point]:
    """Each call that strace is told to look at, when nothing goes wrong, in order."""
    run = straced(program, argument, log, *options, env=unmeasured())
    assert (run.returncode, run.stderr) == (0, "")
    count: Counter[str] = Counter()
    found = []
    for line in log.read_text().splitlines():
        if call := _CALL.match(line):
            count[call["name"]] += 1
            found.append(Point(call["name"], count[call["name"]]))
    return found


def with_fault(
    program: str, argument: Path, log: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    """A run of `program` that meets the fault that strace is told to bring about."""
    run = straced(program, argument, log, *options, env=unmeasured())
    assert "INJECTED" in log.read_text() or "killed by SIGKILL" in log.read_text()
    return run


def lost_by_power_failure(*logs: Path) -> list[str]:
    """What a power failure at the end of the logged processes could take away or tear.

    Taken is that nothing is durable which was not asked for: a file's bytes once it is synced, a
    name once its directory is.
    """
    bytes_of: set[str] = set()
    names_in: set[str] = set()
    torn = []
    for name, paths in _calls(logs):
        if name in ("write", "pwrite64", "ftruncate"):
            bytes_of.add(paths[0])
        elif name in ("fsync", "fdatasync"):
            bytes_of.discard(paths[0])
            names_in.discard(paths[0])
        elif name in ("unlink", "unlinkat"):
            bytes_of.discard(paths[0])
        elif name in ("openat", "mkdir", "rename"):
            if name == "rename" and paths[0] in bytes_of:
                torn.append(f"{paths[0]} had its name before its bytes")
            names_in.add(_parent(paths[-1]))
    return torn + [f"bytes of {path}" for path in bytes_of] + [f"names in {p}" for p in names_in]


def _calls(logs: Iterable[Path]) -> Iterator[tuple[str, list[str]]]:
    """Name and paths of each call that succeeded."""
    for log in logs:
        for line in log.read_text().splitlines():
            call = _CALL.match(line)
            if call and not call["result"].startswith("-") and _changes(call):
                found = [one["named"] or one["opened"] for one in _PATH.finditer(call["arguments"])]
                yield call["name"], [path for path in found if path]


def _changes(call: re.Match[str]) -> bool:
    return call["name"] != "openat" or "O_CREAT" in call["arguments"]


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
