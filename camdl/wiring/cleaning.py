"""What clean-up and pins work with."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from camdl.wiring import Bench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from camdl.catalogue.keeping import SqlKeeping
    from camdl.config import Loaded
    from camdl.domain.retention import Holding, Room
    from camdl.ops.signals import Signals
    from camdl.verbs.cleanup import Order as CleanupOrder
    from camdl.verbs.cleanup import Ports as CleanupPorts


def cleanup_order(
    loaded: Loaded,
    names: Sequence[str],
    *,
    days: int | None,
    min_free: float | None,
    dry_run: bool,
    force: bool,
    wait_seconds: float,
) -> CleanupOrder:
    """What a clean-up is asked to do.

    Raises:
        UsageError: there is no stream of one of `names`.
    """
    from camdl.verbs.cleanup import Order

    settings = loaded.settings
    return Order(
        keep=timedelta(days=settings.retention_days if days is None else days),
        min_free_percent=min_free,
        streams=tuple(stream.name for stream in loaded.streams(names)) if names else (),
        dry_run=dry_run,
        force=force,
        wait_seconds=wait_seconds,
        keep_runs=timedelta(days=settings.keep_runs_days),
        keep_pending=timedelta(days=settings.keep_pending_days),
        keep_gaps=timedelta(days=settings.keep_gaps_days),
        keep_diagnostics=timedelta(days=settings.keep_diagnostics_days),
    )


class CleanupWorkshop(Bench):
    """Implements `camdl.verbs.cleanup.Tools` as the settings say.

    `would_go` is called with each capture of a dry run.
    """

    def __init__(
        self, loaded: Loaded, signals: Signals, would_go: Callable[[Holding], None]
    ) -> None:
        from camdl.catalogue.database import Database
        from camdl.ops.reserve import Reserve

        super().__init__(loaded, signals, "cleanup")
        self._would_go = would_go
        self.reserve = Reserve(Database(loaded.settings.database_url).file)

    def room(self) -> Room | None:
        """The room for the archive, the reserve being put aside.

        Raises:
            StorageError: the system does not tell.
        """
        return self.reserve.room(self._settings.download_dir)

    @contextmanager
    def open(self, order: CleanupOrder) -> Iterator[CleanupPorts]:
        """The adapters, as long as the `with` lasts.

        Raises:
            CleanupRefusedError: there is no catalogue, but there are images.
            ConfigError: the catalogue is not this version's.
            CatalogueError: the catalogue cannot be used.
            StorageError: the archive cannot be used.
        """
        from camdl.archive.files import LocalFiles
        from camdl.archive.local import LocalArchive
        from camdl.catalogue import opening
        from camdl.catalogue.database import Database, State
        from camdl.catalogue.keeping import SqlKeeping
        from camdl.catalogue.rows import SqlCatalogue
        from camdl.catalogue.tables import metadata
        from camdl.errors import CleanupRefusedError
        from camdl.sources.old_diagnostics import OldDiagnostics
        from camdl.verbs.cleanup import Ports

        settings = self._settings
        archive = LocalArchive(settings.download_dir)
        database = Database(settings.database_url)
        try:
            is_absent = database.state() is State.ABSENT
            if is_absent and archive.has_images():
                lost = opening.lost(database)
                raise CleanupRefusedError(f"nothing is deleted: {lost}", advice=lost.advice)
            if is_absent and database.is_sqlite:
                # Nothing was ever archived: a catalogue in memory remembers that, and no more.
                database = Database("sqlite://")
                metadata.create_all(database.engine)
                catalogue = SqlCatalogue(database)
            elif order.dry_run and not is_absent:
                catalogue = opening.existing(database) or opening.forgetful()
            else:
                catalogue = opening.existing_or_new(database, archive.has_images)
            yield Ports(
                catalogue,
                SqlKeeping(database),
                LocalFiles(settings.download_dir),
                OldDiagnostics(settings.diagnostics_dir),
            )
        finally:
            database.close()

    def would_go(self, holding: Holding) -> None:
        """A dry run tells each capture that a real one would delete."""
        self._would_go(holding)


@contextmanager
def keeping(loaded: Loaded) -> Iterator[SqlKeeping]:
    """What pins are kept in. SQLite's file is made, if nothing was ever archived.

    Raises:
        ConfigError: the catalogue is not this version's.
        CatalogueError: it cannot be used, or it was lost.
    """
    from camdl.archive.local import LocalArchive
    from camdl.catalogue import opening
    from camdl.catalogue.database import Database
    from camdl.catalogue.keeping import SqlKeeping

    database = Database(loaded.settings.database_url, may_create=True)
    try:
        opening.existing_or_new(database, LocalArchive(loaded.settings.download_dir).has_images)
        yield SqlKeeping(database)
    finally:
        database.close()
