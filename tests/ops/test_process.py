"""What tools call a process."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = (
    "from camdl.ops.process import be_called; be_called({!r});print(open('/proc/self/comm').read())"
)


def called(name: str) -> str:
    """What the system calls a process that wants to be called `name`."""
    command = [sys.executable, "-c", PROGRAM.format(name)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_command_is_shown() -> None:
    """Two processes are told apart by what they do."""
    assert called("camdl download") == "camdl download"


def test_a_long_name_is_cut() -> None:
    """The system keeps fifteen characters."""
    assert called("camdl something else") == "camdl something"


def test_a_command_alone() -> None:
    """Without one it is the program's name."""
    assert called("camdl ") == "camdl"
