"""Which catalogue a run may work on: its own, whole, of this version; a new one only on purpose."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from camdl.catalogue.database import Database, State
from camdl.catalogue.rows import SqlCatalogue
from camdl.catalogue.tables import metadata
from camdl.errors import CatalogueError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG = logging.getLogger("camdl")


def existing(database: Database) -> SqlCatalogue | None:
    """The catalogue in `database`, or None if there is none yet.

    Raises:
        CatalogueError: it cannot be read.
        ConfigError: its schema is not this version's.
    """
    state = database.state()
    if state is State.ABSENT:
        return None
    if state is not State.CURRENT:
        raise other_schema(database, state)
    return SqlCatalogue(database)


def existing_or_new(database: Database, archive_has_images: Callable[[], bool]) -> SqlCatalogue:
    """The catalogue in `database`; SQLite's is made, or brought to this version, if need be.

    Raises:
        CatalogueError: it cannot be used, or it was lost: there is none, but there are images.
        ConfigError: its schema is not this version's.
    """
    state = database.state()
    if state is State.ABSENT and archive_has_images():
        raise lost(database)
    if database.is_sqlite and state in (State.ABSENT, State.OLDER):
        from camdl.catalogue import schema

        _LOG.info("%s the catalogue %s", _DOING[state], database.name)
        schema.upgrade(database)
    elif state is not State.CURRENT:
        raise other_schema(database, state)
    return SqlCatalogue(database)


def forgetful() -> SqlCatalogue:
    """An empty catalogue in memory, for a dry run where there is none yet."""
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    return SqlCatalogue(database)


def lost(database: Database) -> CatalogueError:
    """The error of an archive without its catalogue."""
    return CatalogueError(
        f"the catalogue {database.name} is missing or empty, but the archive has images",
        advice="Restore it from a backup, rebuild it from the files with: camdl verify --rebuild, "
        "or correct database_url.",
    )


_DOING = {State.ABSENT: "Making", State.OLDER: "Upgrading"}


def other_schema(database: Database, state: State) -> ConfigError:
    """The error of a database whose schema, as `state` tells, is not this version's."""
    if state is State.FOREIGN:
        return ConfigError(
            f"the database {database.name} is of a newer camdl, or holds no catalogue of camdl",
            advice="Use the newer camdl, or correct database_url.",
        )
    had = "has no catalogue yet" if state is State.ABSENT else "has the schema of an older camdl"
    return ConfigError(f"the database {database.name} {had}", advice="Run: camdl db upgrade")
