"""Databases that tests have their catalogues in. An empty one is made once, and copied."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Protocol

from camdl.catalogue import schema
from camdl.catalogue.database import Database


class Store(Protocol):
    """A database of any kind, and what tests do with it past camdl."""

    @property
    def url(self) -> str:
        """Where it is."""
        ...

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Execute `statements`, and return the last one's rows. Times are texts, and UTC."""
        ...

    def set_revision(self, revision: str) -> None:
        """Have the database say that this is its newest migration."""
        ...

    def break_it(self) -> None:
        """Let nobody use it any more."""
        ...

    def refuse_inserts(self, table: str) -> None:
        """Have every INSERT into `table` fail."""
        ...

    def lock_whole(self) -> None:
        """Be alone with the captures for a moment; fail if anybody else is at work on them."""
        ...


class SqliteStore:
    """Implements `Store` in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = f"sqlite:///{file}"
        self.name = str(file)

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Execute `statements`, and return the last one's rows."""
        return sql(self.file, "PRAGMA foreign_keys = ON", *statements)

    def set_revision(self, revision: str) -> None:
        """Have the database say that this is its newest migration."""
        set_revision(self.file, revision)

    def break_it(self) -> None:
        """Have it be no database any more."""
        self.file.write_bytes(b"this is no database " * 1000)

    def refuse_inserts(self, table: str) -> None:
        """Have every INSERT into `table` fail."""
        self.sql(f"CREATE TRIGGER t BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")

    def lock_whole(self) -> None:
        """Be alone with the captures for a moment; fail if anybody else is at work on them."""
        self.sql("PRAGMA busy_timeout = 0", "BEGIN EXCLUSIVE", "ROLLBACK")


def empty_catalogue(file: Path) -> Path:
    """Make `file` a catalogue of this version with nothing in it."""
    file.write_bytes(_content())
    return file


def sql(file: Path, *statements: str) -> list[tuple[object, ...]]:
    """Execute `statements` past camdl, and return the last one's rows."""
    with closing(sqlite3.connect(file)) as connection, connection:
        return [connection.execute(statement).fetchall() for statement in statements][-1]


def spoil(file: Path, table: str) -> None:
    """Overwrite the page where `table` begins, as a bad disk does."""
    ((page,),) = sql(file, f"SELECT rootpage FROM sqlite_master WHERE name = '{table}'")  # noqa: S608  # ours
    ((size,),) = sql(file, "PRAGMA page_size")
    assert isinstance(page, int)
    assert isinstance(size, int)
    with file.open("r+b") as opened:
        opened.seek((page - 1) * size)
        opened.write(b"\xa5" * size)


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
