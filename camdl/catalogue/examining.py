"""Whether the catalogue can be reached, is of this version, can be written, and is whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import insert

from camdl.catalogue import opening
from camdl.catalogue.database import Database, State
from camdl.catalogue.tables import SCHEMA, rests
from camdl.domain.examination import Grade, bad, fine, note
from camdl.domain.text import one_line
from camdl.errors import CatalogueError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from camdl.deadline import Deadline
    from camdl.domain.examination import Finding

_PROBE = {"origin": "http://doctor.invalid:80", "until": datetime(2000, 1, 1, tzinfo=UTC)}
# How many steps SQLite makes before it asks whether to go on: less than a millisecond.
_STEPS = 1000


def examine(
    database: Database, archive_has_images: Callable[[], bool], deadline: Deadline
) -> Iterator[Finding]:
    """Look at all of it. Nothing is changed: what is written to try it out is taken back.

    Raises:
        CatalogueError: it cannot be used, or it was lost.
        ConfigError: its schema is not one that this version can work with.
    """
    state = database.state()
    if state is State.ABSENT:
        yield _absent(database, archive_has_images)
        return
    if state is State.OLDER and database.is_sqlite:
        told = f"{database.name}: schema {database.revision()}, which the next run upgrades"
        yield note(f"{told} to {SCHEMA}", "camdl db upgrade")
        return
    opening.existing(database)
    yield fine(f"{database.name}{_size(database)}: schema {SCHEMA}, which is this version's")
    integrity = _integrity(database, deadline) if database.is_sqlite else None
    # Nothing is written, not even to take it back, into a file that is damaged.
    if integrity is None or integrity.grade is not Grade.BAD:
        _write(database)
        yield fine("it can be written")
    if integrity is not None:
        yield integrity


def _absent(database: Database, archive_has_images: Callable[[], bool]) -> Finding:
    if archive_has_images():
        raise opening.lost(database)
    if database.is_sqlite:
        return fine(f"{database.name}: there is none yet; the first run makes it")
    return bad(f"{database.name}: there are no tables in it yet", "camdl db upgrade")


def _size(database: Database) -> str:
    try:
        return f" ({database.file.stat().st_size / 1e6:.1f} MB)" if database.file else ""
    except OSError:
        return ""


class _NotMeantError(Exception):
    """Ends a transaction such that nothing of it is kept."""


def _write(database: Database) -> None:
    """Write a row as a run does, and take it back.

    Raises:
        CatalogueError: it cannot be written.
    """
    try:
        with database.transaction(writes=True) as connection:
            connection.execute(insert(rests).values(_PROBE))
            raise _NotMeantError  # noqa: TRY301  # the way to have it rolled back
    except _NotMeantError:
        return


def _integrity(database: Database, deadline: Deadline) -> Finding:
    """Have SQLite look through its file, as far as it comes before `deadline`."""
    try:
        with database.errors_told(), database.engine.connect() as connection:
            driver: sqlite3.Connection | None = connection.connection.driver_connection
            if driver is not None:
                driver.set_progress_handler(deadline.passed, _STEPS)
            found = list(connection.exec_driver_sql("PRAGMA quick_check(1)").scalars())
    except CatalogueError:
        if not deadline.passed():
            raise
        return note(
            "it is too large to be checked for damage here",
            f"camdl db backup /tmp/{database.file.name if database.file else 'copy'}, which "
            "checks its copy",
        )
    if found == ["ok"]:
        return fine("its file is whole")
    told = one_line(str(found[0]) if found else "no answer")
    return bad(
        f"its file is damaged: {told}", "Restore it from a backup, or: camdl verify --rebuild"
    )
