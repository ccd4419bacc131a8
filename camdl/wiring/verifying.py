"""What verification and backups work with."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from camdl.wiring import Bench, http_fetcher, retries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from camdl.catalogue.database import Database
    from camdl.config import Loaded
    from camdl.deadline import Deadline
    from camdl.ops.signals import Signals
    from camdl.report.verification import VerificationScreen
    from camdl.verbs.backup import Copying
    from camdl.verbs.obtaining import Ports as ObtainingPorts
    from camdl.verbs.refetching import Refetching
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
            refetch = self._refetching(database)
            yield Ports(files, SqlVerifying(database), runs, self._loaded.known, refetch)
        finally:
            database.close()

    def _refetching(self, database: Database) -> Refetching:
        """What gets lost captures again, with the limits of a download."""
        from camdl.verbs.refetching import Order, Refetching

        settings = self._settings
        order = Order(
            self._loaded.known,
            settings.max_requests_per_run,
            settings.concurrent_downloads,
            settings.batch_size,
        )
        return Refetching(order, lambda deadline: self._obtaining(database, deadline), self.now)

    @contextmanager
    def _obtaining(self, database: Database, deadline: Deadline) -> Iterator[ObtainingPorts]:
        """The adapters that get images, as long as the `with` lasts."""
        from camdl.archive.local import LocalArchive
        from camdl.catalogue.ledger import SqlLedger
        from camdl.catalogue.rows import SqlCatalogue
        from camdl.rests import Rests
        from camdl.verbs.obtaining import Ports

        settings, rests = self._settings, Rests()
        retry = retries(settings, deadline)
        with closing(http_fetcher(settings, retry, rests)) as fetcher:
            archive = LocalArchive(settings.download_dir)
            yield Ports(fetcher, archive, SqlCatalogue(database), SqlLedger(database), rests)


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
