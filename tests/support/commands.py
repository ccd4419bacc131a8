"""Programs that do nothing but note how they were called, in front of the machine's own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

_SCRIPT = """\
#!/bin/sh
echo "{name} $*" >>"{log}"
{does}
"""


class Commands:
    """A directory of such programs, the first of `PATH`."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self._directory = directory / "bin"
        self._directory.mkdir()
        self._log = directory / "called"
        patch.setenv("PATH", f"{self._directory}:{os.environ['PATH']}")

    def add(self, name: str, does: str = "") -> None:
        """Have a program called `name`, which does what this script says; nothing, else."""
        file = self._directory / name
        file.write_text(_SCRIPT.format(name=name, log=self._log, does=does))
        file.chmod(0o755)

    def called(self) -> list[str]:
        """Their command lines, in order; they are forgotten by this."""
        if not self._log.exists():
            return []
        lines = self._log.read_text().splitlines()
        self._log.unlink()
        return lines
