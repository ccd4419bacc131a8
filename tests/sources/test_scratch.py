"""The browser's directory for temporary files."""

from __future__ import annotations

import subprocess
import tempfile
from typing import TYPE_CHECKING

import pytest

from camdl.sources.scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary directories are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def pid_of_nobody() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_directory_is_private_and_removed_with_its_content(temporary: Path) -> None:
    """Nobody else can read it, and nothing of it is left."""
    scratch = Scratch()
    directory = scratch.make()
    assert directory.stat().st_mode & 0o777 == 0o700
    (directory / "profile").mkdir()
    (directory / "profile" / "cookies").touch()
    scratch.remove()
    scratch.remove()
    assert list(temporary.iterdir()) == []


def test_directories_of_killed_runs_are_removed(temporary: Path) -> None:
    """What a run could not remove since it was killed, the next one does."""
    left_over = temporary / f"camdl-{pid_of_nobody()}-abcdefgh"
    (left_over / "profile").mkdir(parents=True)
    scratch = Scratch()
    made = scratch.make()
    assert list(temporary.iterdir()) == [made]
    scratch.remove()


def test_directories_of_others_are_left_alone(temporary: Path) -> None:
    """Runs that go on, other programs' directories and links are not touched."""
    other = Scratch()
    running = other.make()
    foreign = temporary / "camdl-other-program"
    foreign.mkdir()
    link = temporary / f"camdl-{pid_of_nobody()}-abcdefgh"
    link.symlink_to(foreign)
    scratch = Scratch()
    made = scratch.make()
    assert set(temporary.iterdir()) == {running, foreign, link, made}
    scratch.remove()
    other.remove()
