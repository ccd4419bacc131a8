"""Brings a database to this version's schema. Import it late: Alembic takes time to load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from camdl import durable
from camdl.catalogue.opening import lost
from camdl.catalogue.tables import SCHEMA
from camdl.errors import CatalogueError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from camdl.catalogue.database import Database


def upgrade(database: Database) -> None:
    """Run the migrations that `database` lacks; SQLite's file and its directory are made.

    Raises:
        CatalogueError: it cannot be done; a migration that failed has changed nothing.
        ConfigError: its schema is none that this version knows.
    """
    if file := database.file:
        try:
            durable.make_directory(file.absolute().parent)
        except OSError as error:
            raise CatalogueError(f"{file.parent} cannot be made: {error.strerror}") from error
    try:
        with database.migration() as connection:
            command.upgrade(_config(connection), "head")
    except CommandError as error:
        raise ConfigError(
            f"the database {database.name} has a schema that this camdl does not know",
            advice="Use the newer camdl that made it, or correct database_url.",
        ) from error


class SqlSchema:
    """Implements `camdl.verbs.db.Schema` for `database`."""

    head = SCHEMA

    def __init__(
        self, database: Database, archive_has_images: Callable[[], bool] = lambda: False
    ) -> None:
        self._database = database
        self._archive_has_images = archive_has_images

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
            CatalogueError: it cannot be done, or there is no catalogue, but there are images.
            ConfigError: its schema is none that this version knows.
        """
        if not self._database.revision() and self._archive_has_images():
            raise lost(self._database)
        upgrade(self._database)


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "camdl.catalogue:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
