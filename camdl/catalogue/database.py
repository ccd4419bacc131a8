"""The database behind the catalogue: how it is opened, and what its errors mean."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.pool import NullPool, StaticPool

from camdl.catalogue.tables import SCHEMA
from camdl.domain.text import one_line
from camdl.errors import CatalogueError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, Engine

    from camdl.catalogue.postgres import Server

VERSION_TABLE = "alembic_version"

# A writer that is not camdl (a backup, a person's shell) may hold the database for a moment.
_BUSY_SECONDS = 5.0

# Files that SQLite found damaged in this process, as they were then, and what it said: nothing is
# written there any more, by whomever, as it could only make worse what may be saved yet.
_DAMAGED: dict[Path, tuple[tuple[int, int, int], str]] = {}
_SIGNS_OF_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_RESTORE = (
    "Keep a copy of the file, then restore it from a backup; without one, move it away and rebuild "
    "it from the images with: camdl verify --rebuild"
)


class State(Enum):
    """What a database holds."""

    ABSENT = auto()  # no catalogue: no file, an empty one, or no tables in it
    OLDER = auto()
    CURRENT = auto()
    FOREIGN = auto()  # a newer camdl's, or nothing of ours


class Database:
    """The database at `url`, opened when it is first used. Close it when done.

    With SQLite a file is only ever made when `may_create` is set: opening one that is not there
    would silently begin an empty catalogue.
    """

    def __init__(self, url: str, *, may_create: bool = False) -> None:
        """Prepare to open it.

        Raises:
            ConfigError: it is no URL of a database, or there is no driver for it.
        """
        self._url = understood(url)
        self._may_create = may_create
        self._may_be_written = False
        self._server = self._make_server()
        self._engine = self._make_engine()

    @property
    def name(self) -> str:
        """What messages call it: the file, or the URL without its password and parameters."""
        if self.is_sqlite:
            return self._url.database or "in memory"
        plain = self._url.set(drivername=self._url.get_backend_name(), query={})
        return plain.render_as_string(hide_password=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file on this machine that camdl may make and change by itself."""
        return self._url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path | None:
        """SQLite's file; None for a server, and for a database in memory."""
        return Path(self._url.database) if self.is_sqlite and self._url.database else None

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine."""
        return self._engine

    @contextmanager
    def transaction(self, *, writes: bool = False, thorough: bool = False) -> Iterator[Connection]:
        """A connection in a transaction that is committed at the end of the `with`.

        Only one that `writes` may change anything, and at most one at a time does. A server has
        minutes for what is `thorough` and looks at every row, else seconds.

        Raises:
            CatalogueError: the database cannot be used; nothing of the transaction is kept.
        """
        if writes:
            self._refuse_to_make_worse()
        engine = self._engine.execution_options(writes=writes)
        with self.errors_told(), engine.begin() as connection:
            if self._server:
                self._server.begin(connection, writes=writes, thorough=thorough)
            elif writes:
                self._look_before_the_first_write(connection)
            yield connection

    @contextmanager
    def migration(self) -> Iterator[Connection]:
        """As `transaction`, for changes of the schema; of several at once, one after the other.

        To change a table of SQLite's, Alembic makes a new one and drops the old: rows that refer
        to those of the old would go with them.

        Raises:
            ConfigError: this is no database that a catalogue could be kept in.
        """
        self._refuse_to_make_worse()
        with self.errors_told(), self._engine.connect() as connection:
            if self.is_sqlite:  # and inside a transaction it would do nothing
                connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
            with connection.begin():
                if self._server:
                    self._server.begin_migration(connection, self.name)
                yield connection

    @contextmanager
    def errors_told(self) -> Iterator[None]:
        """Turn the errors of the libraries inside the `with` into one.

        Raises:
            CatalogueError: there was one.
            TypeError: it was a time without a zone, which is no fault of the database.
        """
        try:
            yield
        except SQLAlchemyError as error:
            if isinstance(error, StatementError) and isinstance(error.orig, TypeError):
                raise error.orig from error
            said = f"the catalogue {self.name}: {self._reason(error)}"
            if not _is_damage(error):
                raise CatalogueError(said) from error
            self._note_damage(said)
            raise CatalogueError(said, advice=_RESTORE) from error
        except UnicodeDecodeError as error:  # in a message that quotes what is damaged
            raise self.damaged(error) from error

    def damaged(self, error: Exception) -> CatalogueError:
        """What to raise when it holds what camdl never wrote, by which `error` came about."""
        return CatalogueError(
            f"the catalogue {self.name} is damaged: {one_line(str(error))}",
            advice=_RESTORE,
        )

    def _look_before_the_first_write(self, connection: Connection) -> None:
        """Read the end of each table, where rows are added, so that damage there is met before."""
        if self._may_be_written:
            return
        named = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        ends = [f'SELECT max(rowid) FROM "{name}"' for (name,) in named]  # noqa: S608  # its names
        if ends:
            connection.exec_driver_sql(" UNION ALL ".join(ends)).all()
        self._may_be_written = True

    def _note_damage(self, said: str) -> None:
        if self.file and (look := _look(self.file)):
            _DAMAGED[self.file.absolute()] = look, said

    def _refuse_to_make_worse(self) -> None:
        """Let nothing be written where damage was found, unless it is another file by now.

        Raises:
            CatalogueError: damage was found.
        """
        if self.file is None:
            return
        found = _DAMAGED.get(self.file.absolute())
        if found and found[0] == _look(self.file):
            raise CatalogueError(found[1], advice=_RESTORE)

    def state(self) -> State:
        """What it holds.

        Raises:
            CatalogueError: it cannot be read.
        """
        revision = self.revision()
        if revision is None:
            return State.FOREIGN
        if not revision:
            return State.ABSENT
        if revision == SCHEMA:
            return State.CURRENT
        # Ours are numbered; other programs that use Alembic have hexadecimal ones.
        older = revision.isdecimal() and revision < SCHEMA
        return State.OLDER if older else State.FOREIGN

    def revision(self) -> str | None:
        """The number of the newest migration it has had; empty for none, None if it is not ours.

        Raises:
            CatalogueError: it cannot be read.
        """
        if self.file and not _has_content(self.file):
            return ""
        with self.transaction() as connection:
            tables = set(inspect(connection).get_table_names())
            if VERSION_TABLE in tables:
                query = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608  # a constant
                if revision := connection.execute(query).scalar():
                    return str(revision)
            return None if tables - {VERSION_TABLE} else ""

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    def _make_server(self) -> Server | None:
        """What is spoken to; none for SQLite.

        Raises:
            ConfigError: there is no driver for it.
        """
        if self.is_sqlite:
            return None
        if self._url.get_backend_name() != "postgresql":
            raise ConfigError(
                f"camdl keeps no catalogue in {self.name}",
                advice="Use SQLite, such as sqlite:///data/camdl.db, or PostgreSQL.",
            )
        try:
            from camdl.catalogue.postgres import Server
        except ImportError as error:
            raise ConfigError(
                f"there is no driver here for {self.name}: {one_line(str(error))}",
                advice="Install it with: pip install 'camdl[postgres]'",
            ) from error
        return Server(self._url)

    def _make_engine(self) -> Engine:
        if self._server:
            return self._server.engine()
        pool = NullPool if self.file else StaticPool
        engine = create_engine("sqlite://", creator=self._connect, poolclass=pool)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine

    def _reason(self, error: SQLAlchemyError) -> str:
        """What the database said, without the statement and its values."""
        original: Any = error.orig if isinstance(error, DBAPIError) else error
        said = str(original)
        if self._server:
            said = self._server.without_secrets(said)
        return one_line(said) or type(original).__name__

    def _connect(self) -> sqlite3.Connection:
        if self.file is None:
            return sqlite3.connect(":memory:")
        mode = "rwc" if self._may_create else "rw"
        uri = f"{self.file.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(uri, timeout=_BUSY_SECONDS, uri=True)


def understood(url: str) -> URL:
    """The parts of `url`.

    Raises:
        ConfigError: it is no URL of a database, or it does not say what of it is a password.
    """
    with suppress(ArgumentError, ValueError):
        found = make_url(url)
        is_file = found.get_backend_name() == "sqlite"
        # An @ in a password ends it for some: they take the rest for a part of the host.
        if is_file or "@" not in f"{found.host}{found.database}":
            return found
    # The cause may quote a part of the URL, and so a password.
    raise ConfigError(
        "database_url cannot be understood",
        advice="It looks like sqlite:///data/camdl.db, or postgresql://user@host/name; "
        "in a password, characters such as @ / : % are written %40 %2F %3A %25.",
    )


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    # The driver would begin transactions by itself, and not before DDL.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # FULL would not sync the removal of the journal, by which a transaction is committed: after a
    # power failure the journal could be back, and what was committed gone.
    connection.execute("PRAGMA synchronous = EXTRA")


def _begin(connection: Connection) -> None:
    # Who reads first and then writes cannot wait for another writer any more.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _is_damage(error: SQLAlchemyError) -> bool:
    """Whether SQLite says that its file is not what it wrote."""
    code = getattr(error.orig, "sqlite_errorcode", 0) if isinstance(error, DBAPIError) else 0
    return code & 0xFF in _SIGNS_OF_DAMAGE


def _look(file: Path) -> tuple[int, int, int] | None:
    """What changes when somebody restores `file`; None if it cannot be told."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _has_content(file: Path) -> bool:
    """Whether there is more than an empty file, which SQLite would take for a new database."""
    try:
        return file.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise CatalogueError(f"the catalogue {file}: {error.strerror}") from error
