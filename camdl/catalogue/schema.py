"""Brings a database to this version's schema. Import it late: Alembic takes time to load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config

from camdl import durable
from camdl.catalogue.tables import SCHEMA
from camdl.errors import CatalogueError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from camdl.catalogue.database import Database


def upgrade(database: Database) -> None:
    """Run the migrations that `database` lacks; SQLite's file and its directory are made.

    Raises:
        CatalogueError: it cannot be done; a migration that failed has changed nothing.
    """
    if file := database.file:
        try:
            durable.make_directory(file.absolute().parent)
        except OSError as error:
            raise CatalogueError(f"{file.parent} cannot be made: {error.strerror}") from error
    with database.transaction() as connection:
        command.upgrade(_config(connection), "head")


class SqlSchema:
    """Implements `camdl.verbs.db.Schema` for `database`."""

    head = SCHEMA

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def name(self) -> str:
        """What to call the database."""
        return self._database.name

    def revision(self) -> str:
        """The revision that the database has; empty if it has none.

        Raises:
            CatalogueError: it cannot be read, or it holds something else.
        """
        revision = self._database.revision()
        if revision is None:
            raise CatalogueError(
                f"the database {self.name} holds something else than a catalogue",
                advice="Correct database_url.",
            )
        return revision

    def upgrade(self) -> None:
        """Run the migrations that it lacks.

        Raises:
            CatalogueError: it cannot be done.
        """
        upgrade(self._database)


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "camdl.catalogue:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
