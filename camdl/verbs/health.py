"""`camdl health`: judge the archive as it is now, from what is there and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

from camdl import __version__
from camdl.domain.assessment import assess
from camdl.domain.facts import Facts, Fault, JobFacts, StreamFacts
from camdl.domain.health import Database, Thresholds
from camdl.domain.outcomes import JobHistory, Outcome
from camdl.errors import BrowserMissingError, CatalogueError, ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, tzinfo

    from camdl.domain.health import DiskUsage, Health, LockHolder
    from camdl.domain.outcomes import ClockReading, RunRecord, StreamHistory
    from camdl.domain.schedule import Job
    from camdl.domain.sites import Stream
    from camdl.errors import CamdlError
    from camdl.ports import Catalogue

T = TypeVar("T")


class Looks(Protocol):
    """What the verdict looks at. None of it is changed, and nobody is kept waiting."""

    def catalogue(self) -> Catalogue | None:
        """The catalogue, or None if there is none yet; closing it is its owner's part.

        Raises:
            CatalogueError: it cannot be read.
            ConfigError: its schema is not this version's.
        """
        ...

    def disk(self) -> DiskUsage | None:
        """How full the archive's file system is; None if it is on none.

        Raises:
            StorageError: that cannot be told.
        """
        ...

    def archive(self, *, holds_captures: bool) -> str:
        """What is to be said of the archive; empty for nothing.

        Raises:
            StorageError: nothing can be stored in it.
        """
        ...

    def browser(self) -> str:
        """What is to be said of the browser that reads the pages; empty for nothing.

        Raises:
            BrowserMissingError: there is none.
        """
        ...

    def lock(self) -> LockHolder | None:
        """The run that holds the lock."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """What the archive is to be like: its streams, and the jobs that keep it.

    Downloads should start `interval` apart, and no run should hold the lock for longer than
    `deadline`. The `scheduled` jobs are those, by id, that something starts; `zone` is that of the
    clock by which it does.
    """

    streams: Sequence[Stream]
    jobs: Sequence[Job]
    interval: timedelta = timedelta(minutes=10)
    deadline: timedelta = timedelta(minutes=8)
    scheduled: Sequence[str] = ("download", "health", "cleanup", "verify")
    thresholds: Thresholds = field(default_factory=Thresholds)
    zone: tzinfo = UTC


def health(order: Order, looks: Looks, now: datetime, last_run: RunRecord | None = None) -> Health:
    """The verdict at `now`; what cannot be looked at becomes part of it.

    `last_run` has just ended; the catalogue may not tell how.
    """
    known = _Known(order, looks)
    if last_run is not None:
        known.ended(last_run)
    # Of a catalogue that cannot be read nobody knows what should be in the archive.
    holds_captures = any(history.newest for history in known.streams.values())
    facts = Facts(
        version=__version__,
        streams=tuple(_stream(stream, order, known) for stream in order.streams),
        jobs=tuple(_job(job, order, known) for job in order.jobs),
        database=known.database,
        database_fault=known.fault,
        disk=_or_fault(looks.disk),
        thresholds=order.thresholds,
        archive=_or_fault(lambda: looks.archive(holds_captures=holds_captures)),
        browser=_or_fault(looks.browser),
        lock=looks.lock(),
        clock=known.clock,
        since=known.since,
        deadline=order.deadline,
        zone=order.zone,
    )
    return assess(facts, now)


class _Known:
    """What the catalogue tells, as far as it can be read."""

    def __init__(self, order: Order, looks: Looks) -> None:
        self.database = Database.CONNECTED
        self.fault: Fault | None = None
        self.streams: dict[str, StreamHistory] = {}
        self.jobs: dict[str, JobHistory] = {}
        self.clock: ClockReading | None = None
        self.since: datetime | None = None
        try:
            self._read(order, looks.catalogue())
        except (CatalogueError, ConfigError) as error:
            self.database, self.fault = Database.DISCONNECTED, _fault(error)

    def ended(self, run: RunRecord) -> None:
        """`run` has ended so, whatever the catalogue tells of it."""
        last_good = run.started_at if run.outcome is Outcome.OK else None
        if last_good is None and run.verb in self.jobs:
            last_good = self.jobs[run.verb].last_good
            if last_good == run.started_at:  # what went wrong after its end was recorded
                last_good = None
        self.jobs[run.verb] = JobHistory(run, run, last_good)
        self.since = min(self.since or run.started_at, run.started_at)

    def _read(self, order: Order, catalogue: Catalogue | None) -> None:
        if catalogue is None:
            self.database = Database.ABSENT
            return
        for stream in order.streams:
            self.streams[stream.name] = catalogue.stream_history(stream.name)
        for job in order.jobs:
            if job.is_recorded:
                self.jobs[job.verb] = catalogue.job_history(job.verb)
        if not all(history.last for history in self.jobs.values()):
            self.since = catalogue.first_run()
        self.clock = catalogue.clock_reading()


def _stream(stream: Stream, order: Order, known: _Known) -> StreamFacts:
    return StreamFacts(
        name=stream.name,
        # What a camera takes between two runs comes with the second.
        interval=max(stream.interval, order.interval),
        history=known.streams.get(stream.name),
        closed=stream.closed,
        site=stream.site,
    )


def _job(job: Job, order: Order, known: _Known) -> JobFacts:
    return JobFacts(
        job=job,
        every=order.interval if job.verb == "download" else job.every,
        history=known.jobs.get(job.verb),
        scheduled=job.id in order.scheduled,
    )


def _or_fault(look: Callable[[], T]) -> T | Fault:
    try:
        return look()
    except (StorageError, BrowserMissingError) as error:
        return _fault(error)


def _fault(error: CamdlError) -> Fault:
    return Fault(str(error), error.advice)
