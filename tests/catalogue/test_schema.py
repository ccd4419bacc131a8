"""Migrations: they make what the code reads, whole or not at all, and lose nothing."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from camdl.catalogue import migrations, schema
from camdl.catalogue.database import Database, State
from camdl.catalogue.tables import SCHEMA, metadata
from camdl.errors import CatalogueError, ConfigError
from tests.support.catalogues import empty_catalogue, set_revision, sql

if TYPE_CHECKING:
    from collections.abc import Callable

    from alembic.config import Config
    from sqlalchemy import Connection

HEADER = """
import sqlalchemy as sa
from alembic import op
revision = "9000"
down_revision = "{before}"
branch_labels = None
depends_on = None
def downgrade():
    pass
def upgrade():
"""
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test has its catalogue."""
    return tmp_path / "data" / "camdl.db"


@pytest.fixture
def database(file: Path) -> Database:
    """The database in `file`, which is not there yet."""
    return Database(f"sqlite:///{file}", may_create=True)


@pytest.fixture
def add_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have a later version of camdl, which has one more migration that does this."""
    versions = tmp_path / "migrations" / "versions"

    def add(*body: str) -> None:
        shutil.copytree(Path(next(iter(migrations.__path__))), versions.parent)
        lines = [f"    {line}" for line in body]
        text = "\n".join([HEADER.format(before=SCHEMA), *lines, ""])
        (versions / "9000_more.py").write_text(text)
        config_of = schema._config

        def config(connection: Connection | None = None) -> Config:
            made = config_of(connection)
            made.set_main_option("script_location", str(versions.parent))
            return made

        monkeypatch.setattr(schema, "_config", config)
        monkeypatch.setattr("camdl.catalogue.database.SCHEMA", "9000")

    return add


def described(connection: Connection) -> dict[str, object]:
    """All that can be seen of the tables, but the one that says which migration was the last."""
    seen = inspect(connection)
    return {
        table: (
            [{**column, "type": str(column["type"])} for column in seen.get_columns(table)],
            seen.get_pk_constraint(table),
            seen.get_foreign_keys(table),
            sorted(seen.get_indexes(table), key=lambda index: str(index["name"])),
            seen.get_unique_constraints(table),
            seen.get_check_constraints(table),
        )
        for table in seen.get_table_names()
        if table != "alembic_version"
    }


def test_the_migrations_make_the_tables_that_are_read(database: Database) -> None:
    """Alembic finds no difference, and nor does a look at everything there is to see."""
    schema.upgrade(database)
    with database.transaction() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        made = described(connection)
    meant = Database("sqlite://")
    with meant.transaction() as connection:
        metadata.create_all(connection)
        assert made == described(connection)
    meant.close()


def test_the_newest_migration_is_this_versions_schema() -> None:
    """There is one line of migrations, numbered, and the code knows where it ends."""
    scripts = ScriptDirectory.from_config(schema._config())
    assert scripts.get_heads() == [SCHEMA]
    numbers = [script.revision for script in scripts.walk_revisions()][::-1]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_a_new_catalogue_is_made(
    database: Database, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """With its directory, in silence."""
    with caplog.at_level(logging.WARNING):
        schema.upgrade(database)
    assert database.state() is State.CURRENT
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_a_second_upgrade_changes_nothing(file: Path, database: Database) -> None:
    """The file is the same, byte for byte."""
    schema.upgrade(database)
    before = file.read_bytes()
    schema.upgrade(database)
    assert file.read_bytes() == before


def test_all_the_way_back(file: Path, database: Database) -> None:
    """Taking every migration back leaves no catalogue, and then it can be made again."""
    schema.upgrade(database)
    with database.migration() as connection:
        command.downgrade(schema._config(connection), "base")
    assert sql(file, TABLES) == [("alembic_version",)]
    assert database.state() is State.ABSENT
    schema.upgrade(database)
    assert database.state() is State.CURRENT


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("op.execute('SELECT * FROM missing')", CatalogueError),
        ("raise ZeroDivisionError", ZeroDivisionError),
    ],
)
def test_a_migration_that_fails_leaves_everything_as_it_was(
    file: Path,
    database: Database,
    add_migration: Callable[..., None],
    *,
    there: bool,
    fault: str,
    error: type[Exception],
) -> None:
    """What it and those before it had changed by then is taken back."""
    file.parent.mkdir()
    if there:
        empty_catalogue(file)
        sql(file, "INSERT INTO runs (id, verb, started_at, error) VALUES ('r1', 'x', '2025', '')")
    before = file.read_bytes() if there else None
    add_migration(
        "op.create_table('more', sa.Column('id', sa.Integer(), primary_key=True))",
        "op.execute('DELETE FROM runs')",
        "op.execute('DROP TABLE pending')",
        fault,
    )
    with pytest.raises(error):
        schema.upgrade(database)
    assert database.state() is (State.OLDER if there else State.ABSENT)
    if there:
        assert file.read_bytes() == before
    else:
        assert sql(file, TABLES) == []


def test_a_table_can_be_changed_although_others_refer_to_it(
    file: Path, database: Database, add_migration: Callable[..., None]
) -> None:
    """SQLite's way to change a table is to drop it: what refers to its rows stays."""
    schema.upgrade(database)
    sql(
        file,
        "INSERT INTO runs VALUES ('r1', 'download', '2025-09-08', NULL, NULL, NULL, '', NULL)",
        "INSERT INTO stream_results VALUES "
        "('r1', 'in_gate', 'ok', 0, 0, 0, 0, 0, 0, NULL, 1.5, '', 0, 0, 0, 0)",
    )
    add_migration(
        "with op.batch_alter_table('runs') as batch:",
        "    batch.alter_column('verb', type_=sa.String(40), existing_nullable=False)",
    )
    assert database.state() is State.OLDER
    schema.upgrade(database)
    assert database.state() is State.CURRENT
    assert sql(file, "SELECT id, verb FROM runs") == [("r1", "download")]
    assert sql(file, "SELECT run_id, stream FROM stream_results") == [("r1", "in_gate")]
    with database.transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_an_older_catalogue_is_summed_up(file: Path, database: Database) -> None:
    """The sums that are kept from then on begin with what is archived, by stream."""
    schema.upgrade(database)
    with database.migration() as connection:
        command.downgrade(schema._config(connection), "0002")
    capture = "INSERT INTO captures VALUES ('{}', '{}', 'k', 's', {}, 1, 1, 'u', '2025', 'r', NULL)"
    sql(
        file,
        capture.format("in_gate", "2025-09-08 12:00:00.000000", 2**40),
        capture.format("in_gate", "2025-09-08 12:10:00.000000", 1),
        capture.format("out_gate", "2025-09-08 12:00:00.000000", 7),
    )
    schema.upgrade(database)
    assert sql(file, "SELECT * FROM totals ORDER BY name, subject") == [
        ("bytes", "in_gate", "", 2**40 + 1),
        ("bytes", "out_gate", "", 7),
        ("captures", "in_gate", "", 2),
        ("captures", "out_gate", "", 1),
    ]


@pytest.mark.parametrize("revision", ["9999", "0000", "b1946ac92492"])
def test_a_schema_that_is_unknown_is_left_alone(
    file: Path, database: Database, revision: str
) -> None:
    """That of a newer camdl, and what is none of ours, is a fault that names the database."""
    file.parent.mkdir()
    set_revision(empty_catalogue(file), revision)
    before = file.read_bytes()
    with pytest.raises(ConfigError, match=f"{file} has a schema that this camdl does not know"):
        schema.upgrade(database)
    assert file.read_bytes() == before


def test_a_locked_database_is_not_upgraded(
    file: Path,
    database: Database,
    add_migration: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While another connection writes, the schema stays as it is."""
    monkeypatch.setattr("camdl.catalogue.database._BUSY_SECONDS", 0.05)
    schema.upgrade(database)
    add_migration("op.execute('DROP TABLE pending')")
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogueError, match="database is locked"):
            schema.upgrade(database)
    assert ("pending",) in sql(file, TABLES)
    assert database.state() is State.OLDER


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """A file in its place is told, and stays."""
    (tmp_path / "data").touch()
    database = Database(f"sqlite:///{tmp_path}/data/deep/camdl.db", may_create=True)
    with pytest.raises(CatalogueError, match=r"data/deep cannot be made: (File exists|Not a dir)"):
        schema.upgrade(database)
    assert (tmp_path / "data").is_file()


def test_what_is_told_of_a_schema(file: Path, database: Database) -> None:
    """Its name, what this version needs, and what it has before and after."""
    told = schema.SqlSchema(database)
    assert (told.name, told.head, told.revision()) == (str(file), SCHEMA, "")
    told.upgrade()
    assert told.revision() == SCHEMA


def test_somebody_elses_database_is_told(file: Path, database: Database) -> None:
    """It has no revision, and is not upgraded."""
    file.parent.mkdir()
    sql(file, "CREATE TABLE x (y)")
    with pytest.raises(CatalogueError, match="holds something else than a catalogue"):
        schema.SqlSchema(database).revision()
