"""How what is known of the archive is judged at an instant: every rule of its health."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from camdl.domain.captures import utc
from camdl.domain.durations import in_words
from camdl.domain.health import (
    CRITICAL_INTERVALS,
    WARNING_INTERVALS,
    Check,
    Database,
    DiskUsage,
    Health,
    JobHealth,
    Status,
    StreamHealth,
    Thresholds,
    floor,
    worst,
)
from camdl.domain.outcomes import Outcome
from camdl.domain.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime, timedelta

    from camdl.domain.outcomes import RunRecord, StreamHistory

_CRITICAL_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something could not be looked at, and what to do about it."""

    reason: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """A stream, how far apart its captures are, and its history if the catalogue could tell it."""

    name: str
    interval: timedelta
    history: StreamHistory | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a verdict is made of.

    `runs` are the last ones of `camdl download`, newest first, which should start `interval`
    apart. `database_fault` belongs to a disconnected database. `disk` is None if the archive is
    on none. `browser_note` is worth knowing and no fault.
    """

    version: str
    streams: tuple[StreamFacts, ...]
    runs: tuple[RunRecord, ...]
    interval: timedelta
    database: Database
    disk: DiskUsage | Fault | None
    database_fault: Fault | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    browser_note: str = ""


def assess(facts: Facts, now: datetime) -> Health:
    """The verdict at `now` on what is known.

    Raises:
        TypeError: `now` has no time zone.
    """
    now = utc(now)
    common = (
        _database_check(facts),
        *_disk_checks(facts),
        *_job_checks(facts, now),
        *_browser_checks(facts),
    )
    of_streams = [_stream_checks(stream, facts, now) for stream in facts.streams]
    streams = tuple(
        _stream_health(stream, checks, now)
        for stream, checks in zip(facts.streams, of_streams, strict=True)
    )
    return Health(
        status=worst([*(check.status for check in common), _of_all(streams)]),
        timestamp=now,
        version=facts.version,
        database=facts.database,
        disk=facts.disk if isinstance(facts.disk, DiskUsage) else None,
        thresholds=facts.thresholds,
        jobs=(_download_job(facts),),
        streams=streams,
        checks=(*common, *(check for checks in of_streams for check in checks)),
    )


def _of_all(streams: tuple[StreamHealth, ...]) -> Status:
    """One camera silent, or the whole site?"""
    statuses = {stream.status for stream in streams}
    if Status.CRITICAL in statuses and statuses != {Status.CRITICAL}:
        return Status.DEGRADED
    return worst(statuses)


def _by_age(age: timedelta, warning: timedelta, critical: timedelta) -> Status:
    """The status of something that is fine up to `warning` and bad beyond `critical`."""
    if age <= warning:
        return Status.HEALTHY
    return Status.WARNING if age <= critical else Status.CRITICAL


def _by_stream_age(age: timedelta, interval: timedelta) -> Status:
    return _by_age(age, WARNING_INTERVALS * interval, CRITICAL_INTERVALS * interval)


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


def _browser_checks(facts: Facts) -> Iterator[Check]:
    if note := one_line(facts.browser_note):
        yield Check("browser", Status.HEALTHY, note)


def _job_checks(facts: Facts, now: datetime) -> Iterator[Check]:
    if facts.database is not Database.CONNECTED:
        return  # the check of the database says it
    if not facts.runs:
        yield Check(
            "download.schedule",
            Status.UNKNOWN,
            "no run of camdl download is recorded yet",
            "Have cron or a timer start camdl download.",
        )
        return
    yield _schedule_check(facts.runs[0], facts.interval, now)
    yield _outcome_check(facts.runs, facts.interval, now)


def _schedule_check(last: RunRecord, interval: timedelta, now: datetime) -> Check:
    name, age = "download.schedule", now - last.started_at
    if age < -interval:
        return _in_the_future(name, f"the last run of camdl download started {in_words(age)}")
    status = _by_age(age, 2 * interval, 3 * interval)
    if status is Status.HEALTHY:
        return Check(name, status, f"camdl download ran {in_words(age)} ago")
    since = f"camdl has not run since {_clock(last.started_at)}, {in_words(age)} ago"
    return Check(name, status, since, "Check that cron or the timer still starts camdl download.")


def _outcome_check(runs: tuple[RunRecord, ...], interval: timedelta, now: datetime) -> Check:
    name, last = "download.outcome", runs[0]
    if last.ended_at is None and now - last.started_at > interval:
        return Check(
            name,
            Status.WARNING,
            f"the run of {_clock(last.started_at)} has not ended: it was killed, or it hangs",
            "The next run goes on where it stopped; if none can start, end the one that hangs.",
        )
    ended = _last_ended(runs)
    if ended is None:
        return Check(name, Status.HEALTHY, "the first run is going on")
    said = f"the run of {_clock(ended.started_at)} ended {ended.outcome}"
    if ended.outcome not in (Outcome.FAILED, Outcome.INTERRUPTED):
        return Check(name, Status.HEALTHY, said)
    why = ended.error or "; ".join(one.reason for one in ended.streams if one.reason)
    reason = one_line(f"{said}: {why}" if why else said)
    return Check(name, Status.WARNING, reason, "Run camdl download -v to see what happens.")


def _last_ended(runs: Iterable[RunRecord]) -> RunRecord | None:
    return next((run for run in runs if run.ended_at is not None), None)


def _stream_checks(stream: StreamFacts, facts: Facts, now: datetime) -> tuple[Check, ...]:
    newest = f"stream.{stream.name}.newest"
    if stream.history is None:
        reason = f"{stream.name}: nothing is known of it, since the catalogue could not be read"
        if facts.database is Database.ABSENT:
            reason = f"{stream.name}: no run has read it yet"
        return (Check(newest, Status.UNKNOWN, reason),)
    failures = _failures_check(stream.name, stream.history)
    if stream.history.newest is None:
        return _nothing_yet_check(newest, stream, facts.runs, now), failures
    return _age_check(newest, stream, stream.history.newest, now), failures


def _age_check(name: str, stream: StreamFacts, newest: datetime, now: datetime) -> Check:
    age = now - newest
    if age < -stream.interval:
        return _in_the_future(name, f"{stream.name}: the newest capture is {in_words(age)}")
    status = _by_stream_age(age, stream.interval)
    reason = f"{stream.name}: the newest capture is {in_words(age)} old, of {_clock(newest)}"
    advice = "" if status is Status.HEALTHY else "Look whether the camera's page shows newer ones."
    return Check(name, status, reason, advice)


def _nothing_yet_check(
    name: str, stream: StreamFacts, runs: tuple[RunRecord, ...], now: datetime
) -> Check:
    """Judge a stream without a capture by how long runs have asked for it."""
    if _last_ended(runs) is None:
        return Check(name, Status.UNKNOWN, f"{stream.name}: no run has read it yet")
    asked = [run for run in runs if any(one.stream == stream.name for one in run.streams)]
    if not asked:
        advice = "Run camdl download for it, or take it out of stream_names."
        return Check(name, Status.WARNING, f"{stream.name}: no run has read it yet", advice)
    age = now - min(run.started_at for run in asked)
    status = _by_stream_age(age, stream.interval)
    reason = f"{stream.name}: no capture yet, though runs ask for it since {in_words(age)}"
    advice = "Check the stream's name, and its site's page and image templates."
    return Check(name, worst([Status.WARNING, status]), reason, advice)


def _failures_check(stream: str, history: StreamHistory) -> Check:
    name, times = f"stream.{stream}.failures", history.consecutive_failures
    if times < 1:
        return Check(name, Status.HEALTHY, f"{stream}: its last listing came")
    often = f"failed {times} times in a row" if times > 1 else "failed in the last run"
    why = history.last_reason or "no reason is recorded"
    return Check(
        name,
        Status.CRITICAL if times >= _CRITICAL_FAILURES else Status.WARNING,
        one_line(f"{stream}: {often}: {why}"),
        "Look at the camera's page, and at what the run kept of it in the diagnostics directory.",
    )


def _in_the_future(name: str, what: str) -> Check:
    """Such a time would hide for long that nothing comes after it."""
    reason = f"{what} ahead of this computer's clock"
    return Check(name, Status.WARNING, reason, "Check the clock, and the site's time zone.")


def _stream_health(stream: StreamFacts, checks: tuple[Check, ...], now: datetime) -> StreamHealth:
    history = stream.history
    newest = history.newest if history else None
    return StreamHealth(
        name=stream.name,
        status=worst(check.status for check in checks),
        interval=stream.interval,
        newest=newest,
        age=now - newest if newest else None,
        consecutive_failures=history.consecutive_failures if history else None,
    )


def _download_job(facts: Facts) -> JobHealth:
    last = facts.runs[0] if facts.runs else None
    good = (run.started_at for run in facts.runs if run.outcome is Outcome.OK)
    return JobHealth(
        id="download",
        name="Download of the latest captures",
        last_run=last.started_at if last else None,
        outcome=last.outcome if last else None,
        next_run=last.started_at + facts.interval if last else None,
        last_good_run=next(good, None),
    )


def _clock(moment: datetime) -> str:
    return f"{utc(moment):%Y-%m-%d %H:%M} UTC"
