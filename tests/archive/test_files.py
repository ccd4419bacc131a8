"""The archive's files for those who delete and verify them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from camdl.archive.files import LocalFiles
from camdl.archive.local import MARKER
from camdl.errors import StorageError
from tests.support.root import as_nobody, immutable, needs_root, remount, tmpfs

if TYPE_CHECKING:
    from pathlib import Path

KEYS = [
    "in_gate/2025-09-07/20250907T235000Z_in_gate.jpg",
    "in_gate/2025-09-08/20250908T000000Z_in_gate.jpg",
    "in_gate/2025-09-08/20250908T001000Z_in_gate.jpg",
    "out_gate/2025-09-07/20250907T120000Z_out_gate.jpg",
]


def put(root: Path, *names: str) -> None:
    """Make files below `root`, each with its name in it."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An archive of four captures."""
    put(tmp_path / "images", MARKER, *KEYS)
    return tmp_path / "images"


def test_an_archive_may_be_cleaned_up(root: Path) -> None:
    """It carries the marker, and no link is in the way."""
    assert LocalFiles(root).refusal() == ""


@pytest.mark.parametrize("makes", [None, "dir"])
def test_without_its_marker_it_is_no_archive(root: Path, makes: str | None) -> None:
    """A directory of that name is none."""
    (root / MARKER).unlink()
    if makes:
        (root / MARKER).mkdir()
    assert "marker" in LocalFiles(root).refusal()
    assert "marker" in LocalFiles(root / "nowhere").refusal()


def test_a_link_is_no_archive(root: Path) -> None:
    """Neither as a whole nor as the directory of a stream."""
    linked = root.with_name("linked")
    linked.symlink_to(root)
    assert f"symbolic link, to {root}" in LocalFiles(linked).refusal()
    (root / "yard").symlink_to(root / "in_gate")
    assert f"{root / 'yard'} is a symbolic link" in LocalFiles(root).refusal()


def test_keys_come_by_stream_and_time(root: Path) -> None:
    """Those that have the name of a capture in its place; nothing behind a link."""
    put(
        root,
        "in_gate/2025-09-08/notes.txt",
        "in_gate/2025-09-08/20250907T235000Z_in_gate.jpg",
        "in_gate/2025-09-08/20250908T000000Z_out_gate.jpg",
        "in_gate/old/20250908T000000Z_in_gate.jpg",
        "lost+found/x",
        "20250908T000000Z_in_gate.jpg",
    )
    (root / "yard").symlink_to(root / "in_gate")
    assert list(LocalFiles(root).keys()) == KEYS
    assert list(LocalFiles(root).keys(date(2025, 9, 8))) == [KEYS[0], KEYS[3]]
    assert list(LocalFiles(root / "nowhere").keys()) == []


def test_sizes_and_bytes(root: Path) -> None:
    """None where there is no file."""
    files = LocalFiles(root)
    assert (files.size(KEYS[0]), files.read(KEYS[0])) == (len(KEYS[0]), KEYS[0].encode())
    (root / KEYS[0]).unlink()
    assert (files.size(KEYS[0]), files.read(KEYS[0])) == (None, None)


def test_only_what_is_asked_for_is_deleted(root: Path) -> None:
    """What is not there any more does not matter."""
    files = LocalFiles(root)
    gone = ["yard/2025-09-07/20250907T120000Z_yard.jpg", KEYS[0], KEYS[3]]
    assert files.delete(gone) == {}
    assert files.delete(gone) == {}
    assert files.delete([]) == {}
    assert list(files.keys()) == KEYS[1:3]


@pytest.mark.parametrize(
    "key",
    [
        MARKER,
        "",
        "/etc/passwd",
        "../x.jpg",
        "in_gate/../in_gate/20250907T235000Z_in_gate.jpg",
        "in_gate/2025-09-07/notes.txt",
    ],
)
def test_nothing_else_is_ever_deleted(root: Path, key: str) -> None:
    """A key that is not the archive's own stops it before the first file."""
    with pytest.raises(StorageError, match="not the key of a capture"):
        LocalFiles(root).delete([KEYS[0], key])
    assert list(LocalFiles(root).keys()) == KEYS


def test_nothing_is_deleted_through_a_link(root: Path) -> None:
    """What is behind one is not the archive's, whether it was there before or not."""
    day = (root / KEYS[0]).parent
    elsewhere = root.with_name("elsewhere")
    day.rename(elsewhere)
    day.symlink_to(elsewhere)
    assert list(LocalFiles(root).delete(KEYS[:2])) == [KEYS[0]]
    assert (elsewhere / KEYS[0].rpartition("/")[2]).exists()
    assert not (root / KEYS[1]).exists()


@needs_root
def test_what_cannot_be_deleted_is_told(root: Path) -> None:
    """With the reason, and all others are deleted."""
    with immutable(root / KEYS[1]):
        kept = LocalFiles(root).delete(KEYS)
    assert kept == {KEYS[1]: f"{root / KEYS[1]}: Operation not permitted"}
    assert list(LocalFiles(root).keys()) == [KEYS[1]]


@needs_root
def test_without_permission_nothing_is_deleted(root: Path) -> None:
    """A directory of somebody else is told for each of its files."""
    for directory in [*root.parents, root]:
        directory.chmod(directory.stat().st_mode | 0o055)
    with as_nobody():
        kept = LocalFiles(root).delete(KEYS)
    assert sorted(kept) == sorted(KEYS)
    assert all("Permission denied" in why for why in kept.values())
    assert list(LocalFiles(root).keys()) == KEYS


@needs_root
def test_a_read_only_disk_is_an_error(tmp_path: Path) -> None:
    """It is no fault of one file."""
    root = tmp_path / "images"
    with tmpfs(root, "size=1m"):
        put(root, MARKER, *KEYS)
        remount(root, "ro")
        with pytest.raises(StorageError, match="Read-only"):
            LocalFiles(root).delete(KEYS)
        LocalFiles(root).tidy()
        assert list(LocalFiles(root).keys()) == KEYS


def test_it_is_tidied(root: Path) -> None:
    """Left-over temporary files and empty directories of days and streams go, and nothing else."""
    put(
        root,
        "in_gate/2025-09-06/.a.jpg.0123abcd.tmp",
        "in_gate/2025-09-07/.a.jpg.0123abcd.tmp",
        "in_gate/2025-09-05/.foreign",
        "in_gate/2025-09-05/.a.jpg.0123abcd.tmp",
        "yard/2025-09-06/.a.jpg.0123abcd.tmp",
        ".health.0123abcd.tmp",
        "mine.tmp",
    )
    (root / "in_gate" / "mine").mkdir()
    (root / "lost+found").mkdir()
    LocalFiles(root).tidy()
    left = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    assert left == sorted([MARKER, *KEYS, "in_gate/2025-09-05/.foreign", "mine.tmp"])
    assert not (root / "in_gate" / "2025-09-06").exists()
    assert not (root / "yard").exists()
    assert (root / "in_gate" / "mine").is_dir()
    assert (root / "lost+found").is_dir()


def test_tidying_waits_for_nothing(tmp_path: Path) -> None:
    """What cannot be looked at stays."""
    LocalFiles(tmp_path / "nowhere").tidy()
    (tmp_path / "file").touch()
    LocalFiles(tmp_path / "file").tidy()


def test_what_cannot_be_looked_at_is_an_error(tmp_path: Path) -> None:
    """A file in the place of a directory is no empty archive."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be used"):
        list(LocalFiles(tmp_path / "file").keys())
    with pytest.raises(StorageError, match="cannot be used"):
        LocalFiles(tmp_path).size("x" * 5000)
    with pytest.raises(StorageError, match="cannot be used"):
        LocalFiles(tmp_path).read(".")
