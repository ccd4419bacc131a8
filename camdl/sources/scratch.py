"""A directory for the browser's profile and temporary files, for one run."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_NAME = re.compile(r"camdl-(?P<pid>\d+)-\w+")


class Scratch:
    """A private temporary directory; one whose process was killed is removed by the next run."""

    def __init__(self) -> None:
        self._directory: Path | None = None

    def make(self) -> Path:
        """A new directory, after removing those of processes that are no more."""
        root = Path(tempfile.gettempdir())
        for left_over in root.glob("camdl-*-*"):
            if _is_abandoned(left_over):
                shutil.rmtree(left_over, ignore_errors=True)
        self._directory = Path(tempfile.mkdtemp(prefix=f"camdl-{os.getpid()}-", dir=root))
        return self._directory

    def remove(self) -> None:
        """Remove it, with whatever is in it."""
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None


def _is_abandoned(directory: Path) -> bool:
    found = _NAME.fullmatch(directory.name)
    if not found:
        return False
    with suppress(OSError):
        if directory.is_symlink() or directory.lstat().st_uid != os.geteuid():
            return False
        os.kill(int(found["pid"]), 0)
        return False  # its process lives
    return directory.is_dir()
