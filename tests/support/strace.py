"""Faults of the system, brought about in a real process by strace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def unmeasured() -> dict[str, str]:
    """The environment of a process that a fault would make leave half a coverage file."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COV")}


def straced(
    program: str, argument: Path, log: Path, *options: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python's `program` under strace with `options`; its system calls go to `log`."""
    strace = shutil.which("strace")
    assert strace, "strace is needed to bring this fault about: apt-get install -y strace"
    return subprocess.run(
        [
            *(strace, "-f", "-qq", "-y", "-o", str(log), *options),
            *(sys.executable, "-c", program, str(argument)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=env,
    )
