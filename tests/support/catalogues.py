"""SQLite catalogues in files: made once, and copied for each test."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from camdl.catalogue import schema
from camdl.catalogue.database import Database


def empty_catalogue(file: Path) -> Path:
    """Make `file` a catalogue of this version with nothing in it."""
    file.write_bytes(_content())
    return file


def sql(file: Path, *statements: str) -> list[tuple[object, ...]]:
    """Execute `statements` past camdl, and return the last one's rows."""
    with closing(sqlite3.connect(file)) as connection, connection:
        return [connection.execute(statement).fetchall() for statement in statements][-1]


def set_revision(file: Path, revision: str) -> None:
    """Have the database say that this is its newest migration."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [revision])


@cache
def _content() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "camdl.db"
        database = Database(f"sqlite:///{file}", may_create=True)
        schema.upgrade(database)
        database.close()
        return file.read_bytes()
