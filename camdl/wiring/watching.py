"""What judges the archive, and everyone who is told the verdict."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from camdl.errors import CatalogueError, ConfigError, StorageError
from camdl.wiring import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from camdl.catalogue.database import Database
    from camdl.catalogue.rows import SqlCatalogue
    from camdl.config import Loaded
    from camdl.domain.figures import Figures
    from camdl.domain.health import DiskUsage, Health, LockHolder
    from camdl.domain.outcomes import RunRecord
    from camdl.verbs.health import Order

_LOG = logging.getLogger("camdl")
# A run that ends while the archive is looked at has written a verdict that is worth more.
_LOOKS = 3
# The metrics are read by another program, of another user, and hold nothing secret.
_FOR_ALL = 0o644


def health(loaded: Loaded, last_run: RunRecord | None = None) -> Health:
    """The verdict on the archive as it is now, after `last_run` if that has just ended."""
    from camdl.verbs.health import health as judge

    with _looks(loaded) as looks:
        return judge(_order(loaded), looks, utc_now(), last_run)


def metrics(loaded: Loaded, verdict: Health) -> str:
    """`verdict`, and what else can be measured, as Prometheus reads it."""
    from camdl.report import metrics as report

    with _looks(loaded) as looks:
        return report.text(verdict, looks.figures())


def tell(loaded: Loaded, verdict: Health) -> None:
    """Tell `verdict` to everyone who is to know: this is the one place for that.

    Raises:
        StorageError: the health file cannot be written. All others are told nevertheless.
    """
    from camdl.ops import health_file

    try:
        health_file.write(loaded.settings.health_file, verdict.to_dict())
    finally:
        _write_metrics(loaded, verdict)


def look_and_tell(loaded: Loaded) -> tuple[Health, StorageError | None]:
    """The verdict as it is now, told to everyone; and why it could not be.

    Beside a run that goes on: where that ends meanwhile and tells its own, this one looks again.
    """
    file = loaded.settings.health_file
    for _ in range(_LOOKS):
        before = _stamp(file)
        verdict = health(loaded)
        if _stamp(file) == before:
            break
    try:
        tell(loaded, verdict)
    except StorageError as error:
        return verdict, error
    return verdict, None


def _write_metrics(loaded: Loaded, verdict: Health) -> None:
    """Write the metrics, if they are wanted. That they cannot be written ends nothing."""
    file = loaded.settings.metrics_file
    if file is None:
        return
    from camdl.ops import health_file

    try:
        health_file.write(file, metrics(loaded, verdict), "metrics file", _FOR_ALL)
    except StorageError as error:
        _LOG.error("%s", error)


def _stamp(file: Path) -> tuple[int, int] | None:
    """What changes when the health file is written."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _order(loaded: Loaded) -> Order:
    """What the archive is to be like, as the settings say."""
    from camdl.domain.health import Thresholds
    from camdl.domain.schedule import jobs
    from camdl.ops.local_zone import local_zone
    from camdl.verbs.health import Order

    settings = loaded.settings
    return Order(
        streams=loaded.streams(),
        jobs=jobs(settings.download_interval_minutes),
        interval=timedelta(minutes=settings.download_interval_minutes),
        deadline=timedelta(seconds=settings.run_deadline_seconds),
        scheduled=settings.jobs,
        thresholds=Thresholds(settings.disk_warning_percent, settings.disk_critical_percent),
        zone=local_zone(),
    )


@contextmanager
def _looks(loaded: Loaded) -> Iterator[_Looks]:
    looks = _Looks(loaded)
    try:
        yield looks
    finally:
        looks.close()


class _Looks:
    """Implements `camdl.verbs.health.Looks` as the settings say. Close it when done."""

    def __init__(self, loaded: Loaded) -> None:
        from camdl.archive.local import LocalArchive

        self._settings = loaded.settings
        self._archive = LocalArchive(self._settings.download_dir)
        self._database: Database | None = None

    def close(self) -> None:
        """Close the catalogue."""
        if self._database is not None:
            self._database.close()

    def catalogue(self) -> SqlCatalogue | None:
        """The catalogue, or None if there is none yet.

        Raises:
            CatalogueError: it cannot be read, or it was lost.
            ConfigError: its schema is not this version's.
        """
        from camdl.catalogue import opening
        from camdl.catalogue.database import Database

        if self._database is None:
            self._database = Database(self._settings.database_url)
        found = opening.existing(self._database)
        try:
            if found is None and self._archive.has_images():
                raise opening.lost(self._database)
        except StorageError as error:  # nobody knows whether there should be one
            raise CatalogueError(str(error), advice=error.advice) from error
        return found

    def figures(self) -> Figures | None:
        """What can be counted in the catalogue; None where it cannot be read, or is not there."""
        from camdl.catalogue.figures import SqlFigures

        try:
            catalogue = self.catalogue()
            return SqlFigures(catalogue.database).figures() if catalogue else None
        except (CatalogueError, ConfigError):  # the verdict says why
            return None

    def disk(self) -> DiskUsage:
        """How full the archive's file system is.

        Raises:
            StorageError: that cannot be told.
        """
        from camdl.ops import disk

        return disk.usage(self._settings.download_dir)

    def archive(self, *, holds_captures: bool) -> str:
        """What is to be said of the archive; empty if there is none yet.

        Raises:
            StorageError: nothing can be stored in it.
        """
        return self._archive.standing(holds_captures=holds_captures)

    def browser(self) -> str:
        """What is to be said of the browser, which only those need who download.

        Raises:
            BrowserMissingError: there is none.
        """
        if "download" not in self._settings.jobs:
            return ""
        from camdl.sources import browser

        settings = self._settings
        found = browser.find(settings.browser_executable, headless=settings.headless)
        return found.sandbox_off or f"the browser is {found.executable}"

    def lock(self) -> LockHolder | None:
        """The run that holds the lock; one that has ended, and asks for its verdict, is none."""
        from camdl.ops import lock

        holder = lock.holder(self._settings.lock_file)
        return None if holder and holder.pid == os.getpid() else holder
