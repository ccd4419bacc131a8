"""What tells people of a run, around every command that makes one.

It comes last: the lock is free, the health file is written, the run is recorded and its result was
shown. It takes some seconds at most, whatever mail servers do, and never changes the exit code.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import deque
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from camdl.deadline import Deadline
from camdl.errors import CamdlError, CatalogueError, ConfigError, LockHeldError, UsageError
from camdl.wiring import censor, utc_now

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Sequence

    from camdl.config import Loaded, Settings
    from camdl.domain.alerts import Rules
    from camdl.domain.health import Health
    from camdl.domain.notices import Place
    from camdl.domain.outcomes import RunRecord
    from camdl.errors import EndOfRun
    from camdl.notifying.mail import Mail
    from camdl.notifying.pings import Pings
    from camdl.ports import AlertBook, Lock, Notifier
    from camdl.verbs.announcing import Trial
    from camdl.verbs.running import Finished
    from camdl.wiring import Bench

B = TypeVar("B", bound="Bench")
F = TypeVar("F", bound="Finished")

_LOG = logging.getLogger("camdl")
# For all of it: looking, remembering, sending, noting what was sent. Below it, for sending alone.
_SECONDS = 8.0
_SENDING_SECONDS = 6.0
_PING_SECONDS = 4.0
_LOG_LINES = 30


@contextmanager
def announcing(loaded: Loaded, job: str, *, dry_run: bool = False) -> Iterator[Announcement]:
    """Tell of what is done in the `with` once it is over, however it ends; of a dry run nothing.

    Nothing is told of a command that was wrong, that found the lock held, or that was interrupted:
    it has to end at once, and the next run tells.
    """
    announcement = Announcement(loaded, job, is_silent=dry_run)
    with announcement.listening():
        try:
            yield announcement
        except Exception as error:
            announcement.conclude(error)
            raise
        announcement.conclude()


def announce(loaded: Loaded, verdict: Health, *, is_new: bool = False) -> None:
    """Tell what `verdict` changes, and send what is unsent; `is_new`, if a run has just ended.

    For commands that make no run. It ends in time, and never fails.
    """
    if has_channels(loaded.settings):
        with _no_harm():
            job = partial(_announce, loaded, verdict, is_new=is_new)
            _in_time([job], Deadline.after(_SECONDS))


class Announcement:
    """What there is to tell of one run of `job`."""

    def __init__(self, loaded: Loaded, job: str, *, is_silent: bool) -> None:
        self._loaded = loaded
        self._job = job
        self._is_silent = is_silent
        self._started_at = utc_now()
        self._bench: Bench | None = None
        self._run: RunRecord | None = None
        self._error: EndOfRun | None = None
        self._verdict: Health | None = None
        self._logged: deque[str] = deque(maxlen=_LOG_LINES)
        self._has_begun = False
        self._pings: Pings | None = None
        if not is_silent:
            with _no_harm():
                self._pings = _pings(loaded.settings, job)

    def about(self, bench: B) -> B:
        """`bench`, on which the run is made; the run begins when it holds the lock."""
        self._bench = bench
        bench.begun = self.begin
        bench.lock = _TellingLock(bench.lock, self.begin)
        return bench

    def begin(self) -> None:
        """The run goes to work: only now it is one."""
        if not self._has_begun:
            self._has_begun = True
            if self._pings:
                with _no_harm():
                    self._pings.start()

    def ended(self, finished: F) -> F:
        """`finished`, which is how the run has ended."""
        self._run, self._error = finished.run, finished.error
        return finished

    def judged(self, verdict: Health) -> Health:
        """`verdict`, which is all there is to tell of a command that makes no run."""
        self._verdict = verdict
        return verdict

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Keep the last words of our log inside the `with`, for those who look at a failed ping."""
        if not self._pings:
            yield
            return
        listener = _Listener(self._logged)
        logger = logging.getLogger("camdl")
        logger.addHandler(listener)
        try:
            yield
        finally:
            logger.removeHandler(listener)

    def conclude(self, error: Exception | None = None) -> None:
        """Tell what there is to tell; `error` is what came up, maybe after the run had ended."""
        if self._is_silent:
            return
        if self._bench:
            self._bench.is_ending()
        with _no_harm():
            _in_time(list(self._jobs(error)), Deadline.after(_SECONDS))

    def _jobs(self, error: Exception | None) -> Iterator[Callable[[], None]]:
        from camdl.domain.outcomes import Outcome

        run = self._run
        if run is None and error is not None:
            if isinstance(error, LockHeldError | UsageError) and not self._has_begun:
                return
            run = self._failed(error)
        if run and run.outcome is Outcome.INTERRUPTED:
            return
        if self._pings:
            pings = self._pings
            yield lambda: self._ping(pings, run)
        if has_channels(self._loaded.settings) and (run or self._verdict):
            yield lambda: _announce(self._loaded, self._judge(run), is_new=run is not None)

    def _failed(self, error: Exception) -> RunRecord:
        """The record of a run that never came to have one."""
        from camdl.domain.outcomes import RunRecord
        from camdl.verbs.running import failed, run_id

        if isinstance(error, CamdlError):
            self._error = error
        run = RunRecord(run_id(self._started_at), self._job, self._started_at)
        return failed(run, error, utc_now())

    def _judge(self, run: RunRecord | None) -> Health:
        made = self._verdict or (self._bench and self._bench.verdict)
        if made:
            return made
        from camdl.wiring.watching import health

        return health(self._loaded, run)

    def _ping(self, pings: Pings, run: RunRecord | None) -> None:
        from camdl.domain.notices import NotSent
        from camdl.verbs.announcing import account, is_good

        place = _place(self._loaded)
        text = account(run, self._error, list(self._logged), place) if run else ""
        deadline = Deadline.after(_PING_SECONDS)
        outcome = pings.end(text, deadline, is_good=run is None or is_good(run))
        if isinstance(outcome, NotSent):
            _LOG.info("the ping could not be sent: %s", place.hide(outcome.reason))


class _TellingLock:
    """Implements `camdl.ports.Lock`: calls `begun` whenever it is held."""

    def __init__(self, lock: Lock, begun: Callable[[], None]) -> None:
        self._lock = lock
        self._begun = begun

    @contextmanager
    def hold(self, wait_seconds: float) -> Iterator[None]:
        with self._lock.hold(wait_seconds):
            self._begun()
            yield


class _Listener(logging.Handler):
    """Keeps what our log says."""

    def __init__(self, lines: deque[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        from camdl.domain.text import one_line

        self._lines.append(one_line(record.getMessage(), 1000))


class _Tools:
    """Implements `camdl.verbs.announcing.Tools` as the settings say."""

    def __init__(self, loaded: Loaded, notifiers: Sequence[Notifier]) -> None:
        from camdl.ops.alert_file import AlertFile

        self._settings = loaded.settings
        self._health_file = loaded.settings.health_file
        self.notifiers = notifiers
        self.spare = AlertFile(self._health_file.with_name(f"{self._health_file.name}.alerts"))
        self._last_verdict = self._modified_at()

    def now(self) -> datetime:
        """The instant it is, in UTC."""
        return utc_now()

    @contextmanager
    def book(self) -> Iterator[AlertBook]:
        """What the catalogue remembers.

        Raises:
            ConfigError: it is not this version's.
            CatalogueError: it cannot be used, or there is none.
        """
        from camdl.catalogue import opening
        from camdl.catalogue.alerts import SqlAlertBook
        from camdl.catalogue.database import Database

        with closing(Database(self._settings.database_url)) as database:
            if opening.existing(database) is None:
                raise CatalogueError(f"there is no catalogue {database.name}")
            yield SqlAlertBook(database)

    def last_verdict(self) -> datetime | None:
        """When a verdict was last written, if that can be told, in UTC."""
        return self._last_verdict

    def _modified_at(self) -> datetime | None:
        try:
            return datetime.fromtimestamp(self._health_file.stat().st_mtime, UTC)
        except OSError:
            return None


def has_channels(settings: Settings) -> bool:
    """Whether there is any way to tell people."""
    return bool(
        settings.alert_email_to or settings.alert_webhook_url or settings.alert_apprise_urls
    )


def try_out(loaded: Loaded) -> Trial:
    """Send a trial by every configured way, in the time that a run has for it.

    Raises:
        ConfigError: there is none, or `alert_ca_file` cannot be used.
    """
    from camdl.verbs.announcing import try_out as run

    if not has_channels(loaded.settings):
        raise ConfigError(
            "there is nobody to tell",
            advice="Set alert_email_to, alert_webhook_url or alert_apprise_urls.",
        )
    notifiers = _notifiers(loaded.settings, _trust(loaded.settings))
    return run(notifiers, _place(loaded), utc_now(), Deadline.after(_SENDING_SECONDS))


def mail(settings: Settings, tls: ssl.SSLContext | None = None) -> Mail | None:
    """What sends mail, if anybody is to get any.

    Raises:
        ConfigError: `alert_ca_file` cannot be used, and no `tls` is given.
    """
    if not settings.alert_email_to:
        return None
    from camdl.notifying.mail import PORTS, Mail, Server

    server = Server(
        settings.smtp_host.strip("[]"),
        settings.smtp_port or PORTS[settings.smtp_security],
        settings.smtp_security,
        tls or _trust(settings),
        settings.smtp_user,
        settings.smtp_password,
    )
    return Mail(server, settings.alert_email_from, settings.alert_email_to)


def _announce(loaded: Loaded, verdict: Health, *, is_new: bool) -> None:
    from camdl.verbs.announcing import Order
    from camdl.verbs.announcing import announce as run

    deadline = Deadline.after(_SENDING_SECONDS)
    notifiers = _notifiers(loaded.settings, _trust_or_less(loaded.settings))
    order = Order(_rules(loaded), _place(loaded), is_new)
    run(order, verdict, _Tools(loaded, notifiers), deadline)


def _in_time(jobs: Sequence[Callable[[], None]], deadline: Deadline) -> None:
    """Do all of `jobs` beside each other, and let go of what is not done by `deadline`."""

    def do(job: Callable[[], None]) -> None:
        with _no_harm():
            job()

    threads = [
        threading.Thread(target=do, args=[job], name="camdl-announcing", daemon=True)
        for job in jobs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(deadline.remaining())
    if any(thread.is_alive() for thread in threads):
        _LOG.warning("not all could be told in time; the next run goes on")


@contextmanager
def _no_harm() -> Iterator[None]:
    """Whatever comes up inside is a line of the log: a run must not fail because of it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # bugs too, and threads that cannot be had
        from camdl.domain.text import one_line

        # The words of libraries may quote a secret.
        said = one_line(str(error)) if isinstance(error, CamdlError) else type(error).__name__
        _LOG.warning("not everybody could be told: %s", said)


def _notifiers(settings: Settings, tls: ssl.SSLContext) -> list[Notifier]:
    found: list[Notifier] = []
    if by_mail := mail(settings, tls):
        found.append(by_mail)
    if settings.alert_webhook_url:
        from camdl.notifying.webhook import Webhook

        found.append(Webhook(settings.alert_webhook_url, socket.gethostname(), tls))
    if settings.alert_apprise_urls:
        from camdl.notifying.apprise_urls import AppriseUrl

        urls = enumerate(settings.alert_apprise_urls, 1)
        found += [AppriseUrl(url, number) for number, url in urls]
    return found


def _pings(settings: Settings, job: str) -> Pings | None:
    if not settings.ping_url:
        return None
    from camdl.notifying.pings import Pings, url_for

    url = url_for(job, settings.ping_url)
    return Pings(url, _trust_or_less(settings)) if url else None


def _trust(settings: Settings) -> ssl.SSLContext:
    from camdl.notifying.failing import trust

    try:
        return trust(settings.alert_ca_file)
    except OSError as error:
        raise ConfigError(
            f"alert_ca_file {settings.alert_ca_file} cannot be used: {error.strerror or error}"
        ) from error


def _trust_or_less(settings: Settings) -> ssl.SSLContext:
    """As `_trust`, without `alert_ca_file` if that cannot be used: some may still be told."""
    try:
        return _trust(settings)
    except ConfigError as error:
        _LOG.warning("%s", error)
        return _trust(replace(settings, alert_ca_file=None))


def _rules(loaded: Loaded) -> Rules:
    from camdl.domain.alerts import Rules
    from camdl.domain.health import Status

    settings = loaded.settings
    return Rules(
        after=settings.alert_after,
        repeat=timedelta(hours=settings.alert_repeat_hours),
        lowest=Status(settings.alert_on),
        every=timedelta(minutes=settings.download_interval_minutes),
        sites={name: loaded.values[f"streams.{name}.site"].value for name in settings.stream_names},
    )


def _place(loaded: Loaded) -> Place:
    from camdl.domain.notices import Place

    config = str(loaded.file.absolute()) if loaded.file else ""
    return Place(socket.gethostname(), config, censor(loaded.settings))
