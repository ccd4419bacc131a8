"""Room that is put aside for a clean-up on a full disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from camdl.errors import StorageError
from camdl.ops.reserve import SIZE, Reserve
from tests.support.root import needs_root, remount, tmpfs

if TYPE_CHECKING:
    from pathlib import Path


def reserved(directory: Path) -> int:
    """How many bytes are put aside beside the catalogue in `directory`, in real blocks."""
    file = directory / "camdl.db.reserve"
    if not file.exists():
        return 0
    assert file.stat().st_blocks * 512 >= file.stat().st_size
    return file.stat().st_size


def test_room_is_put_aside_and_given_up(tmp_path: Path) -> None:
    """A megabyte of real blocks, made once and again when it is gone."""
    reserve = Reserve(tmp_path / "camdl.db")
    reserve.put_aside()
    made = (tmp_path / "camdl.db.reserve").stat()
    assert reserved(tmp_path) == SIZE
    reserve.put_aside()
    assert (tmp_path / "camdl.db.reserve").stat().st_ino == made.st_ino
    reserve.give_up()
    reserve.give_up()
    assert list(tmp_path.iterdir()) == []
    reserve.put_aside()
    assert reserved(tmp_path) == SIZE


def test_a_catalogue_elsewhere_needs_none(tmp_path: Path) -> None:
    """A database server has its own disk."""
    reserve = Reserve(None)
    reserve.put_aside()
    reserve.give_up()
    assert reserve.room(tmp_path).free > 0


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """A link, a directory, and a file of another size."""
    file = tmp_path / "camdl.db.reserve"
    reserve = Reserve(tmp_path / "camdl.db")
    target = tmp_path / "target"
    target.write_bytes(b"x" * SIZE)
    for make in (
        lambda: file.symlink_to(target),
        file.mkdir,
        lambda: file.write_bytes(b"x" * 10),
        lambda: file.write_bytes(b"x" * (SIZE + 1)),
    ):
        make()
        before = file.lstat()
        reserve.give_up()
        reserve.put_aside()
        assert file.lstat() == before
        file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
    assert target.stat().st_size == SIZE


def test_nothing_waits_for_it(tmp_path: Path) -> None:
    """Where it cannot be made, there is none."""
    reserve = Reserve(tmp_path / "nowhere" / "camdl.db")
    reserve.put_aside()
    reserve.give_up()
    assert list(tmp_path.iterdir()) == []


@needs_root
def test_it_takes_what_there_is(tmp_path: Path) -> None:
    """Less room is better than none, and it grows when there is more."""
    disk = tmp_path / "disk"
    with tmpfs(disk, "size=4m"):
        filler = disk / "filler"
        filler.write_bytes(b"x" * (3 * SIZE + 512 * 1024))
        reserve = Reserve(disk / "camdl.db")
        reserve.put_aside()
        assert reserved(disk) == 512 * 1024
        os.truncate(filler, 3 * SIZE + 1024)
        reserve.put_aside()
        assert 512 * 1024 < reserved(disk) < SIZE
        filler.unlink()
        reserve.put_aside()
        assert reserved(disk) == SIZE


@needs_root
def test_a_full_disk_has_room_for_none(tmp_path: Path) -> None:
    """Nothing half written is left of the attempt."""
    disk = tmp_path / "disk"
    with tmpfs(disk, "size=4m"):
        (disk / "filler").write_bytes(b"x" * 4 * SIZE)
        Reserve(disk / "camdl.db").put_aside()
        assert [path.name for path in disk.iterdir()] == ["filler"]


@needs_root
def test_giving_it_up_makes_room(tmp_path: Path) -> None:
    """On a disk that is full to the last byte."""
    disk = tmp_path / "disk"
    with tmpfs(disk, "size=4m"):
        reserve = Reserve(disk / "camdl.db")
        reserve.put_aside()
        (disk / "filler").write_bytes(b"x" * 3 * SIZE)
        with pytest.raises(OSError, match="No space"):
            (disk / "journal").write_bytes(b"x" * 4096)
        reserve.give_up()
        (disk / "journal").write_bytes(b"x" * (SIZE - 4096))


@needs_root
def test_a_read_only_disk_keeps_it(tmp_path: Path) -> None:
    """Without an error: what comes next will tell."""
    disk = tmp_path / "disk"
    with tmpfs(disk, "size=4m"):
        reserve = Reserve(disk / "camdl.db")
        reserve.put_aside()
        remount(disk, "ro")
        reserve.give_up()
        reserve.put_aside()
        assert reserved(disk) == SIZE


@needs_root
def test_the_room_is_that_after_a_clean_up(tmp_path: Path) -> None:
    """The same whether the reserve is there or is still to be made; elsewhere it does not count."""
    disk, other = tmp_path / "disk", tmp_path / "other"
    with tmpfs(disk, "size=8m"), tmpfs(other, "size=8m"):
        reserve = Reserve(disk / "camdl.db")
        without, elsewhere = reserve.room(disk), reserve.room(other)
        reserve.put_aside()
        assert reserve.room(disk) == without
        assert reserve.room(other) == elsewhere
        assert (elsewhere.total, elsewhere.free) == (8 * SIZE, 8 * SIZE)
        assert elsewhere.block == os.statvfs(other).f_frsize
        assert 6 * SIZE < without.free < 7 * SIZE


def test_no_room_is_told_of_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """And what cannot be asked for is an error."""
    reserve = Reserve(tmp_path / "camdl.db")
    assert reserve.room(tmp_path / "nowhere").total == 0
    with pytest.raises(StorageError, match="cannot be told"):
        reserve.room(tmp_path / ("x" * 300))
