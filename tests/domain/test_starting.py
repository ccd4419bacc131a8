"""What starts the jobs, and whether that agrees with the runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from camdl.domain.examination import Grade
from camdl.domain.schedule import jobs
from camdl.domain.starting import Starters, Timer, examine, starts, timers, unit_of

NOW = datetime(2025, 9, 8, 20, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
JOBS = jobs(10)
DOWNLOAD = JOBS[0]
TIMERS = tuple(Timer(unit_of(job), "system", True, NOW - 3 * MINUTE, NOW) for job in JOBS)
CRONTAB = """\
# Starts camdl.
MAILTO=root
2-59/10 * * * * camdl cd /var/lib/camdl && /opt/camdl/bin/camdl download
@daily camdl cd /var/lib/camdl && "/opt/camdl/bin/camdl" cleanup --wait 600
41 3 * * Mon-Fri cd /srv/camdl && python3 -m camdl verify --full
# 4-59/5 * * * * camdl health
"""
LAST = {"download": NOW - 8 * MINUTE, "cleanup": NOW - 17 * 60 * MINUTE, "verify": NOW}
SHOWN = """\
Id=camdl-download.timer
LoadState=loaded
ActiveState=active
LastTriggerUSec=@1757362950
NextElapseUSecRealtime=@1757363520.5

Id=camdl-health.timer
LoadState=loaded
ActiveState=inactive
LastTriggerUSec=
NextElapseUSecRealtime=@0

Id=camdl-verify.timer
LoadState=not-found
ActiveState=inactive
LastTriggerUSec=n/a
"""


def told(found: Starters, last: dict[str, datetime | None] | None = None) -> list[str]:
    """Grade, words and remedy of each finding."""
    findings = examine(JOBS, found, LAST if last is None else last, NOW)
    return [f"{one.grade}: {one.said} | {one.remedy}".removesuffix(" | ") for one in findings]


def test_what_systemd_says_of_timers() -> None:
    """Those that are there, with their times if they have any."""
    download, health = timers(SHOWN, "user")
    assert download == Timer(
        "camdl-download.timer",
        "user",
        True,
        datetime(2025, 9, 8, 20, 22, 30, tzinfo=UTC),
        datetime(2025, 9, 8, 20, 32, tzinfo=UTC),
    )
    assert health == Timer("camdl-health.timer", "user", False)
    assert timers("", "system") == []


def test_times_as_words() -> None:
    """As systemd 252 says them of timers, whatever it was asked for."""
    shown = "Id=a.timer\nLoadState=loaded\nLastTriggerUSec=Mon 2025-09-08 20:22:30 UTC"
    (timer,) = timers(shown, "system")
    assert timer.last == datetime(2025, 9, 8, 20, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "moment", ["@99999999999999999999", "@x", "infinity", "-1", "Mon 2025-09-31 20:22:30 UTC"]
)
def test_times_that_are_none(moment: str) -> None:
    """They are left out."""
    (timer,) = timers(f"Id=a.timer\nLoadState=loaded\nLastTriggerUSec={moment}", "system")
    assert timer.last is None


def test_lines_of_a_crontab() -> None:
    """Whoever they run as and however the program is called; comments are none."""
    assert [starts(CRONTAB, job) for job in JOBS] == [True, False, True, True]


@pytest.mark.parametrize(
    "line",
    [
        "* * * * * camdl downloads",
        "* * * * * camdl download-all",
        "* * * * * mycamdlx download",
        "camdl download",
        "# * * * * * camdl download",
        "PATH=/opt/camdl download * * * * *",
    ],
)
def test_lines_that_start_something_else(line: str) -> None:
    """Another program, another command, or nothing at all."""
    assert not starts(line, DOWNLOAD)


@pytest.mark.parametrize("every", [5, 6, 10, 30, 60, 120, 1440])
def test_every_line_that_we_write_is_found(every: int) -> None:
    """Whatever the interval."""
    for job in jobs(every):
        assert starts(f"{job.cron} cd /srv && camdl {' '.join(job.arguments)}", job)


def test_all_is_well_with_systemd() -> None:
    """One line says what starts them, and one that it does."""
    assert told(Starters(TIMERS)) == [
        "fine: systemd starts download, health, cleanup and verify",
        "fine: the last timer fired 3 min ago",
    ]
    mine = tuple(replace(one, owner="user") for one in TIMERS)
    assert (
        told(Starters(mine))[0] == "fine: your systemd starts download, health, cleanup and verify"
    )


def test_all_is_well_with_cron() -> None:
    """What it does not have is said."""
    assert told(Starters(crontabs={"/etc/cron.d/camdl": CRONTAB}, cron_runs=True)) == [
        "note: health: nothing here starts it | Have them started: camdl schedule install",
        "fine: /etc/cron.d/camdl starts download, cleanup and verify",
    ]


def test_a_timer_that_does_not_run() -> None:
    """With the command that starts it."""
    asleep = (replace(TIMERS[0], is_active=False), *TIMERS[1:])
    assert told(Starters(asleep))[0] == (
        "bad: camdl-download.timer is there, and is not active | "
        "systemctl enable --now camdl-download.timer"
    )
    mine = tuple(replace(one, owner="user") for one in asleep)
    assert "systemctl --user enable --now" in told(Starters(mine))[0]


def test_a_crontab_without_a_cron() -> None:
    """Lines alone start nothing."""
    first, *_ = told(Starters(crontabs={"your crontab": CRONTAB}, cron_runs=False))
    assert first == (
        "bad: download: your crontab has it, and no cron is running | "
        "As root: apt-get install -y cron && systemctl enable --now cron"
    )


def test_what_is_started_twice() -> None:
    """By both, since an old line was forgotten."""
    found = Starters(TIMERS, {"/etc/crontab": CRONTAB}, cron_runs=True)
    assert told(found)[0] == (
        "note: download: systemd and /etc/crontab start it: twice | "
        "Leave one: camdl schedule uninstall"
    )


def test_runs_that_do_not_come() -> None:
    """A timer that fires is not enough: the catalogue has to have the runs."""
    first, *_ = told(Starters(TIMERS), {**LAST, "download": NOW - 45 * MINUTE})
    assert first == (
        "bad: download: systemd starts it every 10 min, and the last run recorded began 45 min ago"
        " | See why: journalctl --unit=camdl-download --unit=cron --since=-1d"
    )
    first, *_ = told(Starters(TIMERS), {**LAST, "download": None})
    assert first == (
        "note: download: systemd starts it every 10 min, and no run of it is recorded yet"
    )


def test_nothing_is_known_of_the_runs() -> None:
    """Then they disagree with nothing."""
    assert [line[:4] for line in told(Starters(TIMERS), {})] == ["fine", "fine"]


def test_nothing_starts_anything() -> None:
    """Without downloads nothing comes; without the others an archive is not cared for."""
    remedy = "Have them started: camdl schedule install"
    assert told(Starters(), {}) == [
        f"bad: download: nothing here starts it every 10 min | {remedy}",
        f"note: health, cleanup and verify: nothing here starts them | {remedy}",
    ]


def test_something_elsewhere_starts_them() -> None:
    """What runs in time is started by something, such as Kubernetes."""
    assert told(Starters())[0] == (
        "note: download, cleanup and verify: what starts them was not found, but they ran in time"
    )
    grades = [one.grade for one in examine(JOBS, Starters(), LAST, NOW)]
    assert Grade.BAD not in grades
