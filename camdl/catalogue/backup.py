"""A consistent copy of a SQLite catalogue while runs go on."""

from __future__ import annotations

import sqlite3
import stat
import time
from contextlib import closing
from typing import TYPE_CHECKING

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
# The primary codes of SQLite's faults that are the copy's disk's, not the catalogue's.
_OF_THE_DISK = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})


class SqliteBackup:
    """Implements `camdl.verbs.backup.Copying` for the SQLite database at `url`."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    @property
    def name(self) -> str:
        """What to call the database."""
        return self._database.name

    @property
    def file(self) -> Path | None:
        """Its file."""
        return self._database.file

    def refuse(self, target: Path) -> None:  # noqa: ARG002  # any file will do
        """Make sure that there is a catalogue.

        Raises:
            ConfigError: it is no catalogue of camdl.
            CatalogueError: there is none, or it cannot be read.
        """
        refuse_what_is_none(self._database)

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


def refuse_what_is_none(database: Database) -> None:
    """Make sure that there is a catalogue in `database`, of this version or an older one.

    Raises:
        ConfigError: it is a newer camdl's, or none of camdl's.
        CatalogueError: there is none, or it cannot be read.
    """
    state = database.state()
    if state is State.ABSENT:
        raise CatalogueError(
            f"there is no catalogue in {database.name}", advice="Correct database_url."
        )
    if state is State.FOREIGN:
        raise ConfigError(
            f"the database {database.name} is of a newer camdl, or holds no catalogue of camdl",
            advice="Use the newer camdl, or correct database_url.",
        )


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
