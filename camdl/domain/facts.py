"""What a verdict is made of: everything that is known of an archive and of what it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from camdl.domain.closing import ClosedHours
from camdl.domain.health import Database, Thresholds

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from camdl.domain.health import DiskUsage, LockHolder
    from camdl.domain.outcomes import ClockReading, JobHistory, StreamHistory
    from camdl.domain.schedule import Job


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something could not be looked at or is not there, and what to do about it."""

    reason: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """A stream, how far apart its captures are, and its history if the catalogue could tell it.

    No captures are expected while its gate is `closed`.
    """

    name: str
    interval: timedelta
    history: StreamHistory | None
    closed: ClosedHours = field(default_factory=ClosedHours)
    site: str = ""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A job, whose runs should start `every` so often, and what the catalogue could tell of them.

    One that is not `scheduled` is started by nothing, which is nobody's fault.
    """

    job: Job
    every: timedelta
    history: JobHistory | None
    scheduled: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it. What is None or empty was not looked at, or there is nothing to say of it.

    `database_fault` belongs to a disconnected database. `disk` is None if the archive is on none.
    `archive` and `browser` are what to say of them, or why they are not there. `since` is when the
    first run began that is remembered. No run should hold the lock for longer than `deadline`.
    `zone` is that of the machine's clock, by which jobs are started.
    """

    version: str
    streams: tuple[StreamFacts, ...]
    jobs: tuple[JobFacts, ...]
    database: Database
    disk: DiskUsage | Fault | None = None
    database_fault: Fault | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    archive: str | Fault = ""
    browser: str | Fault = ""
    lock: LockHolder | None = None
    clock: ClockReading | None = None
    since: datetime | None = None
    deadline: timedelta = timedelta(minutes=8)
    zone: tzinfo = UTC
