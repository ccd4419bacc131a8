"""The rules for streams and sites: what is too old, what fails too often, and whose fault it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.assessment import assess
from camdl.domain.health import Database, Health, Status
from camdl.domain.stream_checks import stream_checks
from tests.support.facts import (
    INTERVAL,
    NOW,
    all_jobs,
    calendars,
    check,
    facts,
    hours,
    minutes,
    run,
    stream,
)

BADNESS = list(Status)


def judged(*streams: object, now: datetime = NOW) -> Health:
    """The verdict on these streams, of an archive where all else is fine."""
    jobs = all_jobs(run(NOW - now + minutes(5)))
    return assess(facts(*streams, jobs=jobs), now)  # type: ignore[arg-type]  # StreamFacts


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (minutes(30), Status.HEALTHY),
        (minutes(30.1), Status.WARNING),
        (minutes(60), Status.WARNING),
        (minutes(60.1), Status.CRITICAL),
        (minutes(-10), Status.HEALTHY),
        (minutes(-10.1), Status.WARNING),
    ],
)
def test_the_newest_captures_age(age: timedelta, status: Status) -> None:
    """Three intervals are fine and six are a warning; a capture from the future is one too."""
    health = judged(stream(age=age))
    assert health.streams[0].status is status
    assert check(health, "stream.in_gate.newest").status is status


def test_closed_hours_do_not_age_a_stream() -> None:
    """20:00 on a Monday: what came just before the gate closed at six is as good as new."""
    closed = stream(age=hours(2) + minutes(20), closed="Mon 18:00-19:50")
    health = judged(closed)
    said = check(health, "stream.in_gate.newest")
    assert said.status is Status.HEALTHY
    assert said.reason == (
        "in_gate: the newest capture is 2 h 20 min old, of 2025-09-08 17:40 UTC; "
        "the gate has been open for 30 min since"
    )
    told = health.streams[0]
    assert (told.age, told.open_age) == (hours(2) + minutes(20), minutes(30))
    assert "in_gate_age=1800s;1800;3600" in health.line()
    assert health.to_dict()["streams"] == [
        {
            "name": "in_gate",
            "status": "healthy",
            "newest_capture": "2025-09-08T17:40:00Z",
            "age_seconds": 8400,
            "open_age_seconds": 1800,
            "consecutive_failures": 0,
            "site": "apm",
        }
    ]


def test_a_gate_that_has_opened_is_expected_to_publish() -> None:
    """The hours before it closed and those since it opened count together."""
    night = "daily 18:00-06:00"
    sunday = stream(age=timedelta(), closed=night)
    for clock, status in (
        ("05:59", "healthy"),
        ("06:30", "healthy"),
        ("06:31", "warning"),
        ("07:01", "critical"),
    ):
        now = datetime.fromisoformat(f"2025-09-09T{clock}:00").replace(tzinfo=UTC)
        assert sunday.history is not None
        newest = datetime(2025, 9, 8, 18, 0, tzinfo=UTC)
        known = replace(sunday, history=replace(sunday.history, newest=newest))
        assert judged(known, now=now).streams[0].status == status


@given(st.timedeltas(minutes(-60), hours(300)), st.timedeltas(timedelta(), hours(50)), calendars)
def test_getting_older_never_makes_a_stream_better(
    age: timedelta, more: timedelta, closed: str
) -> None:
    """Neither by time that goes by, nor by an older capture; closed hours only ever excuse."""
    known, older = stream(age=age, closed=closed), stream(age=age + more, closed=closed)
    if age < -INTERVAL:
        return
    status = judged(known).streams[0].status
    assert BADNESS.index(judged(older).streams[0].status) >= BADNESS.index(status)
    later = judged(known, now=NOW + more).streams[0].status
    assert BADNESS.index(later) >= BADNESS.index(status)
    always_open = judged(stream(age=age)).streams[0].status
    assert BADNESS.index(always_open) >= BADNESS.index(status)


@pytest.mark.parametrize(
    ("failures", "status", "reason"),
    [
        (0, Status.HEALTHY, "in_gate: its last listing came"),
        (1, Status.WARNING, "in_gate: failed in the last run: no image matches"),
        (2, Status.WARNING, "in_gate: failed 2 times in a row: no image matches"),
        (3, Status.CRITICAL, "in_gate: failed 3 times in a row: no image matches"),
    ],
)
def test_consecutive_failures(failures: int, status: Status, reason: str) -> None:
    """One failure is a warning and three are critical, with the newest reason."""
    health = judged(stream(failures=failures, why="no image\nmatches"))
    assert check(health, "stream.in_gate.failures").reason == reason
    assert health.streams[0].status is status
    assert health.streams[0].consecutive_failures == failures


def test_a_failure_without_a_reason() -> None:
    """It is one all the same."""
    said = check(judged(stream(failures=1)), "stream.in_gate.failures")
    assert said.reason == "in_gate: failed in the last run: no reason is recorded"


@pytest.mark.parametrize(
    ("asked_ago", "status"),
    [
        (minutes(1), Status.WARNING),
        (minutes(60), Status.WARNING),
        (minutes(61), Status.CRITICAL),
        (None, Status.WARNING),
    ],
)
def test_a_stream_that_never_had_a_capture(asked_ago: timedelta | None, status: Status) -> None:
    """It is judged by how long runs have asked for it; one that is new may be so."""
    health = judged(stream("a"), stream("b", age=None, asked_ago=asked_ago))
    assert health.streams[1].status is status
    told = "no capture yet" if asked_ago else "no run has read it yet"
    assert told in check(health, "stream.b.newest").reason


def test_a_stream_of_which_nothing_is_known() -> None:
    """Why depends on whether there is a catalogue at all."""
    nothing = replace(stream(), history=None)
    (absent,) = stream_checks(nothing, Database.ABSENT, NOW, has_ended=False)
    (broken,) = stream_checks(nothing, Database.DISCONNECTED, NOW, has_ended=False)
    assert (absent.status, broken.status) == (Status.UNKNOWN, Status.UNKNOWN)
    assert absent.reason == "in_gate: no run has read it yet"
    assert "since the catalogue could not be read" in broken.reason


# A camera, a site, or the network?

OLD = minutes(100)
LATE = minutes(40)


@pytest.mark.parametrize(
    ("ages", "status", "reason"),
    [
        ({"a": LATE}, Status.WARNING, "a is silent, the others of site apm are fine: its camera"),
        ({"a": OLD}, Status.DEGRADED, "a is silent, the others of site apm are fine: its camera"),
        (
            {"a": LATE, "b": OLD},
            Status.DEGRADED,
            "a, b are silent, the others of site apm are fine: their cameras",
        ),
        (
            {"a": OLD, "b": OLD, "c": OLD},
            Status.CRITICAL,
            "all streams of site apm are silent: the site or the network",
        ),
        (
            {"a": LATE, "b": LATE, "c": LATE},
            Status.WARNING,
            "all streams of site apm are silent: the site or the network",
        ),
        ({}, Status.HEALTHY, "site apm: no stream is silent"),
    ],
)
def test_one_camera_or_all_of_a_site(
    ages: dict[str, timedelta], status: Status, reason: str
) -> None:
    """One sentence says which, and is among the first that a person reads."""
    streams = [stream(name, ages.get(name, minutes(5))) for name in "abc"]
    health = judged(*streams, stream("d", site="tti"))
    said = check(health, "site.apm")
    assert (said.status, said.reason) == (status, reason)
    assert bool(said.advice) == bool(ages)
    assert (said in health.problems) == bool(ages)


def test_the_only_stream_of_a_site() -> None:
    """Nothing tells its camera from its site."""
    said = check(judged(stream("a", OLD)), "site.apm")
    assert said.reason == "site apm: its one stream a is silent: camera, site or network"


def test_everything_is_silent_everywhere() -> None:
    """When all sites are, it is none of them."""
    health = judged(stream("a", OLD), stream("b", LATE, site="tti"))
    for name, status in (("site.apm", Status.CRITICAL), ("site.tti", Status.WARNING)):
        said = check(health, name)
        assert said.status is status
        assert "as all other sites are: the network of this machine" in said.reason


def test_a_site_is_not_blamed_for_what_did_not_run() -> None:
    """While no download runs every stream gets old, and nothing is known of the site."""
    health = assess(facts(stream("a", OLD), stream("b", OLD), jobs=all_jobs(run(OLD))), NOW)
    assert health.status is Status.CRITICAL
    said = check(health, "site.apm")
    assert said.status is Status.UNKNOWN
    assert "camdl download did not run" in said.reason
    assert health.problems[0].name == "download.schedule"


def test_a_stream_without_a_site() -> None:
    """There is nothing to compare it with."""
    names = [one.name for one in judged(stream(site="")).checks]
    assert not any(name.startswith("site.") for name in names)
