"""How what is known of an archive is judged at an instant: every rule of its health.

Those for jobs and streams are in `job_checks` and `stream_checks`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from camdl.domain.captures import utc
from camdl.domain.durations import in_words
from camdl.domain.facts import Fault
from camdl.domain.health import (
    Check,
    Database,
    DiskUsage,
    Health,
    Status,
    Thresholds,
    by_age,
    clock,
    floor,
    worst,
)
from camdl.domain.job_checks import job_checks, job_health, lateness
from camdl.domain.stream_checks import site_checks, stream_checks, stream_health
from camdl.domain.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from camdl.domain.facts import Facts, JobFacts
    from camdl.domain.health import StreamHealth

# A run that its own deadline has ended still closes its browser and writes its health.
_CLOSING = timedelta(minutes=1)
_CLOCK_WARNING = timedelta(minutes=1)
# From there on clean-up would delete what is to stay, and days are other days.
_CLOCK_CRITICAL = timedelta(hours=1)


def assess(facts: Facts, now: datetime) -> Health:
    """The verdict at `now` on what is known.

    Raises:
        TypeError: `now` has no time zone.
    """
    now = utc(now)
    common = tuple(_common_checks(facts, now))
    has_ended = any(job.history and job.history.last_ended for job in _downloads(facts))
    of_streams = [
        stream_checks(stream, facts.database, now, has_ended=has_ended) for stream in facts.streams
    ]
    streams = tuple(
        stream_health(stream, checks, now)
        for stream, checks in zip(facts.streams, of_streams, strict=True)
    )
    late = any(lateness(job, facts.since, now) is not Status.HEALTHY for job in _downloads(facts))
    sites = tuple(site_checks(streams, has_run=not late))
    return Health(
        status=worst([*(check.status for check in common), _of_all(streams)]),
        timestamp=now,
        version=facts.version,
        database=facts.database,
        disk=facts.disk if isinstance(facts.disk, DiskUsage) else None,
        thresholds=facts.thresholds,
        jobs=tuple(job_health(job, now, facts.zone) for job in facts.jobs),
        streams=streams,
        checks=(*common, *sites, *(check for checks in of_streams for check in checks)),
        lock=facts.lock,
        clock=facts.clock,
    )


def _common_checks(facts: Facts, now: datetime) -> Iterator[Check]:
    """What is to be said of all streams together."""
    yield _database_check(facts)
    yield from _there_or_not("archive", facts.archive)
    yield from _disk_checks(facts)
    yield from _there_or_not("browser", facts.browser)
    yield _lock_check(facts, now)
    yield from _clock_checks(facts)
    for job in facts.jobs:
        yield from job_checks(job, facts.since, now)


def _downloads(facts: Facts) -> list[JobFacts]:
    """The job by which streams come to be read."""
    return [job for job in facts.jobs if job.job.verb == "download"]


def _of_all(streams: tuple[StreamHealth, ...]) -> Status:
    """One camera silent, or the whole site?"""
    statuses = {stream.status for stream in streams}
    if Status.CRITICAL in statuses and statuses != {Status.CRITICAL}:
        return Status.DEGRADED
    return worst(statuses)


def _database_check(facts: Facts) -> Check:
    if facts.database is Database.CONNECTED:
        return Check("database", Status.HEALTHY, "the catalogue can be read")
    if facts.database is Database.ABSENT:
        return Check(
            "database",
            Status.UNKNOWN,
            "there is no catalogue yet",
            "Run camdl download once; it makes one.",
        )
    fault = facts.database_fault or Fault("")
    reason = one_line(fault.reason) or "the catalogue cannot be read"
    return Check("database", Status.CRITICAL, reason, one_line(fault.advice))


def _there_or_not(name: str, found: str | Fault) -> Iterator[Check]:
    """What no run can do without, and what was found of it."""
    if isinstance(found, Fault):
        reason = one_line(found.reason) or f"the {name} cannot be used"
        yield Check(name, Status.CRITICAL, reason, one_line(found.advice))
    elif said := one_line(found):
        yield Check(name, Status.HEALTHY, said)


def _disk_checks(facts: Facts) -> Iterator[Check]:
    if isinstance(facts.disk, Fault):
        reason = one_line(facts.disk.reason) or "the disk's usage cannot be told"
        yield Check("disk", Status.UNKNOWN, reason, one_line(facts.disk.advice))
    elif facts.disk:
        disk = facts.disk
        used = f"{floor(disk.percent):g} % of the disk is used"
        free = f"{disk.free_bytes / 1e9:.1f} GB are free"
        yield Check("disk", *_fullness(disk.percent, facts.thresholds, f"{used}, {free}"))
        inodes = f"{floor(disk.inodes_percent):g} % of the disk's inodes are used"
        yield Check("inodes", *_fullness(disk.inodes_percent, facts.thresholds, inodes))


def _fullness(percent: float, limit: Thresholds, reason: str) -> tuple[Status, str, str]:
    if percent < min(limit.disk_warning_percent, limit.disk_critical_percent):
        return Status.HEALTHY, reason, ""
    critical = percent >= limit.disk_critical_percent
    status = Status.CRITICAL if critical else Status.WARNING
    return status, reason, "Free some space, or move the archive to a larger disk."


def _lock_check(facts: Facts, now: datetime) -> Check:
    if facts.lock is None:
        return Check("lock", Status.HEALTHY, "no run holds the lock")
    held = now - facts.lock.since
    longest = facts.deadline + _CLOSING
    status = by_age(held, longest, 3 * longest)
    told = f"camdl {facts.lock.verb} (pid {facts.lock.pid}) holds the lock"
    if held >= timedelta():
        told += f" since {in_words(held)}"
    if status is Status.HEALTHY:
        return Check("lock", status, told)
    told += f"; no run should for longer than {in_words(longest)}, and no other can start"
    return Check("lock", status, told, "See what it does; if it hangs, end that process.")


def _clock_checks(facts: Facts) -> Iterator[Check]:
    if facts.clock is None:
        return
    offset = timedelta(seconds=facts.clock.seconds)
    status = by_age(abs(offset), _CLOCK_WARNING, _CLOCK_CRITICAL)
    if status is Status.HEALTHY:
        yield Check("clock", status, "this machine's clock agrees with the source's")
        return
    way = "ahead of" if offset > timedelta() else "behind"
    told = f"this machine's clock is {in_words(offset)} {way} the source's"
    when = f"as of the run of {clock(facts.clock.at)}"
    yield Check("clock", status, f"{told}, {when}", "Have the clock set by NTP.")
