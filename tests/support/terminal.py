"""A pseudo-terminal that a program runs on, and what it shows there."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from pathlib import Path

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*\b[349][0-7]m")


class Terminal:
    """A terminal to write to inside the `with`: `file` is its side, `shown` what was written.

    `shown` is whole once the `with` is left.
    """

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        self.file: TextIO = os.fdopen(theirs, "w", encoding="utf-8")
        self._shown = bytearray()
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        """Begin to read."""
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it and read to the end."""
        self.file.close()
        self._reader.join()
        os.close(self._ours)

    @property
    def shown(self) -> str:
        """What was written until now."""
        return self._shown.decode(errors="replace").replace("\r\n", "\n")

    def _read(self) -> None:
        with suppress(OSError):  # Linux says so when the other side is closed
            while data := os.read(self._ours, 65536):
                self._shown += data


def on_terminal(command: list[str], cwd: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run `command` on a terminal of its own: its exit code, and all that was written to it."""
    with Terminal() as terminal:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            stdin=terminal.file,
            stdout=terminal.file,
            stderr=terminal.file,
            timeout=120,
            check=False,
        )
    return done.returncode, terminal.shown


def plain(shown: str) -> str:
    """The letters of it, without what moves the cursor or chooses a colour."""
    return _ESCAPE.sub("", shown)
