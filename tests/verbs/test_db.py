"""`camdl db`, on a real database and with a real lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from camdl.catalogue.database import Database, State
from camdl.catalogue.schema import SqlSchema
from camdl.catalogue.tables import SCHEMA
from camdl.errors import CatalogueError, ConfigError, LockHeldError
from camdl.ops.lock import FileLock
from camdl.verbs.db import current, upgrade
from tests.support.catalogues import empty_catalogue, set_revision, sql

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test has its catalogue."""
    return tmp_path / "camdl.db"


@pytest.fixture
def database(file: Path) -> Database:
    """The database in `file`, which is not there yet."""
    return Database(f"sqlite:///{file}", may_create=True)


@pytest.fixture
def lock(tmp_path: Path) -> FileLock:
    """What keeps runs apart."""
    return FileLock(tmp_path / "camdl.lock", "db upgrade")


def test_before_there_is_a_catalogue(file: Path, database: Database) -> None:
    """What is needed is told, and nothing is made."""
    expected = f"{file}: no catalogue yet; this version needs schema {SCHEMA}"
    assert current(SqlSchema(database)) == expected
    assert not file.exists()


def test_a_catalogue_is_made_and_is_then_current(
    file: Path, database: Database, lock: FileLock
) -> None:
    """Upgrading makes it, says so, and a second time there is nothing to do."""
    schema = SqlSchema(database)
    assert upgrade(schema, lock) == f"{file}: schema none -> {SCHEMA}"
    assert database.state() is State.CURRENT
    assert current(schema) == f"{file}: schema {SCHEMA}, which is this version's"
    before = file.read_bytes()
    assert upgrade(schema, lock) == f"{file}: schema {SCHEMA} already"
    assert file.read_bytes() == before


def test_one_of_a_newer_version(file: Path, database: Database, lock: FileLock) -> None:
    """What it has is told, and it is not touched."""
    set_revision(empty_catalogue(file), "9999")
    before = file.read_bytes()
    assert current(SqlSchema(database)) == f"{file}: schema 9999; this version needs {SCHEMA}"
    with pytest.raises(ConfigError, match=f"{file} has a schema that this camdl does not know"):
        upgrade(SqlSchema(database), lock)
    assert file.read_bytes() == before


def test_somebody_elses_database(file: Path, database: Database, lock: FileLock) -> None:
    """It gets no tables of camdl's, and both commands say why."""
    sql(file, "CREATE TABLE x (y)")
    before = file.read_bytes()
    attempts: list[Callable[[], str]] = [
        lambda: current(SqlSchema(database)),
        lambda: upgrade(SqlSchema(database), lock),
    ]
    for attempt in attempts:
        with pytest.raises(CatalogueError, match="holds something else than a catalogue"):
            attempt()
    assert file.read_bytes() == before


def test_while_a_run_goes_on(
    file: Path, database: Database, lock: FileLock, tmp_path: Path
) -> None:
    """The schema is never changed under a run; looking at it is always possible."""
    with FileLock(tmp_path / "camdl.lock", "download").hold(0):
        with pytest.raises(LockHeldError):
            upgrade(SqlSchema(database), lock)
        assert not file.exists()
        assert "no catalogue yet" in current(SqlSchema(database))
    upgrade(SqlSchema(database), lock)
    assert database.state() is State.CURRENT


def test_nothing_to_do_while_a_run_goes_on(
    file: Path, database: Database, lock: FileLock, tmp_path: Path
) -> None:
    """What is started with the machine may ask for an upgrade at any time."""
    upgrade(SqlSchema(database), lock)
    with FileLock(tmp_path / "camdl.lock", "download").hold(0):
        assert upgrade(SqlSchema(database), lock) == f"{file}: schema {SCHEMA} already"


def test_the_lock_is_let_go(file: Path, database: Database, lock: FileLock) -> None:
    """After an upgrade that failed, too."""
    file.mkdir()
    for _ in range(2):
        with pytest.raises(CatalogueError, match="unable to open database file"):
            upgrade(SqlSchema(database), lock)
    with lock.hold(0):
        pass


def test_a_lost_catalogue_is_not_made_anew(file: Path, database: Database, lock: FileLock) -> None:
    """Where there are images without a catalogue, an empty one would hide the loss."""
    with pytest.raises(CatalogueError, match="the archive has images"):
        upgrade(SqlSchema(database, lambda: True), lock)
    assert not file.exists()
