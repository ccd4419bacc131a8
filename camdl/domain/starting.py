"""What starts the jobs on a machine, and whether the runs that are recorded agree with that."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from camdl.domain.durations import in_words
from camdl.domain.examination import bad, fine, note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from camdl.domain.examination import Finding
    from camdl.domain.schedule import Job

_INSTALL = "Have them started: camdl schedule install"
# Without it nothing comes into the archive.
_MOST_IMPORTANT = "download"
# A line of a crontab with its five fields, or a name for them.
_CRON_LINE = re.compile(r"\s*(?:@[a-z]+|(?:[-*/,0-9A-Za-z]+\s+){4}[-*/,0-9A-Za-z]+)\s+(?P<rest>.*)")


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer of systemd's. `owner` is whose: the `system`'s, or this `user`'s. Times are UTC."""

    unit: str
    owner: str
    is_active: bool
    last: datetime | None = None
    next: datetime | None = None


@dataclass(frozen=True, slots=True)
class Starters:
    """What was found. `crontabs` are texts by their names; `cron_runs` is None if nobody knows."""

    timers: Sequence[Timer] = ()
    crontabs: Mapping[str, str] = field(default_factory=dict)
    cron_runs: bool | None = None


def unit_of(job: Job) -> str:
    """The name of the timer that starts `job`."""
    return f"camdl-{job.id}.timer"


def timers(shown: str, owner: str) -> list[Timer]:
    """The timers that there are, in what `systemctl show --timestamp=unix` says of some, in UTC."""
    found = []
    for block in shown.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("LoadState") == "loaded":
            found.append(
                Timer(
                    values.get("Id", ""),
                    owner,
                    values.get("ActiveState") == "active",
                    _moment(values.get("LastTriggerUSec", "")),
                    _moment(values.get("NextElapseUSecRealtime", "")),
                )
            )
    return found


def starts(crontab: str, job: Job) -> bool:
    """Whether a line of `crontab` starts `job`."""
    command = re.compile(rf"camdl[\"']?\s+{re.escape(job.verb)}(?![\w-])")
    lines = (_CRON_LINE.fullmatch(line) for line in crontab.splitlines())
    return any(line and command.search(line["rest"]) for line in lines)


def examine(
    jobs: Sequence[Job],
    found: Starters,
    last_runs: Mapping[str, datetime | None],
    now: datetime,
) -> Iterator[Finding]:
    """What starts each of `jobs`, and whether its last run agrees with that.

    `last_runs` says when the last run of each verb began, None if there was none; nothing is known
    of those that are not in it.
    """
    well: dict[str, list[str]] = {}
    unfound: list[Job] = []
    for job in jobs:
        by, problems = _by(job, found)
        if by and not problems:
            problems = list(_disagreement(job, by, last_runs, now))
        if problems:
            yield from problems
        elif by:
            well.setdefault(by[0], []).append(job.id)
        else:
            unfound.append(job)
    yield from _unfound(unfound, last_runs, now)
    for starter, ids in well.items():
        yield fine(f"{starter} starts {_and(ids)}")
    fired = max((one.last for one in found.timers if one.last), default=None)
    if fired and well:
        yield fine(f"the last timer fired {in_words(now - fired)} ago")


def _by(job: Job, found: Starters) -> tuple[list[str], list[Finding]]:
    """What starts `job`, and what keeps it from that."""
    by: list[str] = []
    problems: list[Finding] = []
    for timer in found.timers:
        if timer.unit != unit_of(job):
            continue
        user = " --user" if timer.owner == "user" else ""
        if timer.is_active:
            by.append("your systemd" if user else "systemd")
        else:
            command = f"systemctl{user} enable --now {timer.unit}"
            problems.append(bad(f"{timer.unit} is there, and is not active", command))
    lines = [name for name, text in found.crontabs.items() if starts(text, job)]
    if lines and found.cron_runs is False:
        problems.append(
            bad(
                f"{job.id}: {lines[0]} has it, and no cron is running",
                "As root: apt-get install -y cron && systemctl enable --now cron",
            )
        )
    by += lines
    if len(by) > 1:
        problems.append(
            note(f"{job.id}: {_and(by)} start it: twice", "Leave one: camdl schedule uninstall")
        )
    return by, problems


def _disagreement(
    job: Job, by: Sequence[str], last_runs: Mapping[str, datetime | None], now: datetime
) -> Iterator[Finding]:
    """Whether the last run is older than it can be if all is well."""
    if job.verb not in last_runs:
        return
    last, every = last_runs[job.verb], in_words(job.every)
    if last is None:
        yield note(f"{job.id}: {by[0]} starts it every {every}, and no run of it is recorded yet")
    elif now - last > 2 * job.every:
        yield bad(
            f"{job.id}: {by[0]} starts it every {every}, and the last run recorded began "
            f"{in_words(now - last)} ago",
            f"See why: journalctl --unit=camdl-{job.id} --unit=cron --since=-1d",
        )


def _unfound(
    jobs: Sequence[Job], last_runs: Mapping[str, datetime | None], now: datetime
) -> Iterator[Finding]:
    """What is to be known of jobs that nothing seems to start."""
    in_time: list[str] = []
    others: list[str] = []
    for job in jobs:
        last = last_runs.get(job.verb)
        if last and now - last <= 2 * job.every:
            in_time.append(job.id)
        elif job.id == _MOST_IMPORTANT:
            yield bad(f"{job.id}: nothing here starts it every {in_words(job.every)}", _INSTALL)
        else:
            others.append(job.id)
    if in_time:
        them, they = ("it", "it") if len(in_time) == 1 else ("them", "they")
        yield note(f"{_and(in_time)}: what starts {them} was not found, but {they} ran in time")
    if others:
        them = "it" if len(others) == 1 else "them"
        yield note(f"{_and(others)}: nothing here starts {them}", _INSTALL)


def _moment(told: str) -> datetime | None:
    """`Mon 2025-09-08 20:22:30 UTC` or `@1757362950` as systemd writes it; nothing, and 0, is none.

    Whichever it was asked for: systemd 252 has the seconds of no timer.
    """
    if told.endswith(" UTC"):
        try:
            # Without the day's name, which would depend on the locale.
            return datetime.strptime(f"{told.partition(' ')[2]}+0000", "%Y-%m-%d %H:%M:%S UTC%z")
        except ValueError:
            return None
    seconds = told.removeprefix("@").split(".")[0]
    if not seconds.isdecimal() or not int(seconds):
        return None
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):  # "infinity", as a number
        return None


def _and(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
