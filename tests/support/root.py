"""What only root can bring about: full file systems, and files that nobody may change."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOBODY = 65534

# Where the whole suite is meant to run, such a test fails instead of being left out.
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("CI"),
    reason="it mounts a file system, changes a file's attributes or is two users: run it as root",
)


@contextmanager
def tmpfs(directory: Path, options: str) -> Iterator[None]:
    """A file system of its own in `directory`, inside the `with`."""
    directory.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", directory)
    try:
        yield
    finally:
        _run("umount", "--lazy", directory)


def remount(directory: Path, options: str) -> None:
    """Change the options of what is mounted at `directory`."""
    _run("mount", "-o", f"remount,{options}", directory)


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Inside the `with`, nobody can change the file or the directory `path`."""
    _run("chattr", "+i", path)
    try:
        yield
    finally:
        _run("chattr", "-i", path)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root, whom no permission stops, is somebody else inside the `with`.

    Who may not read Python's own directory can import nothing there: have it imported before.
    """
    user = os.geteuid()
    if user == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]} failed, as root it would not: {done.stderr}"
