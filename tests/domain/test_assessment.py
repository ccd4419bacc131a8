"""The rules of the verdict on an archive as a whole; those of jobs and streams have their own."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from camdl.domain.assessment import assess
from camdl.domain.facts import Facts, Fault
from camdl.domain.health import Check, Database, DiskUsage, LockHolder, Status, Thresholds
from camdl.domain.outcomes import ClockReading
from tests.support.facts import (
    FRESH,
    NOW,
    all_jobs,
    any_facts,
    check,
    facts,
    hours,
    minutes,
    percents,
    run,
    stream,
)

BADNESS = list(Status)
SUBJECTS = {
    *("database", "archive", "disk", "inodes", "browser", "lock", "clock"),
    *("download", "cleanup", "verify", "site", "stream"),
}


@given(any_facts())
def test_whatever_is_not_healthy_has_its_reason(known: Facts) -> None:
    """The whole is healthy only if everything is, and every bad thing says why in one line."""
    health = assess(known, NOW)
    assert (health.status is Status.HEALTHY) == (not health.problems)
    for one in health.problems:
        assert one.reason
    for one in health.checks:
        assert f"{one.reason}{one.advice}".isprintable()


@given(any_facts())
def test_checks_have_names_that_stay(known: Facts) -> None:
    """Alerts go by them: each once, and each begins with one of a few subjects."""
    names = [one.name for one in assess(known, NOW).checks]
    assert len(names) == len(set(names))
    assert {name.split(".")[0] for name in names} <= SUBJECTS


@given(any_facts())
def test_the_whole_is_no_better_than_its_parts(known: Facts) -> None:
    """Nothing bad is lost on the way up; only some critical streams of many become `degraded`."""
    health = assess(known, NOW)
    worst = max((BADNESS.index(one.status) for one in health.checks), default=0)
    if health.status is Status.DEGRADED:
        criticals = [one.status is Status.CRITICAL for one in health.streams]
        assert any(criticals)
        assert not all(criticals)
    else:
        assert BADNESS.index(health.status) == worst
    for one in health.streams:
        mine = [c.status for c in health.checks if c.name.startswith(f"stream.{one.name}.")]
        assert one.status is max(mine, key=BADNESS.index)


@given(any_facts())
def test_healthy_is_never_said_of_what_is_not(known: Facts) -> None:
    """Neither of an archive with a bad stream, nor of a site with one."""
    health = assess(known, NOW)
    for one in health.streams:
        if one.status is not Status.HEALTHY:
            assert health.status is not Status.HEALTHY
            site = [c for c in health.checks if c.name == f"site.{one.site}"]
            assert not (
                site
                and site[0].status is Status.HEALTHY
                and one.status in (Status.WARNING, Status.CRITICAL)
            )


@given(any_facts())
def test_the_exit_code_is_that_of_the_status(known: Facts) -> None:
    """Monitoring sees what the health file says."""
    health = assess(known, NOW)
    codes = {"healthy": 0, "warning": 1, "degraded": 1, "critical": 2, "unknown": 3}
    assert health.exit_code == codes[str(health.status)]


@given(any_facts(), st.timedeltas(timedelta(), hours(200)))
def test_getting_older_never_makes_it_better(known: Facts, more: timedelta) -> None:
    """The same archive, looked at later, is as bad or worse: all of it, and every stream.

    But for a time of the future, which is bad until it has come, and for one camera of many that
    is critical (degraded) and a warning more, which is not worse.
    """
    earlier, later = assess(known, NOW), assess(known, NOW + more)
    assume(not any("ahead of this computer's clock" in one.reason for one in earlier.checks))
    assert BADNESS.index(later.status) >= BADNESS.index(earlier.status)
    for before, after in zip(earlier.streams, later.streams, strict=True):
        assert BADNESS.index(after.status) >= BADNESS.index(before.status)


def test_a_healthy_archive() -> None:
    """All that was looked at is fine, and every check is there."""
    health = assess(facts(), NOW)
    assert (health.status, health.problems) == (Status.HEALTHY, ())
    assert [one.name for one in health.checks] == [
        "database",
        "archive",
        "disk",
        "inodes",
        "browser",
        "lock",
        "clock",
        *(f"{verb}.{what}" for verb in ("download", "cleanup", "verify") for what in ASPECTS),
        "site.apm",
        "stream.in_gate.newest",
        "stream.in_gate.failures",
    ]


ASPECTS = ("schedule", "outcome")


def test_one_camera_or_the_whole_site() -> None:
    """One of two streams critical degrades the archive; both of them, or the only one, is more."""
    good, bad = stream("a"), stream("b", minutes(100))
    assert assess(facts(good, bad), NOW).status is Status.DEGRADED
    assert assess(facts(stream("a", minutes(100)), bad), NOW).status is Status.CRITICAL
    assert assess(facts(bad), NOW).status is Status.CRITICAL


def test_nothing_has_happened_yet() -> None:
    """Without a run and a capture nobody knows, which is neither good nor bad."""
    for runs_yet, since in (((), None), ((run(minutes(1), None),), NOW - minutes(1))):
        known = facts(stream(age=None), jobs=all_jobs(*runs_yet)[:1], since=since)
        health = assess(known, NOW)
        assert (health.status, health.exit_code) == (Status.UNKNOWN, 3)
        assert "no run has read it yet" in health.line()


def test_no_catalogue_yet() -> None:
    """That is unknown too, and no database is connected."""
    nothing = stream()
    known = facts(
        *(type(nothing)(one.name, one.interval, None) for one in (nothing,)),
        jobs=(),
        database=Database.ABSENT,
    )
    health = assess(known, NOW)
    assert (health.status, health.exit_code) == (Status.UNKNOWN, 3)
    assert health.to_dict()["database"] == "disconnected"


def test_a_catalogue_that_cannot_be_read() -> None:
    """That is critical, of the streams nothing is known, and the disk is judged all the same."""
    nothing = type(stream())("in_gate", minutes(10), None, site="apm")
    known = facts(
        nothing,
        jobs=(),
        database=Database.DISCONNECTED,
        database_fault=Fault("the database\nis locked", "Wait."),
        disk=DiskUsage(85, 1, 0),
    )
    health = assess(known, NOW)
    assert health.status is Status.CRITICAL
    assert check(health, "database").reason == "the database is locked"
    assert health.streams[0].status is Status.UNKNOWN
    assert check(health, "disk").status is Status.WARNING
    assert "site.apm" not in {one.name for one in health.checks}
    unexplained = assess(
        facts(nothing, database=Database.DISCONNECTED, database_fault=None, jobs=()), NOW
    )
    assert check(unexplained, "database").reason == "the catalogue cannot be read"


@pytest.mark.parametrize(
    ("percent", "status"),
    [
        (79.99, Status.HEALTHY),
        (80, Status.WARNING),
        (89.99, Status.WARNING),
        (90, Status.CRITICAL),
    ],
)
def test_a_disk_that_fills_up(percent: float, status: Status) -> None:
    """Space and inodes have the same thresholds, from which on they are bad."""
    space = assess(facts(disk=DiskUsage(percent, 5, 0)), NOW)
    inodes = assess(facts(disk=DiskUsage(0, 5, percent)), NOW)
    assert (space.status, inodes.status) == (status, status)
    assert check(space, "disk").status is status
    assert check(inodes, "inodes").status is status


@given(percents, percents, percents)
def test_thresholds_in_the_wrong_order(used: float, warning: float, critical: float) -> None:
    """Whatever the thresholds are, a disk beyond the critical one is critical."""
    assume(used >= critical)
    known = facts(disk=DiskUsage(used, 5, 0), thresholds=Thresholds(warning, critical))
    assert assess(known, NOW).status is Status.CRITICAL


@given(percents, percents)
def test_a_fuller_disk_is_never_healthier(one: float, other: float) -> None:
    """Nor one with fewer inodes."""
    less, more = sorted((one, other))
    for disks in (
        (DiskUsage(less, 5, 0), DiskUsage(more, 5, 0)),
        (DiskUsage(0, 5, less), DiskUsage(0, 5, more)),
    ):
        emptier, fuller = (assess(facts(disk=disk), NOW).status for disk in disks)
        assert BADNESS.index(fuller) >= BADNESS.index(emptier)


def test_a_disk_that_cannot_be_looked_at() -> None:
    """It is not taken for an empty one."""
    health = assess(facts(disk=Fault("no permission", "Ask root.")), NOW)
    assert (health.status, health.disk) == (Status.UNKNOWN, None)
    assert health.problems == (Check("disk", Status.UNKNOWN, "no permission", "Ask root."),)


def test_an_archive_on_no_disk() -> None:
    """Nothing is said of a disk that there is not."""
    health = assess(facts(disk=None), NOW)
    assert health.status is Status.HEALTHY
    assert not any(one.name in ("disk", "inodes") for one in health.checks)


@pytest.mark.parametrize("name", ["archive", "browser"])
def test_what_no_run_can_do_without(name: str) -> None:
    """An archive that is not mounted and a browser that is not there are critical, with advice."""
    health = assess(facts(**{name: Fault("it is not\nthere", "Get it.")}), NOW)
    assert health.problems == (Check(name, Status.CRITICAL, "it is not there", "Get it."),)
    assert health.status is Status.CRITICAL
    unexplained = assess(facts(**{name: Fault("")}), NOW)
    assert check(unexplained, name).reason == f"the {name} cannot be used"
    assert name not in {one.name for one in assess(facts(**{name: ""}), NOW).checks}


def test_a_note_on_the_browser() -> None:
    """What is worth knowing is said, and is no fault."""
    health = assess(facts(browser="the sandbox is off"), NOW)
    assert health.status is Status.HEALTHY
    assert check(health, "browser").reason == "the sandbox is off"


@pytest.mark.parametrize(
    ("held", "status"),
    [
        (minutes(-30), Status.HEALTHY),
        (minutes(9), Status.HEALTHY),
        (minutes(9.1), Status.WARNING),
        (minutes(27), Status.WARNING),
        (minutes(27.1), Status.CRITICAL),
    ],
)
def test_a_run_that_holds_the_lock_for_too_long(held: timedelta, status: Status) -> None:
    """Beyond its deadline and a minute to close it hangs; after three times that nothing runs."""
    holder = LockHolder("download", 4711, NOW - held)
    health = assess(facts(lock=holder, deadline=minutes(8)), NOW)
    assert (health.status, health.lock) == (status, holder)
    said = check(health, "lock")
    assert said.reason.startswith("camdl download (pid 4711) holds the lock")
    assert ("no run should for longer than 9 min" in said.reason) == (status is not Status.HEALTHY)
    assert bool(said.advice) == (status is not Status.HEALTHY)


@pytest.mark.parametrize(
    ("seconds", "status", "said"),
    [
        (60.0, Status.HEALTHY, "agrees with the source's"),
        (-60.0, Status.HEALTHY, "agrees with the source's"),
        (61.0, Status.WARNING, "is 1 min ahead of the source's, as of the run of 2025-09-08 19:55"),
        (-61.0, Status.WARNING, "is 1 min behind the source's"),
        (3600.0, Status.WARNING, "ahead"),
        (-3601.0, Status.CRITICAL, "is 1 h behind the source's"),
    ],
)
def test_a_clock_that_is_wrong(seconds: float, status: Status, said: str) -> None:
    """A minute is noise; beyond that captures seem older or younger than they are."""
    health = assess(facts(clock=ClockReading(seconds, NOW - FRESH)), NOW)
    assert health.status is status
    assert said in check(health, "clock").reason


def test_a_clock_of_which_nothing_is_known() -> None:
    """Nothing is said of it."""
    assert "clock" not in {one.name for one in assess(facts(clock=None), NOW).checks}


def test_now_is_an_instant() -> None:
    """A `now` without a time zone is refused, one of any zone is told in UTC."""
    with pytest.raises(TypeError, match="no time zone"):
        assess(facts(), NOW.replace(tzinfo=None))
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-7)))
    assert assess(facts(), elsewhere) == assess(facts(), NOW)
