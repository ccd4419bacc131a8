"""A consistent copy of the catalogue while runs go on."""

from __future__ import annotations

import shlex
import sqlite3
import stat
import time
from contextlib import closing
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from camdl.catalogue.database import Database, State
from camdl.domain.text import one_line
from camdl.errors import CatalogueError, ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# A page is 4 kB. Between two steps others can write; when they have, the copy begins anew.
_STEP_PAGES = 1000
_STEP_SLEEP_SECONDS = 0.01
_FRESH_STARTS = 3
_PATIENCE_SECONDS = 60.0
# What of a PostgreSQL URL a command line may show, and needs.
_HARMLESS = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "user"})
# The primary codes of SQLite's faults that are the copy's disk's, not the catalogue's.
_OF_THE_DISK = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})


class SqlBackup:
    """Implements `camdl.verbs.backup.Copying` for the database at `url`."""

    def __init__(self, url: str) -> None:
        """Prepare to copy it.

        Raises:
            ConfigError: there is no driver for such a URL.
        """
        self._url = make_url(url)
        self._is_sqlite = self._url.get_backend_name() == "sqlite"
        # A server's needs no driver here to be left to its own tool.
        self._database = Database(url if self._is_sqlite else "sqlite://")

    @property
    def name(self) -> str:
        """What to call the database."""
        if self._is_sqlite:
            return self._database.name
        return self._url.set(query={}).render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """Its file; None for one that has none."""
        return self._database.file

    def refuse(self, target: Path) -> None:
        """Make sure that there is a catalogue, and one that is copied this way.

        Raises:
            ConfigError: another program copies such a database, or it is no catalogue of camdl.
            CatalogueError: there is none, or it cannot be read.
        """
        if not self._is_sqlite:
            raise ConfigError(
                f"{self.name} is copied by PostgreSQL's own tool",
                advice=f"Run: {self._dump_command(target)}",
            )
        state = self._database.state()
        if state is State.ABSENT:
            raise CatalogueError(
                f"there is no catalogue in {self.name}", advice="Correct database_url."
            )
        if state is State.FOREIGN:
            raise ConfigError(
                f"the database {self.name} is of a newer camdl, or holds no catalogue of camdl",
                advice="Use the newer camdl, or correct database_url.",
            )

    def copy(self, target: Path) -> int:
        """Write a copy into the empty file `target`, check it, and say how many captures it has.

        It is the catalogue as it was at one moment, whatever is written to it meanwhile.

        Raises:
            CatalogueError: the catalogue cannot be read, or is not sound.
            StorageError: the copy cannot be written.
        """
        assert self.file  # noqa: S101  # `refuse` has passed
        try:
            _copy(self.file, target)
            with closing(sqlite3.connect(target)) as copy:
                _check(copy, self.name)
                captures = copy.execute("SELECT count(*) FROM captures").fetchone()[0]
            # It tells no more people than the catalogue does.
            target.chmod(stat.S_IMODE(self.file.stat().st_mode))
        except sqlite3.Error as error:
            raise self._told(error, target) from error
        except OSError as error:
            raise StorageError(f"{target} cannot be used: {error.strerror}") from error
        return int(captures)

    def close(self) -> None:
        """Close its connections."""
        self._database.close()

    def _told(self, error: sqlite3.Error, target: Path) -> CatalogueError | StorageError:
        said = one_line(str(error))
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _OF_THE_DISK:
            return StorageError(f"{self.name} cannot be copied to {target.parent}: {said}")
        return CatalogueError(f"the catalogue {self.name}: {said}")

    def _dump_command(self, target: Path) -> str:
        query = {name: value for name, value in self._url.query.items() if name in _HARMLESS}
        url = self._url.set(drivername="postgresql", query=query)
        shown = url._replace(password=None).render_as_string(hide_password=False)
        return shlex.join(["pg_dump", "--format=custom", f"--file={target}", shown])


def _copy(file: Path, target: Path) -> None:
    """In steps, so that nobody waits for it; but where others write all the time, in one.

    Raises:
        CatalogueError: somebody keeps it locked.
    """
    watch = _Watch()
    try:
        _copy_pages(file, target, _STEP_PAGES, watch.step)
    except _RestlessError:
        target.write_bytes(b"")
        _copy_pages(file, target, -1, watch.wait)


def _copy_pages(
    file: Path, target: Path, pages: int, watch: Callable[[int, int, int], None]
) -> None:
    uri = f"{file.absolute().as_uri()}?mode=rw"
    with (
        closing(sqlite3.connect(uri, uri=True, timeout=0)) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        # It has no name yet: what a crash leaves of it is thrown away, so it needs no journal.
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        source.backup(copy, pages=pages, progress=watch, sleep=_STEP_SLEEP_SECONDS)


class _RestlessError(Exception):
    """The catalogue is written to faster than it is copied in steps."""


class _Watch:
    """Notices that a copy has begun anew, and that it waits for a lock for too long."""

    def __init__(self) -> None:
        self._deadline = time.monotonic() + _PATIENCE_SECONDS
        self._remaining: int | None = None
        self._fresh_starts = 0

    def step(self, status: int, remaining: int, total: int) -> None:
        """Called after each step, with the pages that are left."""
        if self._remaining is not None and remaining > self._remaining:
            self._fresh_starts += 1
            if self._fresh_starts >= _FRESH_STARTS:
                raise _RestlessError
        self._remaining = remaining
        self.wait(status, remaining, total)

    def wait(self, status: int, _remaining: int, _total: int) -> None:
        """Called where the copy may have to wait.

        Raises:
            CatalogueError: it has waited for too long.
        """
        if status not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return
        if time.monotonic() > self._deadline:
            raise CatalogueError("the catalogue is locked by another program all the time")


def _check(copy: sqlite3.Connection, name: str) -> None:
    """Read all of the copy.

    Raises:
        CatalogueError: it is not sound, and so the catalogue itself is not.
    """
    said = [str(row[0]) for row in copy.execute("PRAGMA integrity_check(1)")]
    if said != ["ok"]:
        raise CatalogueError(
            f"the catalogue {name} is damaged: {one_line(' '.join(said))}",
            advice="Restore an older backup, or rebuild it from the files: camdl verify --rebuild",
        )
