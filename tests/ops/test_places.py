"""Directories that can be written, and others."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from camdl.domain.examination import Grade
from camdl.ops import places
from tests.support.root import as_nobody, immutable, needs_root, remount, tmpfs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from camdl.domain.examination import Finding


def examined(*found: tuple[str, Path]) -> list[Finding]:
    """What is found out about them."""
    return list(places.examine(found))


def test_directories_that_can_be_written(tmp_path: Path) -> None:
    """They are told in one line, each once, and nothing is left in them."""
    (tmp_path / "a").mkdir()
    (one,) = examined(("x", tmp_path / "a"), ("y", tmp_path / "a"), ("z", tmp_path / "b" / "c"))
    assert one.grade is Grade.FINE
    assert one.said.startswith(f"{tmp_path}/a, {tmp_path}/b/c: ")
    assert one.said.endswith(" can write there")
    assert list((tmp_path / "a").iterdir()) == []
    assert not (tmp_path / "b").exists()


@pytest.fixture
def seen() -> Iterator[Path]:
    """A directory that everybody may look into, and only its owner may change."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@needs_root
def test_one_that_cannot_be_written(seen: Path) -> None:
    """Which one, what it is for, why, and the command that makes it right."""
    (seen / "a b").mkdir()
    with as_nobody():
        (one,) = examined(("download_dir", seen / "a b"))
    assert one.grade is Grade.BAD
    assert one.said == f"{seen}/a b (download_dir) cannot be written: Permission denied"
    assert one.remedy == f"As root: install -d -o nobody -m 750 '{seen}/a b'"


@needs_root
def test_one_that_cannot_be_made(seen: Path) -> None:
    """Above it nothing can be written."""
    with as_nobody():
        (one,) = examined(("lock_file", seen / "a" / "b"))
    why = f"is not there, and cannot be made in {seen}: Permission denied"
    assert one.said == f"{seen}/a/b (lock_file) {why}"


def test_one_that_is_no_directory(tmp_path: Path) -> None:
    """A file is in its place, or in that of one above it."""
    (tmp_path / "a").touch()
    said = [one.said for one in examined(("x", tmp_path / "a"), ("y", tmp_path / "a" / "b"))]
    assert said == [
        f"{tmp_path}/a (x) cannot be made: {tmp_path}/a is not a directory",
        f"{tmp_path}/a/b (y) cannot be made: {tmp_path}/a is not a directory",
    ]


@needs_root
@pytest.mark.parametrize(
    ("options", "why"), [("size=4k,nr_inodes=1", "No space left"), ("ro", "Read-only")]
)
def test_a_disk_that_takes_nothing(tmp_path: Path, options: str, why: str) -> None:
    """Full or read-only: found out by writing."""
    with tmpfs(tmp_path / "disk", options.replace("ro", "size=40k")):
        if options == "ro":
            remount(tmp_path / "disk", "ro")
        (one,) = examined(("x", tmp_path / "disk"))
        assert why in one.said
        assert list((tmp_path / "disk").iterdir()) == []


@needs_root
def test_one_that_nobody_may_change(tmp_path: Path) -> None:
    """Not even root."""
    with immutable(tmp_path):
        (one,) = examined(("x", tmp_path))
    assert one.grade is Grade.BAD


def test_whose_it_is(tmp_path: Path) -> None:
    """Nothing is said where it is this user's, or not there."""
    assert list(places.whose(tmp_path)) == []
    assert list(places.whose(tmp_path / "a")) == []


@needs_root
def test_somebody_elses(tmp_path: Path) -> None:
    """What root can do there says nothing of its owner."""
    os.chown(tmp_path, 65534, -1)
    (one,) = places.whose(tmp_path)
    assert one.said == f"{tmp_path} belongs to nobody, and this looks at it as root"
    assert one.remedy == "As root: runuser -u nobody -- camdl doctor"
    os.chown(tmp_path, 54321, -1)
    (one,) = places.whose(tmp_path)
    assert "belongs to 54321" in one.said


def test_locks_work(tmp_path: Path) -> None:
    """Found out beside the lock file, which is not touched, and nothing is left there."""
    one = places.lock_works(tmp_path / "a" / "camdl.lock")
    assert (one.grade, one.said) == (Grade.FINE, f"{tmp_path}/a/camdl.lock: locks work there")
    assert list(tmp_path.iterdir()) == []


def test_where_there_are_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on some network file systems."""

    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    one = places.lock_works(tmp_path / "camdl.lock")
    assert one.said == f"files in {tmp_path} cannot be locked: Operation not supported"
    assert "local disk" in one.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_is_none(tmp_path: Path) -> None:
    """A link or a directory in its place is refused by every run."""
    (tmp_path / "link").symlink_to(tmp_path / "x")
    for name in ("link", ""):
        one = places.lock_works(tmp_path / name)
        assert one.said == f"{tmp_path / name} is not a regular file"
