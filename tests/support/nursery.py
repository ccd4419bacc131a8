"""Runs of the whole program but for its browser, started in no time, each with a fault or none."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tests.support.browserless import ENDING
from tests.support.calls import Point
from tests.support.strace import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.program import Program

_CALL = re.compile(r"^(?P<thread>\d+) +(?P<name>\w+)\(", re.MULTILINE)
_BIT = ("INJECTED", "killed by SIGKILL")


@dataclass(frozen=True)
class Done:
    """How a run ended; a negative `code` is the signal that killed it."""

    code: int
    stdout: str
    stderr: str


class Nursery:
    """Runs in the home of `program`; what they say goes to `scratch`.

    A context manager, which ends with all of its runs.
    """

    def __init__(self, program: Program, scratch: Path) -> None:
        self._home = program.home
        self._scratch = scratch
        environment = {k: v for k, v in program.environment().items() if k in unmeasured()}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.browserless"],
            env=environment | {"PYTHONPATH": program.environment()["PYTHONPATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def run(
        self,
        *arguments: str,
        watch: tuple[str, ...] = (),
        log: Path | None = None,
        flaw: str = "",
        limits: Mapping[int, int] | None = None,
    ) -> Done:
        """Run the program; `watch` are strace's options, and its calls go to `log`."""
        out, err = self._scratch / "stdout", self._scratch / "stderr"
        request = {
            "home": str(self._home),
            "stdout": str(out),
            "stderr": str(err),
            "arguments": arguments,
            "is_watched": bool(watch),
            "flaw": flaw,
            "limits": dict(limits or {}),
        }
        pid = self._ask(json.dumps(request))
        if watch:
            assert log is not None
            with _watched(pid, log, watch):
                code = self._ask("go")
        else:
            code = self._ask("go")
        return Done(code, out.read_text(), err.read_text())

    def _ask(self, line: str) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def _watched(pid: int, log: Path, options: tuple[str, ...]) -> Iterator[None]:
    """Have strace look at a process that waits for it, until its end."""
    strace = shutil.which("strace")
    assert strace, "strace is needed to bring this fault about: apt-get install -y strace"
    command = [strace, "-f", "-y", "-o", str(log), *options, "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        said = process.stderr.readline()
        assert "attached" in said, said
        yield
        process.communicate(timeout=30)


def calls(log: Path) -> list[Point]:
    """Each call in `log`, in order. strace counts each thread's calls by themselves.

    Where two threads have an nth call of one name, it is the earlier that meets the fault.
    """
    count: Counter[tuple[str, str]] = Counter()
    found: dict[Point, None] = {}
    for call in _CALL.finditer(log.read_text()):
        count[call["thread"], call["name"]] += 1
        found[Point(call["name"], count[call["thread"], call["name"]])] = None
    return list(found)


def has_bitten(log: Path) -> bool:
    """Whether the fault came about."""
    said = log.read_text()
    return any(sign in said for sign in _BIT)


def temporary(path: Path) -> Path:
    """The temporary file of `path`, in a run that is watched."""
    return path.with_name(f".{path.name.removeprefix('.')}.{ENDING}.tmp")
