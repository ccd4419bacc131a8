"""Which catalogue a run may work on, and which it leaves alone."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from camdl.catalogue.database import Database, State
from camdl.catalogue.opening import existing, existing_or_new, forgetful, lost
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.outcomes import Failed
from camdl.errors import CatalogueError, ConfigError, ExitCode, StorageError
from tests.support.catalogues import empty_catalogue, set_revision, sql

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.postgres import Postgres

NOON = datetime(2025, 9, 8, 12, 0, tzinfo=UTC)
MISSING = (ListedCapture(Capture(NOON, "in_gate"), "https://cdn/x"), Failed("HTTP 503"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test has its catalogue."""
    return tmp_path / "camdl.db"


@pytest.fixture
def database(file: Path) -> Database:
    """The database in `file`, which is not there yet."""
    return Database(f"sqlite:///{file}", may_create=True)


def has_images() -> bool:
    """An archive with images."""
    return True


def is_empty() -> bool:
    """An archive without."""
    return False


def is_not_asked() -> bool:
    """An archive that may take its time to answer."""
    raise AssertionError("nobody needs to know")


def not_there(file: Path) -> None:
    """Leave it out."""


def empty_file(file: Path) -> None:
    """What a crash of the file system, or a slip of the hand, leaves of a file."""
    file.touch()


def without_tables(file: Path) -> None:
    """A database in which nothing is left."""
    sql(file, "CREATE TABLE x (y)", "DROP TABLE x")


def of_revision(revision: str) -> Callable[[Path], None]:
    """A catalogue of another version."""
    return lambda file: set_revision(empty_catalogue(file), revision)


def of_others(file: Path) -> None:
    """A database of another program."""
    sql(file, "CREATE TABLE captures (id)")


def no_database(file: Path) -> None:
    """Another kind of file."""
    file.write_bytes(b"\xff\xd8\xff" * 1000)


def a_directory(file: Path) -> None:
    """No file at all."""
    file.mkdir()


NONE = [not_there, empty_file, without_tables]


def content(file: Path) -> bytes | None:
    """What is in `file`, if it is one."""
    return file.read_bytes() if file.is_file() else None


@pytest.mark.parametrize("make", NONE)
def test_none_is_no_error(file: Path, database: Database, make: Callable[[Path], None]) -> None:
    """Before the first run there is no catalogue, and looking for it makes none."""
    make(file)
    before = content(file)
    assert existing(database) is None
    assert content(file) == before


def test_one_of_this_version(file: Path, database: Database) -> None:
    """It is opened as it is, and both ways are the same catalogue."""
    empty_catalogue(file)
    before = content(file)
    for_writing, for_reading = existing_or_new(database, is_not_asked), existing(database)
    assert content(file) == before
    assert for_reading is not None
    for_writing.record("r1", [MISSING], NOON)
    assert len(for_reading.pending("in_gate", NOON)) == 1


@pytest.mark.parametrize("make", NONE)
def test_a_new_one_for_a_new_archive(
    file: Path,
    database: Database,
    make: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is made, and said so."""
    make(file)
    with caplog.at_level(logging.INFO, "camdl"):
        existing_or_new(database, is_empty).record("r1", [MISSING], NOON)
    assert database.state() is State.CURRENT
    assert [one.getMessage() for one in caplog.records if one.name == "camdl"] == [
        f"Making the catalogue {file}"
    ]


@pytest.mark.parametrize("make", NONE)
def test_a_lost_one_is_not_made_anew(
    file: Path, database: Database, make: Callable[[Path], None]
) -> None:
    """Where there are images there was a catalogue, and an empty one would forget them."""
    make(file)
    before = content(file)
    with pytest.raises(CatalogueError, match="missing or empty, but the archive has images") as it:
        existing_or_new(database, has_images)
    assert it.value.exit_code == ExitCode.STORAGE
    assert (str(it.value), it.value.advice) == (str(lost(database)), lost(database).advice)
    assert str(file) in str(it.value)
    assert content(file) == before


def test_an_archive_that_cannot_be_looked_at(file: Path, database: Database) -> None:
    """While nobody can tell whether there are images, no catalogue is made."""

    def unreadable() -> bool:
        raise StorageError("Input/output error")

    with pytest.raises(StorageError):
        existing_or_new(database, unreadable)
    assert not file.exists()


def test_an_older_one_is_brought_up_to_date(
    file: Path,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By a run that may change it, which says so; a reader leaves it alone."""
    empty_catalogue(file)
    before = content(file)
    # There is one migration so far: the newest is not known to be the newest yet.
    monkeypatch.setattr("camdl.catalogue.database.SCHEMA", "9000")
    with pytest.raises(ConfigError, match="has the schema of an older camdl") as raised:
        existing(database)
    assert raised.value.advice == "Run: camdl db upgrade"
    assert content(file) == before
    with caplog.at_level(logging.INFO, "camdl"):
        existing_or_new(database, is_not_asked)
    assert f"Upgrading the catalogue {file}" in caplog.messages


@pytest.mark.parametrize("make", [of_revision("9999"), of_revision("b1946ac92492"), of_others])
def test_what_is_of_a_newer_version_or_of_others(
    file: Path, database: Database, make: Callable[[Path], None]
) -> None:
    """It is refused as a fault of the configuration, whatever is in the archive, and left alone."""
    make(file)
    before = content(file)
    attempts: list[Callable[[], object]] = [
        lambda: existing(database),
        lambda: existing_or_new(database, is_empty),
        lambda: existing_or_new(database, has_images),
    ]
    for attempt in attempts:
        with pytest.raises(ConfigError, match=f"{file} is of a newer camdl, or holds no") as raised:
            attempt()
        assert raised.value.exit_code == ExitCode.CONFIG
    assert content(file) == before


@pytest.mark.parametrize("make", [no_database, a_directory])
def test_what_is_no_database(file: Path, database: Database, make: Callable[[Path], None]) -> None:
    """It is a fault of the catalogue, and left alone."""
    make(file)
    before = content(file)
    attempts: list[Callable[[], object]] = [
        lambda: existing(database),
        lambda: existing_or_new(database, is_empty),
    ]
    for attempt in attempts:
        with pytest.raises(CatalogueError, match=str(file)):
            attempt()
    assert content(file) == before


def test_a_server_gets_no_tables_by_the_way(postgres: Postgres) -> None:
    """Others may use it, so making or changing a catalogue there is a command of its own."""
    with postgres.database() as store, closing(Database(store.url)) as database:
        with pytest.raises(ConfigError, match="has no catalogue yet") as raised:
            existing_or_new(database, is_empty)
        assert raised.value.advice == "Run: camdl db upgrade"
        assert existing(database) is None
        with pytest.raises(CatalogueError, match="missing or empty, but the archive has images"):
            existing_or_new(database, has_images)
        assert database.state() is State.ABSENT


@pytest.mark.parametrize(
    ("revision", "told"),
    [("0000", "has the schema of an older camdl"), ("9999", "is of a newer camdl")],
)
def test_a_server_with_another_schema_is_left_alone(
    postgres: Postgres, revision: str, told: str
) -> None:
    """An older one is not upgraded by a run either."""
    with postgres.catalogue() as store, closing(Database(store.url)) as database:
        store.set_revision(revision)
        attempts: list[Callable[[], object]] = [
            lambda: existing(database),
            lambda: existing_or_new(database, is_not_asked),
        ]
        for attempt in attempts:
            with pytest.raises(ConfigError, match=told) as raised:
                attempt()
            assert raised.value.exit_code == ExitCode.CONFIG
        assert database.revision() == revision


def test_a_forgetful_one() -> None:
    """A dry run's catalogue can be asked and told everything, and each begins empty."""
    catalogue = forgetful()
    assert catalogue.newest("in_gate") is None
    catalogue.record("r1", [MISSING], NOON)
    assert len(catalogue.pending("in_gate", NOON)) == 1
    assert forgetful().pending("in_gate", NOON) == ()
