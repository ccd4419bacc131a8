"""What is started by itself, how often and when: the jobs, once, for whatever starts them.

A job's times follow from two lengths: how often it starts, and how long after midnight first. Cron
lines and systemd's calendar are two ways to write them. Both are times of the machine's clock on
the wall, so an instant can be told only with its time zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from camdl.domain.captures import utc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)

# The ids of all jobs, in the order in which `jobs` gives them.
JOBS = ("download", "health", "cleanup", "verify")

# Each is an equal part of an hour, or of a day in whole hours: others have no cron line.
_STEPS = (5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440)


class Format(StrEnum):
    """How the jobs are told: to a person, or to what is to start them."""

    TABLE = "table"
    CRONTAB = "crontab"
    SYSTEMD = "systemd"
    KUBERNETES = "kubernetes"


@dataclass(frozen=True, slots=True)
class Job:
    """One command that is started again and again.

    It starts `first` after midnight, to the minute and before `every`, and `every` so long after
    that. `verb` is the name under which its runs are recorded; `arguments` come after `camdl`.
    `remark` is one line that a person should know of its times, or empty.
    """

    id: str
    name: str
    arguments: tuple[str, ...]
    every: timedelta
    first: timedelta
    remark: str = ""

    @property
    def verb(self) -> str:
        """The command, which names the runs too."""
        return self.arguments[0]

    @property
    def is_recorded(self) -> bool:
        """Whether its runs are in the catalogue: one that only looks changes nothing there."""
        return self.verb != "health"

    @property
    def cron(self) -> str:
        """The five fields of its cron line."""
        hour, minute = divmod(self.first // _MINUTE, 60)
        if self.every < _HOUR:
            return f"{minute}-59/{self.every // _MINUTE} * * * *"
        if self.every < _DAY:
            return f"{minute} {_hours(f'{hour}-23', self.every)} * * *"
        return f"{minute} {hour} * * *"

    @property
    def calendar(self) -> str:
        """The same as systemd writes it, for `OnCalendar=`."""
        hour, minute = divmod(self.first // _MINUTE, 60)
        if self.every < _HOUR:
            return f"*-*-* *:{minute:02}/{self.every // _MINUTE}:00"
        if self.every < _DAY:
            return f"*-*-* {_hours(f'{hour:02}', self.every)}:{minute:02}:00"
        return f"*-*-* {hour:02}:{minute:02}:00"

    def next_after(self, now: datetime, zone: tzinfo = UTC) -> datetime:
        """When it starts next after the instant `now`, in UTC.

        `zone` is that of the machine's clock, by which cron and systemd go.

        Raises:
            TypeError: `now` has no time zone.
        """
        from cronsim import CronSim

        return utc(next(CronSim(self.cron, utc(now).astimezone(zone))))


@dataclass(frozen=True, slots=True)
class Due:
    """A job, and when it starts next (UTC)."""

    job: Job
    next_run: datetime


def due(jobs: Sequence[Job], now: datetime, zone: tzinfo) -> tuple[Due, ...]:
    """When each of `jobs` starts next, on a machine whose clock on the wall is that of `zone`.

    Raises:
        TypeError: `now` has no time zone.
    """
    return tuple(Due(job, job.next_after(now, zone)) for job in jobs)


def jobs(download_interval_minutes: int) -> tuple[Job, ...]:
    """Everything that has to be started for an archive, the most frequent runs first.

    Cron and systemd start together what is due together, and most other things on a machine start
    at the full hour. So each job has minutes of its own; only those of health, which waits for
    nobody, are at times a download's if the interval is 6 or 12 minutes.
    """
    every = timedelta(minutes=step(download_interval_minutes))
    return (
        Job(
            "download",
            "Download of the latest captures",
            ("download",),
            every,
            2 * _MINUTE,
            remark(download_interval_minutes),
        ),
        Job(
            "health",
            "Verdict on the archive",
            ("health", "--write", "--quiet"),
            5 * _MINUTE,
            4 * _MINUTE,
        ),
        Job(
            "cleanup",
            "Clean-up of old captures",
            ("cleanup", "--wait", "600"),
            _DAY,
            3 * _HOUR + 21 * _MINUTE,
        ),
        Job(
            "verify",
            "Check of files against the catalogue",
            ("verify", "--full", "--minutes", "30", "--rate", "20"),
            _DAY,
            3 * _HOUR + 41 * _MINUTE,
        ),
    )


def step(minutes: int) -> int:
    """How many minutes apart runs are started that should be `minutes` apart, at least 5.

    That is `minutes` where a cron line can say it, else the next shorter length that one can:
    what is started more often loses nothing, and what is started less often may.
    """
    return max(one for one in _STEPS if one <= minutes)


def remark(download_interval_minutes: int) -> str:
    """What is to be known of an interval that no cron line can say; empty if there is none."""
    started = step(download_interval_minutes)
    if started == download_interval_minutes:
        return ""
    return (
        f"no cron line starts something every {download_interval_minutes} minutes: an interval "
        f"must divide the hour, or be whole hours that divide the day. camdl download is started "
        f"every {started} minutes instead"
    )


def _hours(begin: str, every: timedelta) -> str:
    """A field that says every how many hours from `begin` on; of one hour, all of them."""
    return "*" if every == _HOUR else f"{begin}/{every // _HOUR}"
