"""Whether a directory is the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from camdl.archive.examining import examine
from camdl.archive.local import MARKER
from camdl.domain.examination import Grade
from tests.support.root import needs_root, tmpfs

if TYPE_CHECKING:
    from pathlib import Path

    from camdl.domain.examination import Finding

KEY = "in_gate/2025-09-08/20250908T202230Z_in_gate.jpg"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with nothing in it."""
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


def found(root: Path, *, holds_captures: bool = False, fstab: Path | None = None) -> Finding:
    """The last that is found out about it."""
    *_, last = examine(root, lambda: holds_captures, fstab=fstab or root / "no fstab")
    return last


def test_an_archive(root: Path) -> None:
    """It carries the marker, and is on some file system."""
    (root / MARKER).touch()
    one = found(root, holds_captures=True)
    assert one.grade is Grade.FINE
    assert one.said.startswith(f"{root} is the archive, on the file system of /")


@needs_root
def test_an_archive_on_its_own_disk(root: Path) -> None:
    """The file system is told by its mount point."""
    with tmpfs(root, "size=40k"):
        (root / MARKER).touch()
        assert found(root).said == f"{root} is the archive, on the file system of {root}"


def test_nothing_archived_yet(root: Path) -> None:
    """An empty directory, and none at all, are ready for the first run."""
    for place in (root, root / "deeper"):
        one = found(place)
        assert (one.grade, one.said) == (Grade.FINE, f"{place}: nothing is archived yet")


def test_images_without_a_marker(root: Path) -> None:
    """The next run puts it there."""
    (root / KEY).parent.mkdir(parents=True)
    (root / KEY).touch()
    one = found(root, holds_captures=True)
    assert (one.grade, one.remedy) == (Grade.NOTE, "camdl download makes it")


def test_an_empty_directory_where_images_should_be(root: Path) -> None:
    """The catalogue knows of some: the disk is not mounted."""
    one = found(root, holds_captures=True)
    assert one.grade is Grade.BAD
    assert "neither camdl's marker nor any image" in one.said
    assert f"findmnt --target {root}" in one.remedy


def test_a_disk_that_should_be_mounted(root: Path, tmp_path: Path) -> None:
    """The system's own table says so, whatever is in the directory."""
    fstab = tmp_path / "fstab"
    fstab.write_text(f"/dev/b {root.parent} ext4 defaults 0 2\n")
    (root / MARKER).touch()
    (one,) = examine(root, lambda: True, fstab=fstab)
    assert one.said == f"{root.parent} is in {fstab}, and is not mounted"
    assert one.remedy == f"As root: mount {root.parent}"


def test_a_link(root: Path, tmp_path: Path) -> None:
    """Clean-up goes through none, which is worth knowing before the disk is full."""
    (root / MARKER).touch()
    link = tmp_path / "link"
    link.symlink_to(root)
    first, second = examine(link, lambda: True, fstab=tmp_path / "no fstab")
    assert (first.grade, second.grade) == (Grade.NOTE, Grade.FINE)
    assert f'download_dir = "{root}"' in first.remedy
