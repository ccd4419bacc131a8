"""The one place that chooses adapters from the settings: for runs here, for others beside it.

What only some commands need is imported where they need it: `camdl health` runs every few minutes.
"""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from camdl.errors import BrowserMissingError, CamdlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from camdl.archive.local import LocalArchive
    from camdl.catalogue.rows import SqlCatalogue
    from camdl.catalogue.schema import SqlSchema
    from camdl.config import Loaded, Settings
    from camdl.config.secrets import Censor
    from camdl.deadline import Deadline
    from camdl.domain.health import Health
    from camdl.domain.outcomes import RunRecord
    from camdl.fetching.images import HttpFetcher
    from camdl.ops.lock import FileLock
    from camdl.ops.signals import Signals
    from camdl.ports import Catalogue, Lock, LongProgress, Progress, Retrying
    from camdl.rests import Rests
    from camdl.source_clock import SourceClock
    from camdl.verbs.backfill import Order as BackfillOrder
    from camdl.verbs.collecting import Order as CollectingOrder
    from camdl.verbs.collecting import Ports
    from camdl.verbs.download import Order
    from camdl.verbs.stocktaking import Stocktaking

_LOG = logging.getLogger("camdl")
# A backfill's slice is over long before, and what a verification fetches again at a time.
_PATIENCE = {"backfill": 120.0, "verify": 120.0}


def utc_now() -> datetime:
    """The instant it is."""
    return datetime.now(UTC)


def begin_log(loaded: Loaded, *, quiet: bool, verbose: bool) -> None:
    """Have messages told as the command line asks for, and kept as the settings say."""
    from camdl.ops import log
    from camdl.ops.log_file import LogFile

    settings = loaded.settings
    level = logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING
    file = None
    if settings.log_file:
        file = LogFile(settings.log_file, settings.log_max_bytes, settings.log_backups)
    log.begin(level, file, censor=censor(settings))


def censor(settings: Settings) -> Censor:
    """What takes the secrets of the settings out of texts.

    The catalogue's URL is not among them: of any URL the password goes, and the rest is no secret.
    """
    from camdl.config.secrets import Censor

    return Censor(
        [
            settings.smtp_password,
            settings.alert_webhook_url,
            *settings.alert_apprise_urls,
            settings.ping_url,
        ]
    )


def lock(loaded: Loaded, verb: str) -> FileLock:
    """What keeps `verb` apart from other runs; all wait for those that let go of it soon."""
    from camdl.ops.lock import FileLock

    return FileLock(loaded.settings.lock_file, verb, _PATIENCE)


def order(
    loaded: Loaded,
    names: Sequence[str],
    *,
    latest: int | None,
    dry_run: bool,
    wait_seconds: float,
) -> Order:
    """What a download is asked to do.

    Raises:
        UsageError: there is no stream of one of `names`.
    """
    from camdl.verbs.download import Order

    settings = loaded.settings
    return Order(
        streams=loaded.streams(names),
        latest=latest,
        dry_run=dry_run,
        wait_seconds=wait_seconds,
        deadline_seconds=settings.run_deadline_seconds,
        retention=timedelta(days=settings.retention_days),
        catch_up=timedelta(days=settings.catch_up_days),
        run_every=timedelta(minutes=settings.download_interval_minutes),
        most_requests=settings.max_requests_per_run,
        concurrent=settings.concurrent_downloads,
        batch_size=settings.batch_size,
    )


def backfill_order(
    loaded: Loaded,
    names: Sequence[str],
    *,
    first: datetime | None,
    last: datetime | None,
    only_gaps: bool,
    dry_run: bool,
) -> BackfillOrder:
    """What a backfill is asked to do; of `first` and `last` the day counts.

    Raises:
        UsageError: there is no stream of one of `names`.
    """
    from camdl.verbs.backfill import Order

    settings = loaded.settings
    return Order(
        streams=loaded.streams(names),
        first=first and first.date(),
        last=last and last.date(),
        only_gaps=only_gaps,
        dry_run=dry_run,
        # As long as a run may go on, and a little longer.
        lock_seconds=settings.run_deadline_seconds + 60.0,
        catch_up=timedelta(days=settings.catch_up_days),
        run_every=timedelta(minutes=settings.download_interval_minutes),
        most_requests=settings.max_requests_per_run,
        concurrent=settings.concurrent_downloads,
        batch_size=settings.batch_size,
    )


class Bench:
    """Implements `camdl.verbs.running.Tools`, and has the lock of `verb`.

    `verdict` is the last one that was made, and `begun` is called when the run goes to work.
    """

    def __init__(self, loaded: Loaded, signals: Signals, verb: str) -> None:
        self._loaded = loaded
        self._settings = loaded.settings
        self._signals = signals
        self.lock: Lock = lock(loaded, verb)
        self.verdict: Health | None = None
        self.begun: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        """The instant it is, in UTC."""
        return utc_now()

    def is_ending(self) -> None:
        """From now on no signal needs to end the run."""
        self._signals.is_ending()

    def write_health(self, run: RunRecord) -> None:
        """Tell the verdict on the archive as it is now, after `run`.

        Raises:
            StorageError: it cannot be written.
        """
        from camdl.wiring import watching

        self.verdict = watching.health(self._loaded, run)
        watching.tell(self._loaded, self.verdict)


class Workshop(Bench):
    """Implements `camdl.verbs.download.Tools` as the settings say."""

    def __init__(
        self, loaded: Loaded, signals: Signals, progress: Progress, verb: str = "download"
    ) -> None:
        super().__init__(loaded, signals, verb)
        self.progress = progress
        self._has_warned = False

    def record(self, run: RunRecord) -> None:
        """Record, if that is possible, a run that ended before its adapters were open."""
        from camdl.catalogue import opening
        from camdl.catalogue.database import Database

        with suppress(CamdlError), closing(Database(self._settings.database_url)) as database:
            if catalogue := opening.existing(database):
                catalogue.begin_run(run.id, run.verb, run.started_at)
                catalogue.finish_run(run)

    @contextmanager
    def open(self, order: CollectingOrder, deadline: Deadline) -> Iterator[Ports]:
        """The adapters, as long as the `with` lasts.

        Raises:
            ConfigError: there is no browser, or the catalogue is not this version's.
            CatalogueError: the catalogue cannot be used.
            StorageError: the archive cannot be used.
        """
        from camdl.rests import Rests
        from camdl.source_clock import SourceClock
        from camdl.sources import browser
        from camdl.sources.diagnostics import Diagnostics
        from camdl.sources.page import PageSource

        settings = self._settings
        found = browser.find(settings.browser_executable, headless=settings.headless)
        if found.sandbox_off and not self._has_warned:
            self._has_warned = True
            # Under cron it would come every ten minutes; the health file says it too.
            _LOG.log(logging.WARNING if sys.stderr.isatty() else logging.INFO, found.sandbox_off)
        retry, rests = retries(settings, deadline), Rests()
        source_clock = SourceClock(utc_now)
        with ExitStack() as stack:
            source = stack.enter_context(
                PageSource(
                    found,
                    retrying=retry,
                    timeout_seconds=settings.timeout,
                    diagnostics=Diagnostics(settings.diagnostics_dir),
                    jitter_seconds=settings.page_jitter_seconds,
                    rests=rests,
                    source_clock=source_clock,
                )
            )
            # The slowest comes first: the browser starts while all else is made ready.
            source.prepare(order.streams)
            from camdl.archive.local import LocalArchive
            from camdl.catalogue.database import Database
            from camdl.catalogue.ledger import SqlLedger
            from camdl.ops.reserve import Reserve
            from camdl.verbs.collecting import Ports

            archive = LocalArchive(settings.download_dir)
            catalogue = stack.enter_context(_catalogue(settings, archive, dry_run=order.dry_run))
            if not order.dry_run:
                # Any stream's: one that is new must not mark an empty mount point as the archive.
                known = any(catalogue.newest(name) for name in self._loaded.known)
                archive.begin(holds_captures=known)
            fetcher = http_fetcher(settings, retry, rests, source_clock)
            stack.callback(fetcher.close)
            if not order.dry_run:
                stack.callback(Reserve(Database(settings.database_url).file).put_aside)
            ledger = SqlLedger(catalogue.database)
            yield Ports(fetcher, archive, catalogue, ledger, rests, source, source_clock)


def retries(settings: Settings, deadline: Deadline) -> Retrying:
    """What calls again until `deadline` what raised a passing fault."""
    from camdl.fetching.retry import RetryPolicy, retrying

    policy = RetryPolicy(
        settings.max_retries,
        settings.retry_delay_seconds,
        settings.backoff_multiplier,
        settings.max_retry_delay_seconds,
        settings.exponential_backoff,
    )
    return retrying(policy, deadline)


def http_fetcher(
    settings: Settings, retry: Retrying, rests: Rests, source_clock: SourceClock | None = None
) -> HttpFetcher:
    """What gets images; to be closed."""
    from camdl.fetching.images import HttpFetcher

    return HttpFetcher(
        retry,
        timeout_seconds=settings.timeout,
        max_bytes=settings.max_image_bytes,
        connections=settings.concurrent_downloads,
        clock=utc_now,
        rests=rests,
        source_clock=source_clock,
    )


class BackfillWorkshop(Workshop):
    """Implements `camdl.verbs.backfill.Tools` as the settings say."""

    progress: LongProgress

    def __init__(self, loaded: Loaded, signals: Signals, progress: LongProgress) -> None:
        super().__init__(loaded, signals, progress, "backfill")

    @contextmanager
    def catalogue(self) -> Iterator[Catalogue]:
        """The catalogue alone, to record how the run ended."""
        from camdl.archive.local import LocalArchive

        archive = LocalArchive(self._settings.download_dir)
        with _catalogue(self._settings, archive, dry_run=False) as catalogue:
            yield catalogue


@contextmanager
def stocktaking(loaded: Loaded) -> Iterator[Stocktaking | None]:
    """What tells gaps; None if nothing was ever archived. Nothing is made or changed.

    Raises:
        ConfigError: the catalogue is not this version's.
        CatalogueError: it cannot be used, or it was lost.
    """
    from camdl.catalogue.ledger import SqlLedger
    from camdl.verbs.stocktaking import Stocktaking

    settings = loaded.settings
    catch_up = timedelta(days=settings.catch_up_days)
    run_every = timedelta(minutes=settings.download_interval_minutes)
    with known_catalogue(loaded) as catalogue:
        if catalogue is None:
            yield None
        else:
            yield Stocktaking(SqlLedger(catalogue.database), catalogue, catch_up, run_every)


@contextmanager
def known_catalogue(loaded: Loaded) -> Iterator[SqlCatalogue | None]:
    """The catalogue to look into; None if nothing was ever archived. Nothing is made or changed.

    Raises:
        ConfigError: the catalogue is not this version's.
        CatalogueError: it cannot be used, or it was lost.
    """
    from camdl.archive.local import LocalArchive
    from camdl.catalogue import opening
    from camdl.catalogue.database import Database

    settings = loaded.settings
    database = Database(settings.database_url)
    try:
        catalogue = opening.existing(database)
        if catalogue is None and LocalArchive(settings.download_dir).has_images():
            raise opening.lost(database)
        yield catalogue
    finally:
        database.close()


@contextmanager
def _catalogue(
    settings: Settings, archive: LocalArchive, *, dry_run: bool
) -> Iterator[SqlCatalogue]:
    """The catalogue that a run works on; a dry run makes none."""
    from camdl.catalogue import opening
    from camdl.catalogue.database import Database

    database = Database(settings.database_url, may_create=not dry_run)
    try:
        if dry_run and (found := opening.existing(database)):
            yield found
        elif dry_run:
            forgetful = opening.forgetful()
            with closing(forgetful.database):
                yield forgetful
        else:
            yield opening.existing_or_new(database, archive.has_images)
    finally:
        database.close()


@contextmanager
def schema(loaded: Loaded) -> Iterator[SqlSchema]:
    """The schema of the catalogue.

    Raises:
        ConfigError: there is no driver for such a database.
    """
    from camdl.archive.local import LocalArchive
    from camdl.catalogue.database import Database
    from camdl.catalogue.schema import SqlSchema

    database = Database(loaded.settings.database_url, may_create=True)
    try:
        yield SqlSchema(database, LocalArchive(loaded.settings.download_dir).has_images)
    finally:
        database.close()


def demo(*, frames: Path | None, directory: Path | None, serve: bool, port: int) -> int:
    """Run the demo, or keep its site up, and return the exit code."""
    from camdl.demo import run

    if serve:
        return run.serve(frames=frames, port=port)
    return run.run(found_browser, frames=frames, directory=directory)


def found_browser() -> Path | None:
    """The browser that is here without any setting, if there is one."""
    from camdl.sources import browser

    try:
        return browser.find().executable
    except BrowserMissingError:
        return None
