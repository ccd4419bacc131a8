"""Migrations: they make what the code reads, whole or not at all, and lose nothing."""

from __future__ import annotations

import logging
import re
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, MetaData, Table, insert, inspect, select, text

from camdl.catalogue import migrations, schema
from camdl.catalogue.database import Database, State
from camdl.catalogue.keeping import SqlKeeping
from camdl.catalogue.rows import SqlCatalogue
from camdl.catalogue.tables import SCHEMA, metadata
from camdl.domain.outcomes import RunRecord
from camdl.domain.windows import Window
from camdl.errors import CatalogueError, ConfigError
from tests.support.catalogues import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alembic.config import Config
    from sqlalchemy import Connection

    from tests.support.catalogues import Store

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


@pytest.fixture
def database(blank: Store) -> Iterator[Database]:
    """A database of each kind with nothing in it; SQLite's file is not there yet."""
    with closing(Database(blank.url, may_create=True)) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test of SQLite has its catalogue."""
    return tmp_path / "data" / "camdl.db"


@pytest.fixture
def in_file(file: Path) -> Database:
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


def content(database: Database) -> dict[str, object]:
    """All tables, and all that is in them; empty where there is no file."""
    if database.file and not database.file.exists():
        return {}
    with database.transaction() as connection:
        rows = {
            name: sorted(map(repr, connection.execute(text(f"SELECT * FROM {name}"))))  # noqa: S608
            for name in inspect(connection).get_table_names()
        }
        return {"tables": described(connection), "rows": rows}


def test_the_migrations_make_the_tables_that_are_read(database: Database) -> None:
    """Alembic finds no difference, and nor does a look at everything there is to see."""
    schema.upgrade(database)
    with database.transaction() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        made = described(connection)
    with database.transaction(writes=True) as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
        assert made == described(connection)


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


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    """A file is the same, byte for byte."""
    schema.upgrade(database)
    before, in_bytes = content(database), database.file and database.file.read_bytes()
    schema.upgrade(database)
    assert (content(database), database.file and database.file.read_bytes()) == (before, in_bytes)


def test_all_the_way_back(database: Database) -> None:
    """Taking every migration back leaves no catalogue, and then it can be made again."""
    schema.upgrade(database)
    with database.migration() as connection:
        command.downgrade(schema._config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    assert database.state() is State.ABSENT
    schema.upgrade(database)
    assert database.state() is State.CURRENT


REVISIONS = [one.revision for one in ScriptDirectory.from_config(schema._config()).walk_revisions()]


def fill(connection: Connection) -> dict[Table, list[dict[str, object]]]:
    """Add rows to every table that there is, with something in every column, and return them."""
    found = MetaData()
    found.reflect(connection)
    filled = {}
    for table in found.sorted_tables:
        if table.name != "alembic_version":
            columns = [one for one in table.c if not (one.primary_key and is_number(one))]
            rows = [{one.name: value(one, number) for one in columns} for number in range(3)]
            connection.execute(insert(table), rows)
            filled[table] = rows
    return filled


def is_number(column: Column[Any]) -> bool:
    """Whether the database itself may number the rows."""
    return column.type.python_type is int


def value(column: Column[Any], number: int) -> object:
    """What the column has in the row of that number."""
    known = {
        "verb": "download",
        "outcome": "ok",
        "cause": "not_run",
        "kind": "unreachable",
        "name": "captures",
    }
    at = datetime(2025, 9, 8, 12, number, 0, 123_456)  # noqa: DTZ001  # as SQLite has it
    has_zone = getattr(column.type, "timezone", False)
    values = {
        str: known.get(column.name, f"{column.name.removeprefix('run_')}{number}"),
        int: 2**31 - 1 - number,
        float: number + 0.5,
        bool: bool(number % 2),
        date: at.date(),
        datetime: at.replace(tzinfo=UTC) if has_zone else at,
    }
    return values[column.type.python_type]


@pytest.mark.parametrize("revision", REVISIONS[1:])
def test_an_upgrade_keeps_what_an_older_version_recorded(database: Database, revision: str) -> None:
    """From each schema that there was, every value of every row; and the catalogue goes on."""
    if database.file:
        database.file.parent.mkdir()
    with database.migration() as connection:
        command.upgrade(schema._config(connection), revision)
        before = fill(connection)
    assert database.state() is State.OLDER
    schema.upgrade(database)
    assert database.state() is State.CURRENT
    with database.transaction() as connection:
        for table, rows in before.items():
            columns = [table.c[name] for name in rows[0]]
            found = [row._asdict() for row in connection.execute(select(*columns))]
            assert sorted(map(str, found)) == sorted(map(str, rows)), table.name
    catalogue, now = SqlCatalogue(database), datetime(2026, 1, 1, tzinfo=UTC)
    assert len(catalogue.last_runs("download", 9)) == 3
    assert catalogue.newest("stream1") == datetime(2025, 9, 8, 12, 1, 0, 123_456, tzinfo=UTC)
    catalogue.begin_run("next", "download", now)
    catalogue.finish_run(RunRecord("next", "download", now, now))
    SqlKeeping(database).pin("stream0", Window(now, now + timedelta(days=1)), "", now)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("op.execute('SELECT * FROM missing')", CatalogueError),
        ("raise ZeroDivisionError", ZeroDivisionError),
    ],
)
def test_a_migration_that_fails_leaves_everything_as_it_was(
    database: Database,
    add_migration: Callable[..., None],
    *,
    there: bool,
    fault: str,
    error: type[Exception],
) -> None:
    """What it and those before it had changed by then is taken back."""
    if there:
        schema.upgrade(database)
        SqlCatalogue(database).begin_run("r1", "download", datetime(2025, 9, 8, tzinfo=UTC))
    before, in_bytes = content(database), there and database.file and database.file.read_bytes()
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
        assert content(database) == before
        assert (database.file and database.file.read_bytes()) == in_bytes
    else:
        assert content(database) in ({}, {"tables": {}, "rows": {}})


def test_a_table_can_be_changed_although_others_refer_to_it(
    file: Path, in_file: Database, add_migration: Callable[..., None]
) -> None:
    """SQLite's way to change a table is to drop it: what refers to its rows stays."""
    schema.upgrade(in_file)
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
    assert in_file.state() is State.OLDER
    schema.upgrade(in_file)
    assert in_file.state() is State.CURRENT
    assert sql(file, "SELECT id, verb FROM runs") == [("r1", "download")]
    assert sql(file, "SELECT run_id, stream FROM stream_results") == [("r1", "in_gate")]
    with in_file.transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_an_older_catalogue_is_summed_up(blank: Store, database: Database) -> None:
    """The sums that are kept from then on begin with what is archived, by stream."""
    schema.upgrade(database)
    with database.migration() as connection:
        command.downgrade(schema._config(connection), "0002")
    capture = (
        "INSERT INTO captures VALUES ('{}', '{}', 'k', 's', {}, 1, 1, 'u', '2025-09-08', 'r', NULL)"
    )
    blank.sql(
        capture.format("in_gate", "2025-09-08 12:00:00.000000", 2**40),
        capture.format("in_gate", "2025-09-08 12:10:00.000000", 1),
        capture.format("out_gate", "2025-09-08 12:00:00.000000", 7),
    )
    schema.upgrade(database)
    assert blank.sql("SELECT * FROM totals ORDER BY name, subject") == [
        ("bytes", "in_gate", "", 2**40 + 1),
        ("bytes", "out_gate", "", 7),
        ("captures", "in_gate", "", 2),
        ("captures", "out_gate", "", 1),
    ]


@pytest.mark.parametrize("revision", ["9999", "0000", "b1946ac92492"])
def test_a_schema_that_is_unknown_is_left_alone(
    blank: Store, database: Database, revision: str
) -> None:
    """That of a newer camdl, and what is none of ours, is a fault that names the database."""
    schema.upgrade(database)
    blank.set_revision(revision)
    before = content(database)
    told = re.escape(f"{blank.name} has a schema that this camdl does not know")
    with pytest.raises(ConfigError, match=told):
        schema.upgrade(database)
    assert content(database) == before


def test_a_locked_database_is_not_upgraded(
    file: Path,
    in_file: Database,
    add_migration: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While another connection writes, the schema stays as it is."""
    monkeypatch.setattr("camdl.catalogue.database._BUSY_SECONDS", 0.05)
    schema.upgrade(in_file)
    add_migration("op.execute('DROP TABLE pending')")
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogueError, match="database is locked"):
            schema.upgrade(in_file)
    assert sql(file, "SELECT count(*) FROM pending") == [(0,)]
    assert in_file.state() is State.OLDER


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """A file in its place is told, and stays."""
    (tmp_path / "data").touch()
    database = Database(f"sqlite:///{tmp_path}/data/deep/camdl.db", may_create=True)
    with pytest.raises(CatalogueError, match=r"data/deep cannot be made: (File exists|Not a dir)"):
        schema.upgrade(database)
    assert (tmp_path / "data").is_file()


def test_what_is_told_of_a_schema(blank: Store, database: Database) -> None:
    """Its name, what this version needs, and what it has before and after."""
    told = schema.SqlSchema(database)
    assert (told.name, told.head, told.revision()) == (blank.name, SCHEMA, "")
    told.upgrade()
    assert told.revision() == SCHEMA


def test_somebody_elses_database_is_told(blank: Store, database: Database) -> None:
    """It has no revision, and is not upgraded."""
    if database.file:
        database.file.parent.mkdir()
    blank.sql("CREATE TABLE x (y int)")
    with pytest.raises(CatalogueError, match="holds something else than a catalogue"):
        schema.SqlSchema(database).revision()
