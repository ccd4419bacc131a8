"""What verification and backups work with."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from camdl.wiring import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from camdl.config import Loaded
    from camdl.ops.signals import Signals
    from camdl.report.verification import VerificationScreen
    from camdl.verbs.backup import Copying
    from camdl.verbs.verify import Order as VerifyOrder
    from camdl.verbs.verify import Ports as VerifyPorts


def verification(
    loaded: Loaded,
    names: Sequence[str],
    *,
    full: bool,
    repair: bool,
    rebuild: bool,
    limit: int | None,
    minutes: float | None,
    megabytes_per_second: float | None,
    dry_run: bool,
    force: bool,
    wait_seconds: float,
) -> VerifyOrder:
    """What a verification is asked to do.

    Raises:
        UsageError: there is no stream of one of `names`, or the parts contradict each other.
    """
    from camdl.verbs.verify import Order

    rate = None if megabytes_per_second is None else megabytes_per_second * 1e6
    return Order(
        streams=[one.name for one in loaded.streams(names)] if names else (),
        full=full,
        repair=repair,
        rebuild=rebuild,
        limit=limit,
        minutes=minutes,
        bytes_per_second=rate,
        dry_run=dry_run,
        force=force,
        wait_seconds=wait_seconds,
        # No download lasts longer.
        patience_seconds=max(wait_seconds, loaded.settings.run_deadline_seconds + 60),
    )


class VerifyWorkshop(Bench):
    """Implements `camdl.verbs.verify.Tools` as the settings say, with `screen` to show things."""

    def __init__(self, loaded: Loaded, signals: Signals, screen: VerificationScreen) -> None:
        super().__init__(loaded, signals, "verify")
        self.tell = screen.tell
        self.show = screen.show

    def make_catalogue(self) -> None:
        """Make the catalogue if there is none.

        Raises:
            CatalogueError: it cannot be made.
        """
        from camdl.catalogue import schema
        from camdl.catalogue.database import Database, State

        database = Database(self._loaded.settings.database_url, may_create=True)
        try:
            if database.state() is State.ABSENT:
                schema.upgrade(database)
        finally:
            database.close()

    @contextmanager
    def open(self, order: VerifyOrder) -> Iterator[VerifyPorts]:
        """The adapters, as long as the `with` lasts.

        Raises:
            ConfigError: the catalogue is not this version's.
            CatalogueError: the catalogue cannot be used, or it was lost.
            StorageError: the archive cannot be used.
        """
        from camdl.archive.inspection import LocalInspection
        from camdl.archive.local import LocalArchive
        from camdl.catalogue import opening
        from camdl.catalogue.database import Database, State
        from camdl.catalogue.rows import SqlCatalogue
        from camdl.catalogue.tables import metadata
        from camdl.catalogue.verifying import SqlVerifying
        from camdl.verbs.verify import Ports

        self.begun()
        settings = self._loaded.settings
        database = Database(settings.database_url)
        try:
            if opening.existing(database) is None:
                archive = LocalArchive(settings.download_dir)
                if archive.has_images() and not order.rebuild:
                    raise opening.lost(database)
                if not database.is_sqlite and not order.rebuild:
                    raise opening.other_schema(database, State.ABSENT)
                # Nothing is archived yet, or a dry run rebuilds.
                database.close()
                database = Database("sqlite://")
                metadata.create_all(database.engine)
            files = LocalInspection(settings.download_dir)
            runs = SqlCatalogue(database)
            yield Ports(files, SqlVerifying(database), runs, self._loaded.known)
        finally:
            database.close()


@contextmanager
def backup(loaded: Loaded) -> Iterator[Copying]:
    """What copies the catalogue.

    Raises:
        ConfigError: there is no driver for such a database.
    """
    from camdl.catalogue.backup import SqliteBackup
    from camdl.catalogue.dump import PostgresBackup

    url = loaded.settings.database_url
    copying = SqliteBackup(url) if url.startswith("sqlite:") else PostgresBackup(url)
    try:
        yield copying
    finally:
        copying.close()
