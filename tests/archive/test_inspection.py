"""What a verification sees of files on disk, and how it moves them."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from camdl.archive.inspection import LocalInspection
from camdl.domain.verification import FoundFile
from camdl.errors import StorageError
from tests.support.root import as_nobody, immutable, needs_root
from tests.support.yard import START, Yard, capture, picture

if TYPE_CHECKING:
    from pathlib import Path

HOME = capture(3)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """An archive of six captures."""
    tmp_path.chmod(0o755)
    yard = Yard(tmp_path)
    yard.fill(6)
    return yard


@pytest.fixture
def files(yard: Yard) -> LocalInspection:
    """Its files."""
    return LocalInspection(yard.images)


def test_files_in_place_come_by_time_with_their_sizes(files: LocalInspection, yard: Yard) -> None:
    """Other files, and other streams' in the same directory, do not."""
    for name in ("x.jpg", "20250908T233500Z_out_gate.jpg", "20250909T233500Z_in_gate.jpg"):
        (yard.images / "in_gate/2025-09-08" / name).write_bytes(b"x")
    (yard.images / "in_gate/notes").write_bytes(b"x")
    wanted = [FoundFile(capture(one).key, len(picture(one))) for one in range(6)]
    assert list(files.captures("in_gate")) == wanted
    assert list(files.captures("none")) == []


def test_an_archive_is_there_with_its_marker_or_with_images(
    files: LocalInspection, yard: Yard
) -> None:
    """Older ones had no marker."""
    assert files.is_there()
    (yard.images / ".camdl-archive").unlink()
    assert files.is_there()
    shutil.rmtree(yard.images / "in_gate")
    assert not files.is_there()


def test_a_link_to_a_directory_is_not_followed(files: LocalInspection, yard: Yard) -> None:
    """What is behind it is not the archive's, and may be the archive itself."""
    (yard.images / "loop").symlink_to(yard.images)
    assert files.places() == ["in_gate"]
    assert list(files.strays(None)) == []


def test_what_is_moved_aside_or_elsewhere_replaces_nothing(
    files: LocalInspection, yard: Yard
) -> None:
    """A name that is taken is an error, or another one is found."""
    with pytest.raises(StorageError, match="there already"):
        files.move(HOME.key, capture(4).key)
    (yard.images / f"{HOME.key}.bad").write_bytes(b"older")
    assert files.set_aside(HOME.key) == f"{HOME.key}.1.bad"
    assert (yard.images / f"{HOME.key}.bad").read_bytes() == b"older"
    files.move(f"{HOME.key}.1.bad", "new/directory/x.jpg")
    assert (yard.images / "new/directory/x.jpg").read_bytes() == picture(3)


def test_what_is_not_there_is_none(files: LocalInspection) -> None:
    """Of every question but when it was written."""
    gone = capture(9).key
    assert files.look(gone) is None
    assert files.sha256(gone) is None
    assert files.read(gone) is None
    assert not files.is_abandoned(gone)
    assert files.look(f"{HOME.key}/below") is None
    with pytest.raises(StorageError):
        files.modified_at(gone)


def test_the_time_of_the_content_is_told_in_utc(files: LocalInspection, yard: Yard) -> None:
    """To the whole second."""
    os.utime(yard.path(HOME), (0, START.timestamp() + 0.9))
    assert files.modified_at(HOME.key) == START


@needs_root
def test_what_may_not_be_looked_at_is_an_error(files: LocalInspection, yard: Yard) -> None:
    """Never something that is missing: exit 74."""
    yard.path(HOME).chmod(0)
    with as_nobody():
        for ask in (files.sha256, files.read):
            with pytest.raises(StorageError, match="Permission denied"):
                ask(HOME.key)
    (yard.images / "in_gate").chmod(0)
    with as_nobody():
        with pytest.raises(StorageError, match="Permission denied"):
            list(files.captures("in_gate"))
        with pytest.raises(StorageError, match="Permission denied"):
            list(files.strays(None))
        with pytest.raises(StorageError, match="Permission denied"):
            files.look(HOME.key)


@needs_root
def test_what_cannot_be_changed_is_an_error(files: LocalInspection, yard: Yard) -> None:
    """And it is as it was."""
    day = yard.path(HOME).parent
    left = day / ".x.0123abcd.tmp"
    left.write_bytes(b"half")
    with immutable(day):
        for change in (files.set_aside, files.sweep):
            key = str(left.relative_to(yard.images))
            with pytest.raises(StorageError, match="cannot be used"):
                change(key)
        with pytest.raises(StorageError, match="cannot be used"):
            files.move(HOME.key, "in_gate/2025-09-09/x/y.jpg")
    assert yard.path(HOME).read_bytes() == picture(3)
    assert left.exists()
