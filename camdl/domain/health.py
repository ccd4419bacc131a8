"""The verdict on the whole archive, and the forms in which it is told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from camdl.domain.captures import utc
from camdl.domain.durations import in_words
from camdl.domain.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from camdl.domain.outcomes import ClockReading, Outcome

# A stream's newest capture may be so many of its intervals old before it is a warning, critical.
WARNING_INTERVALS = 3
CRITICAL_INTERVALS = 6


class Status(StrEnum):
    """From the best to the worst. `DEGRADED`: some streams are critical and others are not."""

    HEALTHY = "healthy"
    UNKNOWN = "unknown"
    WARNING = "warning"
    DEGRADED = "degraded"
    CRITICAL = "critical"


_BADNESS = {status: badness for badness, status in enumerate(Status)}
_EXIT_CODES = {
    Status.HEALTHY: 0,
    Status.UNKNOWN: 3,
    Status.WARNING: 1,
    Status.DEGRADED: 1,
    Status.CRITICAL: 2,
}


class Database(StrEnum):
    """Whether the catalogue could be read. `ABSENT`: nothing is wrong, it was never made."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """How full a file system is, seen by a normal user. `inodes_percent` is 0 if it counts none."""

    percent: float
    free_bytes: int
    inodes_percent: float


@dataclass(frozen=True, slots=True)
class LockHolder:
    """The run that holds the lock: its verb, its process, and when it took it (UTC)."""

    verb: str
    pid: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which usage on, in percent, a disk (or its inodes) is a warning, and critical."""

    disk_warning_percent: float = 80
    disk_critical_percent: float = 90


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `reason` is one line, for good news too."""

    name: str
    status: Status
    reason: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """The verdict on a stream. What is not known is None.

    `age` is that of the newest capture, and `open_age` that part of it in which the gate was open:
    by this it is judged.
    """

    name: str
    status: Status
    interval: timedelta
    newest: datetime | None
    age: timedelta | None
    consecutive_failures: int | None
    site: str = ""
    open_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class JobHealth:
    """A job and its runs (started, UTC), None where unknown.

    `next_run` is that of the schedule; it and `every` are None if nothing is to start the job.
    `last_seconds` is how long the last run took that has ended.
    """

    id: str
    name: str
    last_run: datetime | None
    outcome: Outcome | None
    next_run: datetime | None
    last_good_run: datetime | None
    every: timedelta | None = None
    last_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict on the whole archive at `timestamp` (UTC)."""

    status: Status
    timestamp: datetime
    version: str
    database: Database
    disk: DiskUsage | None
    thresholds: Thresholds
    jobs: tuple[JobHealth, ...]
    streams: tuple[StreamHealth, ...]
    checks: tuple[Check, ...]
    lock: LockHolder | None = None
    clock: ClockReading | None = None

    @property
    def exit_code(self) -> int:
        """As monitoring plugins exit: 0 healthy, 1 warning or degraded, 2 critical, 3 unknown."""
        return exit_code(self.status)

    @property
    def problems(self) -> tuple[Check, ...]:
        """The checks that are not healthy, the worst first."""
        bad = [check for check in self.checks if check.status is not Status.HEALTHY]
        return tuple(sorted(bad, key=lambda check: -_BADNESS[check.status]))

    def line(self) -> str:
        """The verdict in one line, with performance data, as monitoring plugins print it."""
        word = "OK" if self.status is Status.HEALTHY else self.status.upper()
        said = "; ".join(check.reason for check in self.problems) or self._summary()
        # What follows a bar is performance data.
        text = one_line(said.replace("|", "/"), 1000)
        data = " ".join(self._performance_data())
        return f"camdl {word} - {text}" + (f" | {data}" if data else "")

    def to_dict(self) -> dict[str, object]:
        """The form of the health file, ready for JSON; times are ISO 8601 with `Z`."""
        return {
            "status": str(self.status),
            "timestamp": iso(self.timestamp),
            "version": self.version,
            "database": "connected" if self.database is Database.CONNECTED else "disconnected",
            "disk_usage_percent": floor(self.disk.percent, 1) if self.disk else None,
            "jobs": [_job_dict(job) for job in self.jobs],
            "streams": [_stream_dict(stream) for stream in self.streams],
            "checks": [_check_dict(check) for check in self.checks],
        }

    def _summary(self) -> str:
        streams = f"{len(self.streams)} stream{'' if len(self.streams) == 1 else 's'}"
        ages = [stream.age for stream in self.streams if stream.age is not None]
        if not ages:
            return streams
        return f"{streams}, newest capture {in_words(max(timedelta(), min(ages)))} ago"

    def _performance_data(self) -> Iterator[str]:
        for stream in self.streams:
            age = stream.open_age
            if age is not None:
                limits = (WARNING_INTERVALS * stream.interval, CRITICAL_INTERVALS * stream.interval)
                seconds = [length // timedelta(seconds=1) for length in (age, *limits)]
                yield "{}_age={}s;{};{}".format(stream.name, *seconds)
        if self.disk:
            limit = self.thresholds
            shown = f"{limit.disk_warning_percent:g};{limit.disk_critical_percent:g}"
            yield f"disk={floor(self.disk.percent):g}%;{shown}"
            yield f"inodes={floor(self.disk.inodes_percent):g}%;{shown}"


def unjudged(reason: str, advice: str, now: datetime, version: str) -> Health:
    """The verdict at `now` where none could be made; nothing is said of what was not looked at."""
    return Health(
        status=Status.UNKNOWN,
        timestamp=utc(now),
        version=version,
        database=Database.DISCONNECTED,
        disk=None,
        thresholds=Thresholds(),
        jobs=(),
        streams=(),
        checks=(Check("verdict", Status.UNKNOWN, one_line(reason), one_line(advice)),),
    )


def exit_code(status: Status) -> int:
    """0 healthy, 1 warning or degraded, 2 critical, 3 unknown."""
    return _EXIT_CODES[status]


def iso(moment: datetime | None) -> str | None:
    """`moment` as `2025-09-08T20:22:30Z`, to the second; None stays None."""
    if moment is None:
        return None
    return utc(moment).replace(tzinfo=None).isoformat("T", "seconds") + "Z"


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of `statuses`; nothing is healthy."""
    return max(statuses, key=_BADNESS.__getitem__, default=Status.HEALTHY)


def by_age(age: timedelta, warning: timedelta, critical: timedelta) -> Status:
    """The status of something that is fine up to `warning` and bad beyond `critical`."""
    if age <= warning:
        return Status.HEALTHY
    return Status.WARNING if age <= critical else Status.CRITICAL


def in_the_future(name: str, what: str) -> Check:
    """The check of a time that would hide for long that nothing comes after it."""
    reason = f"{what} ahead of this computer's clock"
    return Check(name, Status.WARNING, reason, "Check the clock, and the site's time zone.")


def clock(moment: datetime) -> str:
    """`moment` as a reason names it: `2025-09-08 20:22 UTC`."""
    return f"{utc(moment):%Y-%m-%d %H:%M} UTC"


def floor(percent: float, digits: int = 0) -> float:
    """`percent` rounded down, so that what is shown reaches a threshold only when the disk does."""
    scale: int = 10**digits
    return math.floor(percent * scale) / scale


def _job_dict(job: JobHealth) -> dict[str, object]:
    return {
        "id": job.id,
        "name": job.name,
        "last_run": iso(job.last_run),
        "outcome": str(job.outcome) if job.outcome else None,
        "next_run": iso(job.next_run),
        "last_good_run": iso(job.last_good_run),
    }


def _stream_dict(stream: StreamHealth) -> dict[str, object]:
    return {
        "name": stream.name,
        "status": str(stream.status),
        "newest_capture": iso(stream.newest),
        "age_seconds": _whole_seconds(stream.age),
        "open_age_seconds": _whole_seconds(stream.open_age),
        "consecutive_failures": stream.consecutive_failures,
        "site": stream.site,
    }


def _whole_seconds(length: timedelta | None) -> int | None:
    return None if length is None else length // timedelta(seconds=1)


def _check_dict(check: Check) -> dict[str, object]:
    said: dict[str, object] = {
        "name": check.name,
        "status": str(check.status),
        "reason": check.reason,
    }
    return said | {"advice": check.advice} if check.advice else said
