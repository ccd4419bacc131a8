"""The rules for jobs: what is late, what has never run, and how a run ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.assessment import assess
from camdl.domain.health import Check, Status
from camdl.domain.job_checks import job_checks, job_health, lateness
from camdl.domain.outcomes import JobHistory, Outcome
from tests.support.facts import (
    DAY,
    JOBS,
    NOW,
    all_jobs,
    check,
    facts,
    hours,
    job,
    minutes,
    run,
)

BADNESS = list(Status)


def checks(name: str, *runs: object, since: datetime | None = NOW - 100 * DAY) -> list[Check]:
    """What is said of a job with these runs."""
    return list(job_checks(job(name, *runs), since, NOW))  # type: ignore[arg-type]  # RunRecords


@pytest.mark.parametrize(
    ("verb", "ago", "status"),
    [
        ("download", minutes(20), Status.HEALTHY),
        ("download", minutes(20.1), Status.WARNING),
        ("download", minutes(30), Status.WARNING),
        ("download", minutes(30.1), Status.CRITICAL),
        ("download", minutes(-10), Status.HEALTHY),
        ("download", minutes(-10.1), Status.WARNING),
        ("cleanup", hours(26), Status.HEALTHY),
        ("cleanup", hours(26.1), Status.WARNING),
        ("verify", hours(50), Status.WARNING),
        ("verify", hours(50.1), Status.CRITICAL),
    ],
)
def test_nothing_ran_for_long(verb: str, ago: timedelta, status: Status) -> None:
    """A job that no longer starts is critical, although its last run and the images are fine."""
    schedule, outcome = checks(verb, run(ago, verb=verb))
    assert (schedule.name, outcome.name) == (f"{verb}.schedule", f"{verb}.outcome")
    assert (schedule.status, outcome.status) == (status, Status.HEALTHY)
    if status is not Status.HEALTHY and ago > timedelta():
        assert schedule.reason.startswith(f"camdl {verb} has not run since 2025-09-0")
        assert f"starts camdl {verb}" in schedule.advice


def test_a_job_that_does_not_run_is_the_whole_archives_fault() -> None:
    """Also when it is a clean-up."""
    late = (*all_jobs(run())[:1], job("cleanup", run(hours(60), verb="cleanup")))
    health = assess(facts(jobs=late), NOW)
    assert health.status is Status.CRITICAL
    assert check(health, "cleanup.schedule").status is Status.CRITICAL


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (hours(26), Status.HEALTHY),
        (hours(27), Status.WARNING),
        (hours(51), Status.CRITICAL),
    ],
)
def test_a_job_that_has_never_run(age: timedelta, status: Status) -> None:
    """It is as late as if the beginning of the archive had been its last run."""
    (said,) = checks("verify", since=NOW - age)
    assert said.status is status
    if status is not Status.HEALTHY:
        assert said.reason.startswith(
            "camdl verify has never run, though the archive began 1 d 3 h"
        ) or (status is Status.CRITICAL)
        assert "left out of the key jobs" in said.advice


def test_before_the_first_run_of_all() -> None:
    """Nobody knows whether downloads will run; the others are not missed yet."""
    (download,) = checks("download", since=None)
    (cleanup,) = checks("cleanup", since=None)
    assert (download.status, cleanup.status) == (Status.UNKNOWN, Status.HEALTHY)
    assert download.reason == "no run of camdl download is recorded yet"


def test_what_nothing_is_to_start_is_not_missed() -> None:
    """Nor is it judged by a run that somebody once started by hand."""
    forgotten = replace(job("verify", run(99 * DAY, Outcome.FAILED)), scheduled=False)
    assert list(job_checks(forgotten, None, NOW)) == []
    assert lateness(forgotten, NOW - 99 * DAY, NOW) is Status.HEALTHY


def test_of_what_nothing_is_known_nothing_is_said() -> None:
    """The check of the database says why."""
    unknown = replace(job("download"), history=None)
    assert list(job_checks(unknown, None, NOW)) == []
    assert lateness(unknown, None, NOW) is Status.HEALTHY


@pytest.mark.parametrize(
    ("verb", "outcome", "status"),
    [
        ("download", Outcome.OK, Status.HEALTHY),
        ("download", Outcome.PARTLY, Status.HEALTHY),
        ("download", Outcome.FAILED, Status.WARNING),
        ("download", Outcome.INTERRUPTED, Status.WARNING),
        ("cleanup", Outcome.OK, Status.HEALTHY),
        ("cleanup", Outcome.PARTLY, Status.WARNING),
        ("verify", Outcome.PARTLY, Status.WARNING),
        ("verify", Outcome.FAILED, Status.WARNING),
    ],
)
def test_the_last_runs_outcome(verb: str, outcome: Outcome, status: Status) -> None:
    """What was not done is a warning, with its error or its streams' reasons; what a download got
    only in part the next one gets.
    """
    said = checks(verb, run(outcome=outcome, error="disk full", verb=verb))[1]
    assert (said.status, "disk full" in said.reason) == (status, status is Status.WARNING)
    said = checks(verb, run(outcome=outcome, streams=("a", "b"), verb=verb))[1]
    assert ("a is gone; b is gone" in said.reason) == (status is Status.WARNING)
    said = checks(verb, run(outcome=outcome, verb=verb))[1]
    assert said.reason.endswith(f"ended {outcome}")


def test_a_run_that_goes_on() -> None:
    """Meanwhile the run before it counts; one that never ends was killed or hangs."""
    going_on = run(minutes(9), None)
    assert checks("download", going_on, run(minutes(19)))[1].status is Status.HEALTHY
    failed = run(minutes(19), Outcome.FAILED)
    assert checks("download", going_on, failed)[1].status is Status.WARNING
    first = checks("download", going_on)[1]
    assert first == Check(
        "download.outcome", Status.HEALTHY, "the first run of camdl download is going on"
    )
    hanging = checks("download", run(minutes(11), None), run(minutes(21)))[1]
    assert hanging.status is Status.WARNING
    assert "it was killed, or it hangs" in hanging.reason


@pytest.mark.parametrize(("ago", "status"), [(6, Status.HEALTHY), (6.1, Status.WARNING)])
def test_a_daily_run_may_take_hours(ago: float, status: Status) -> None:
    """But no quarter of a day."""
    assert checks("verify", run(hours(ago), None, verb="verify"))[1].status is status


@given(
    st.sampled_from(list(JOBS)),
    st.timedeltas(minutes(-60), 9 * DAY),
    st.timedeltas(timedelta(), 9 * DAY),
)
def test_being_later_is_never_better(name: str, ago: timedelta, more: timedelta) -> None:
    """Whatever the job."""
    sooner = lateness(job(name, run(ago)), None, NOW)
    later = lateness(job(name, run(ago)), None, NOW + more)
    assert BADNESS.index(later) >= BADNESS.index(sooner)


def test_the_job_and_its_runs() -> None:
    """The last run, the last good one, how long the last took, and the next by the schedule."""
    bad, good = run(minutes(5), Outcome.PARTLY), run(minutes(15))
    told = job_health(job("download", bad, good), NOW, ZoneInfo("UTC"))
    assert (told.id, told.last_run, told.outcome) == ("download", bad.started_at, Outcome.PARTLY)
    assert told.last_good_run == good.started_at
    assert told.next_run == NOW + minutes(2)
    assert (told.every, told.last_seconds) == (minutes(10), 60.0)


def test_a_job_that_nothing_starts_has_no_next_run() -> None:
    """And one that never ran has no last."""
    told = job_health(job("cleanup", scheduled=False), NOW, ZoneInfo("UTC"))
    assert (told.last_run, told.outcome, told.next_run, told.last_good_run) == (None,) * 4
    assert (told.every, told.last_seconds) == (None, None)
    unknown = job_health(replace(job("cleanup"), history=None), NOW, ZoneInfo("UTC"))
    assert (unknown.last_run, unknown.last_seconds) == (None, None)


def test_the_next_run_is_by_the_clock_on_the_wall() -> None:
    """A daily job starts at another instant where the clocks are others."""
    zone = ZoneInfo("America/Los_Angeles")
    told = job_health(job("cleanup"), NOW, zone)
    assert told.next_run is not None
    assert f"{told.next_run.astimezone(zone):%H:%M}" == "03:21"


def test_a_run_that_is_going_on_has_taken_no_time_yet() -> None:
    """The one before it tells how long they take."""
    told = job_health(job("download", run(minutes(1), None)), NOW, ZoneInfo("UTC"))
    assert told.last_seconds is None
    assert job("download").history == JobHistory()
