"""`camdl db backup`: the copy gets its name when it is whole, and never in another's place."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from camdl.catalogue.backup import SqliteBackup
from camdl.errors import CatalogueError, StorageError, UsageError
from camdl.verbs.backup import backup
from tests.support.catalogues import sql
from tests.support.strace import unmeasured
from tests.support.yard import Yard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLOW = """
import sys, time
from pathlib import Path
from camdl.catalogue.backup import SqliteBackup
from camdl.verbs.backup import backup
class Slow(SqliteBackup):
    def copy(self, target):
        number = super().copy(target)
        print("copied", flush=True)
        time.sleep(60)
        return number
home = Path(sys.argv[1])
backup(Slow(f"sqlite:///{home}/camdl.db"), home / "backups" / "camdl.db")
"""


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """An archive with its catalogue, and a directory for backups."""
    yard = Yard(tmp_path)
    yard.fill(3)
    (tmp_path / "backups").mkdir()
    return yard


@pytest.fixture
def copying(yard: Yard) -> Iterator[SqliteBackup]:
    """What copies the catalogue."""
    copying = SqliteBackup(yard.url)
    yield copying
    copying.close()


@pytest.fixture
def file(yard: Yard) -> Path:
    """Where a backup is to go."""
    return yard.home / "backups" / "camdl.db"


def names(file: Path) -> list[str]:
    """What is in the directory of backups."""
    return sorted(one.name for one in file.parent.iterdir())


def test_a_backup_says_what_is_in_it(copying: SqliteBackup, file: Path) -> None:
    """Its file, how many captures, how large, and that it was checked."""
    said = backup(copying, file)
    assert said == f"{file}: 3 captures, 0.1 MB, checked"
    assert names(file) == ["camdl.db"]


def test_a_restored_backup_verifies(yard: Yard, copying: SqliteBackup, file: Path) -> None:
    """With the files of then nothing is wrong; what came later is found, and can be registered."""
    backup(copying, file)
    later = yard.fill(5)[3:]
    yard.catalogue.write_bytes(file.read_bytes())
    assert yard.found(full=True) == [("orphaned", one.key) for one in later]
    yard.verify(repair=True)
    assert yard.found(full=True) == []
    assert len(yard.facts()) == 5


def test_a_file_that_is_there_is_replaced_only_by_force(copying: SqliteBackup, file: Path) -> None:
    """Also a link to nowhere is there."""
    file.write_text("older")
    with pytest.raises(UsageError, match="exists already"):
        backup(copying, file)
    assert file.read_text() == "older"
    backup(copying, file, force=True)
    assert sql(file, "SELECT count(*) FROM captures") == [(3,)]
    file.unlink()
    file.symlink_to("nowhere")
    with pytest.raises(UsageError, match="exists already"):
        backup(copying, file)


def test_the_catalogue_is_not_its_own_backup(yard: Yard, copying: SqliteBackup) -> None:
    """By whatever name, and not by force either."""
    (yard.home / "link").symlink_to(yard.catalogue)
    for name in (yard.catalogue, yard.home / "link", yard.home / "backups" / ".." / "camdl.db"):
        with pytest.raises(UsageError, match="itself"):
            backup(copying, name, force=True)


def test_a_directory_that_is_not_there_is_told(copying: SqliteBackup, file: Path) -> None:
    """It may be a disk that is not mounted, so it is not made."""
    with pytest.raises(StorageError, match="cannot be written: No such file"):
        backup(copying, file.parent / "disk" / "camdl.db")


def test_a_failed_backup_leaves_what_was_there(
    yard: Yard, copying: SqliteBackup, file: Path
) -> None:
    """The older backup is whole, and nothing is beside it."""
    backup(copying, file)
    before = file.read_bytes()
    data = bytearray(yard.catalogue.read_bytes())
    data[len(data) // 2 :] = b"\x55" * (len(data) - len(data) // 2)
    yard.catalogue.write_bytes(data)
    with pytest.raises(CatalogueError):
        backup(copying, file, force=True)
    assert file.read_bytes() == before
    assert names(file) == ["camdl.db"]


def test_a_killed_backup_leaves_no_file_of_that_name(
    yard: Yard, copying: SqliteBackup, file: Path
) -> None:
    """And the next one removes what it has left."""
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, str(yard.home)], stdout=subprocess.PIPE, env=unmeasured()
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"copied\n"
        process.kill()
    assert not file.exists()
    assert len(names(file)) == 1
    backup(copying, file)
    assert names(file) == ["camdl.db"]


def test_a_backup_is_no_older_than_its_beginning(copying: SqliteBackup, file: Path) -> None:
    """Its time is that of the copy, so that a rotation can go by it."""
    began = time.time()
    backup(copying, file)
    assert os.stat(file).st_mtime >= began - 1  # noqa: PTH116  # as any other program would
