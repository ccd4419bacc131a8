"""When the jobs start, as cron, systemd and `next_after` say it."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.schedule import JOBS, Job, jobs, remark, step

NOW = datetime(2025, 9, 8, 20, 30, tzinfo=UTC)
DAY = timedelta(days=1)
INTERVALS = st.integers(5, 1440)
INSTANTS = st.integers(0, 2**31).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
# What a cron line can say: parts of an hour, and hours that are a part of a day.
SAYABLE = [
    *(n for n in range(5, 61) if 60 % n == 0),
    *(60 * n for n in range(1, 25) if 24 % n == 0),
]


def job(name: str, minutes: int = 10) -> Job:
    """The job with this id, where downloads are so many minutes apart."""
    (found,) = (one for one in jobs(minutes) if one.id == name)
    return found


@pytest.mark.parametrize(
    ("minutes", "cron", "calendar"),
    [
        (5, "2-59/5 * * * *", "*-*-* *:02/5:00"),
        (10, "2-59/10 * * * *", "*-*-* *:02/10:00"),
        (60, "2 * * * *", "*-*-* *:02:00"),
        (120, "2 0-23/2 * * *", "*-*-* 00/2:02:00"),
        (1440, "2 0 * * *", "*-*-* 00:02:00"),
    ],
)
def test_an_interval_has_one_line(minutes: int, cron: str, calendar: str) -> None:
    """It is written for cron and for systemd."""
    download = job("download", minutes)
    assert (download.cron, download.calendar) == (cron, calendar)
    assert download.every == timedelta(minutes=minutes)
    assert remark(minutes) == ""


def test_jobs_of_every_day() -> None:
    """Clean-up and the nightly check come once a day, while most are asleep."""
    assert (job("cleanup").cron, job("cleanup").calendar) == ("21 3 * * *", "*-*-* 03:21:00")
    assert (job("verify").cron, job("verify").calendar) == ("41 3 * * *", "*-*-* 03:41:00")


def test_ids_and_verbs() -> None:
    """A job's verb is the command that it runs, by which the catalogue knows its runs."""
    assert [(one.id, one.verb) for one in jobs(10)] == [
        (name, name) for name in ("download", "health", "cleanup", "verify")
    ]
    assert tuple(one.id for one in jobs(10)) == JOBS
    assert [one.id for one in jobs(10) if not one.is_recorded] == ["health"]


@given(INTERVALS, INSTANTS)
def test_the_next_run_is_the_next(minutes: int, now: datetime) -> None:
    """It comes after now, no later than one interval, at a time that the two lengths give."""
    for one in jobs(minutes):
        due = one.next_after(now)
        assert now < due <= now + one.every
        midnight = due.replace(hour=0, minute=0)
        assert (due - midnight - one.first) % one.every == timedelta()
        assert one.next_after(due) == due + one.every


@given(INTERVALS)
def test_runs_are_never_further_apart_than_asked_for(minutes: int) -> None:
    """What no cron line can say becomes the next shorter that one can, and a remark says so."""
    started = step(minutes)
    assert started == max(one for one in SAYABLE if one <= minutes)
    assert bool(remark(minutes)) == (started != minutes)
    if remark(minutes):
        assert f"every {minutes} minutes" in remark(minutes)
        assert f"every {started} minutes instead" in remark(minutes)


@pytest.mark.parametrize("minutes", SAYABLE)
def test_no_two_jobs_start_together(minutes: int) -> None:
    """Nor at the full hour. Health may begin with another, as it waits for none."""
    starts: dict[datetime, list[str]] = {}
    begin = NOW.replace(hour=0, minute=0) - timedelta(minutes=1)
    for one in jobs(minutes):
        due = one.next_after(begin)
        while due < begin + DAY:
            starts.setdefault(due, []).append(one.id)
            due = one.next_after(due)
    assert all(due.minute for due in starts)
    together = {tuple(ids) for ids in starts.values() if len(ids) > 1}
    assert together <= ({("download", "health")} if minutes in (6, 12) else set())


def test_times_are_those_of_the_clock_on_the_wall() -> None:
    """Every day at the same time there, also when the clock is put back an hour."""
    there = ZoneInfo("America/Los_Angeles")
    before = datetime(2025, 11, 1, 12, tzinfo=UTC)
    summer = job("cleanup").next_after(before - DAY, there)
    winter = job("cleanup").next_after(before + DAY, there)
    assert (summer.hour, winter.hour, summer.tzinfo) == (10, 11, UTC)


def test_an_instant_needs_a_zone() -> None:
    """A naive time is refused: nobody knows which instant it is."""
    with pytest.raises(TypeError, match="no time zone"):
        job("download").next_after(NOW.replace(tzinfo=None))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
@pytest.mark.parametrize("minutes", SAYABLE)
def test_systemd_and_cron_mean_the_same(minutes: int) -> None:
    """A whole day of starts is the same for both."""
    for one in jobs(minutes):
        times = DAY // one.every
        begin = NOW.replace(hour=0, minute=0) - timedelta(seconds=1)
        simulated = CronSim(one.cron, begin)
        said = subprocess.run(
            [
                *("systemd-analyze", "calendar", f"--iterations={times}"),
                f"--base-time={begin:%Y-%m-%d %H:%M:%S} UTC",
                one.calendar,
            ],
            env={"TZ": "UTC", "LC_ALL": "C", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        due = [line.split(": ")[1] for line in said.splitlines() if "UTC" in line]
        assert due
        assert due == [f"{next(simulated):%a %Y-%m-%d %H:%M:%S} UTC" for _ in due]
        assert len(due) == times
