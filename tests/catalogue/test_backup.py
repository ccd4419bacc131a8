"""Copies of a real SQLite catalogue, also while another process writes to it all the time."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from camdl.catalogue import backup as module
from camdl.catalogue import opening
from camdl.catalogue.backup import SqliteBackup
from camdl.catalogue.database import Database
from camdl.errors import CatalogueError, ConfigError, StorageError
from tests.support.catalogues import empty_catalogue, set_revision, sql
from tests.support.root import needs_root, tmpfs
from tests.support.strace import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Writes two rows a transaction all the time, so that each moment has an even number of them; it
# ends if it has to wait for as long as camdl would.
WRITER = """
import itertools, sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=5, isolation_level=None)
print("writes", flush=True)
for number in itertools.count():
    connection.execute("BEGIN IMMEDIATE")
    for one in ("first", "second"):
        connection.execute(
            "INSERT INTO doomed (key, stream, captured_at) "
            "VALUES (?, ?, '2025-09-08 23:30:00.000000')",
            (f"{number}-{one}", "x" * 60),
        )
    connection.execute("COMMIT")
    time.sleep(0.002)
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """An empty catalogue."""
    return empty_catalogue(tmp_path / "camdl.db")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The empty file that a copy is to be written to."""
    (tmp_path / "copy").touch()
    return tmp_path / "copy"


@contextmanager
def backing_up(file: Path) -> Iterator[SqliteBackup]:
    """What copies the catalogue in `file`."""
    backup = SqliteBackup(f"sqlite:///{file}")
    try:
        yield backup
    finally:
        backup.close()


@contextmanager
def being_written(file: Path) -> Iterator[None]:
    """Another process writes rows all the time inside the `with`."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, env=unmeasured()
    ) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield
            assert process.poll() is None, "the writer was locked out"
        finally:
            process.kill()


def enlarge(file: Path, megabytes: int) -> None:
    """Give a catalogue a size."""
    with closing(sqlite3.connect(file)) as connection, connection:
        row = "('{}', '{}', '2025-09-08 23:30:00.000000')"
        for number in range(megabytes):
            rows = ",".join(row.format(f"{number}.{one}", "x" * 400) for one in range(2000))
            connection.execute(f"INSERT INTO doomed (key, stream, captured_at) VALUES {rows}")  # noqa: S608


def test_a_copy_has_what_the_catalogue_has(catalogue: Path, target: Path) -> None:
    """It opens as a catalogue of this version, and its captures are counted."""
    sql(
        catalogue,
        "INSERT INTO captures (stream, captured_at, key, sha256, bytes, width, height, source_url, "
        "fetched_at, run_id) VALUES ('in_gate', '2025-09-08 23:30:00.000000', 'k', 'h', 1, 1, 1, "
        "'', '2025-09-08 23:30:00.000000', 'r')",
    )
    with backing_up(catalogue) as backup:
        backup.refuse(target)
        assert backup.copy(target) == 1
    query = "SELECT stream, captured_at, sha256 FROM captures"
    assert sql(target, query) == sql(catalogue, query)
    database = Database(f"sqlite:///{target}")
    assert opening.existing(database)
    database.close()
    assert {one.name for one in target.parent.iterdir()} == {"camdl.db", "copy"}


@pytest.mark.parametrize("megabytes", [0, 12])
def test_a_copy_while_another_process_writes_is_of_one_moment(
    catalogue: Path, target: Path, megabytes: int
) -> None:
    """No transaction is in it by half, however often it begins anew, and the writer goes on."""
    enlarge(catalogue, megabytes)
    with being_written(catalogue), backing_up(catalogue) as backup:
        for _ in range(3):
            target.write_bytes(b"")
            backup.copy(target)
            (count,) = sql(target, "SELECT count(*) FROM doomed WHERE length(stream) = 60")[0]
            assert isinstance(count, int)
            assert count % 2 == 0
            assert sql(target, "PRAGMA integrity_check") == [("ok",)]


def test_a_catalogue_that_is_locked_all_the_time_is_told(
    catalogue: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while the copy is given up."""
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.2)
    with closing(sqlite3.connect(catalogue, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with backing_up(catalogue) as backup, pytest.raises(CatalogueError, match="locked"):
            backup.copy(target)


def test_a_damaged_catalogue_is_told(catalogue: Path, target: Path) -> None:
    """A copy of damage is no backup."""
    enlarge(catalogue, 2)
    data = bytearray(catalogue.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = b"\x55" * 4096
    catalogue.write_bytes(data)
    with backing_up(catalogue) as backup, pytest.raises(CatalogueError, match="damaged") as error:
        backup.copy(target)
    assert "camdl verify --rebuild" in error.value.advice


def test_no_catalogue_is_an_error(tmp_path: Path, target: Path) -> None:
    """And none is made of it; neither is one of an empty file."""
    file = tmp_path / "none.db"
    with backing_up(file) as backup, pytest.raises(CatalogueError, match="no catalogue"):
        backup.refuse(target)
    assert not file.exists()
    file.touch()
    with backing_up(file) as backup, pytest.raises(CatalogueError, match="no catalogue"):
        backup.refuse(target)


def test_an_older_schema_is_copied_and_a_newer_one_is_not(catalogue: Path, target: Path) -> None:
    """A backup before an upgrade is the one that matters."""
    with backing_up(catalogue) as backup:
        set_revision(catalogue, "0001")
        backup.refuse(target)
        assert backup.copy(target) == 0
        set_revision(catalogue, "9999")
        with pytest.raises(ConfigError, match="newer camdl"):
            backup.refuse(target)


@needs_root
def test_a_disk_that_is_full_is_the_copys_fault(catalogue: Path, tmp_path: Path) -> None:
    """It is told as one of the storage."""
    enlarge(catalogue, 2)
    place = tmp_path / "small"
    with tmpfs(place, "size=100k"):
        (place / "copy").touch()
        with backing_up(catalogue) as backup, pytest.raises(StorageError, match="full"):
            backup.copy(place / "copy")


def test_a_copy_is_as_private_as_the_catalogue(catalogue: Path, target: Path) -> None:
    """URLs in it may be signed."""
    catalogue.chmod(0o600)
    target.chmod(0o644)
    with backing_up(catalogue) as backup:
        backup.copy(target)
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_copy_put_back_is_the_catalogue_again(catalogue: Path, target: Path) -> None:
    """Restoring is copying a file."""
    sql(
        catalogue,
        "INSERT INTO runs (id, verb, started_at, error) "
        "VALUES ('r', 'download', '2025-09-08 23:30:00.000000', '')",
    )
    with backing_up(catalogue) as backup:
        backup.copy(target)
    catalogue.write_bytes(b"lost")
    shutil.copy(target, catalogue)
    database = Database(f"sqlite:///{catalogue}")
    restored = opening.existing(database)
    assert restored
    assert [run.id for run in restored.last_runs("download", 5)] == ["r"]
    restored.begin_run("s", "download", restored.last_runs("download", 1)[0].started_at)
    database.close()
