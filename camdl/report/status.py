"""An overview for a person or a program. Import it late: Rich takes time to load."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from camdl.domain.coverage import Cell, rows
from camdl.domain.durations import in_words
from camdl.domain.endings import Ending
from camdl.domain.gaps import CAUSES_IN_WORDS
from camdl.domain.health import floor, iso
from camdl.domain.text import one_line
from camdl.report.gaps import gaps_as_dicts
from camdl.report.runs import ENDING_STYLES, minute
from camdl.report.tables import STATUS_STYLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType

    from camdl.domain.coverage import Coverage
    from camdl.domain.gaps import Gap
    from camdl.domain.health import Check, Health, JobHealth, LockHolder
    from camdl.domain.overview import Overview

_GLYPHS = {
    Cell.ARCHIVED: "█",
    Cell.MISSING: "×",
    Cell.CLOSED: "─",
    Cell.TO_COME: "·",
    Cell.BEFORE: " ",
}
# For terminals of other letters than Unicode's.
_ASCII = {
    Cell.ARCHIVED: "#",
    Cell.MISSING: "x",
    Cell.CLOSED: "-",
    Cell.TO_COME: ".",
    Cell.BEFORE: " ",
}
_CELL_STYLES = {
    Cell.ARCHIVED: "green",
    Cell.MISSING: "bold red",
    Cell.CLOSED: "blue",
    Cell.TO_COME: "",
    Cell.BEFORE: "",
}
_LABEL = "00:00 "
_NARROWEST = 12
# So many rows of strips for all streams together, as long as each has one.
_ROWS = 12
_ROWS_OF_ONE = 4
_GAPS = 5
_MOMENT = 0.1
# Looking is no run.
_NOT_RECORDED = "health"


class OverviewView:
    """`overview` as it is shown on a console; `hint` is a line below its first one.

    What matters most comes first: a screen that is too low shows only the beginning.
    """

    def __init__(self, overview: Overview, hint: str = "") -> None:
        self._overview = overview
        self._hint = hint

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """The verdict, what is wrong, streams and their last day, jobs, gaps and the disk."""
        glyphs = _ASCII if options.ascii_only else _GLYPHS
        overview = self._overview
        health = overview.health
        yield _headline(overview)
        if self._hint:
            yield Text(self._hint, no_wrap=True, overflow="ellipsis")
        for check in health.problems:
            yield from _problem(check, "->" if options.ascii_only else "→")
        if overview.fault and health.problems == ():
            yield Text(overview.fault, "red")
        yield Text()
        yield _streams(overview)
        if overview.days:
            yield Text()
            yield from _strips(overview.days, glyphs, options.max_width)
        yield Text()
        yield _jobs(health)
        yield Text()
        yield from _gaps(overview)
        yield _disk(health)


def show_status(console: Console, overview: Overview) -> None:
    """Print it."""
    console.print(OverviewView(overview))


def watch(
    console: Console,
    look: Callable[[], Overview],
    seconds: float,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Show what `look` finds every so many `seconds`, in place, until something is raised.

    The terminal is as it was then.
    """
    hint = f"Every {seconds:g} s; Ctrl-C ends it."
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(Group(OverviewView(look(), hint)), refresh=True)
            # A signal that comes just before a sleep is taken notice of only after it.
            for _ in range(round(seconds / _MOMENT)):
                sleep(_MOMENT)


def status_as_json(overview: Overview) -> str:
    """The same for a program; times are UTC."""
    holder = overview.health.lock
    return json.dumps(
        {
            "health": overview.health.to_dict(),
            "lock": holder and {"verb": holder.verb, "pid": holder.pid, "since": iso(holder.since)},
            "days": [_day_as_dict(one) for one in overview.days],
            "gaps": gaps_as_dicts(overview.gaps),
            "fault": overview.fault,
        },
        indent=2,
    )


def _day_as_dict(day: Coverage) -> dict[str, object]:
    return {
        "stream": day.stream,
        "from": iso(day.window.start),
        "to": iso(day.window.end),
        "slot_seconds": round(day.slot.total_seconds()),
        "archived": day.archived,
        "missing": day.missing,
        "slots": [str(cell) for cell in day.cells],
    }


def _headline(overview: Overview) -> Text:
    health, holder = overview.health, overview.health.lock
    line = Text(f"camdl {health.version} is ")
    line.append(str(health.status), STATUS_STYLES[health.status])
    line.append(f" at {minute(health.timestamp)}")
    if holder:
        since = minute(holder.since)
        line.append(f"; {holder.verb} is running (pid {holder.pid}, since {since})")
    return line


def _problem(check: Check, arrow: str) -> Iterator[Text]:
    """What is not healthy, and below it what to do about it."""
    line = Text(f"{check.status}: ", STATUS_STYLES[check.status])
    line.append(one_line(check.reason, 500), "")
    yield line
    if check.advice:
        yield Text(f"  {arrow} {one_line(check.advice, 500)}")


def _streams(overview: Overview) -> Table:
    days = {day.stream: day for day in overview.days}
    table = _table("stream", "status", "newest capture")
    for heading in ("age", "24 h", "missing"):
        table.add_column(heading, justify="right", no_wrap=True)
    for stream in overview.health.streams:
        age = "" if stream.age is None else in_words(stream.age)
        ahead = stream.age is not None and stream.age.total_seconds() < 0
        day = days.get(stream.name)
        table.add_row(
            Text(stream.name),
            Text(str(stream.status), STATUS_STYLES[stream.status]),
            minute(stream.newest) if stream.newest else "none",
            f"in {age}" if ahead else age,
            str(day.archived) if day else "",
            Text(str(day.missing), "red" if day.missing else "") if day else "",
        )
    return table


def _strips(
    days: Sequence[Coverage], glyphs: Mapping[Cell, str], width: int
) -> Iterator[RenderableType]:
    """The last day of each stream, and what the signs mean."""
    most = max(1, min(_ROWS_OF_ONE, _ROWS // len(days)))
    for day in days:
        yield Text(f"{day.stream}, 24 hours in {day.zone.key}", no_wrap=True, overflow="ellipsis")
        for row in rows(day, max(_NARROWEST, width - len(_LABEL)), most):
            line = Text(f"{row.start:%H:%M} ", no_wrap=True)
            for cell in row.cells:
                line.append(glyphs[cell], _CELL_STYLES[cell])
            yield line
    legend = Text()
    for cell in (Cell.ARCHIVED, Cell.MISSING, Cell.CLOSED, Cell.TO_COME):
        legend.append("   " if legend else "")
        legend.append(glyphs[cell], _CELL_STYLES[cell])
        legend.append(f" {cell}")
    yield legend


def _jobs(health: Health) -> Table:
    table = _table("job", "last run", "ended", "last good run", "next run")
    for job in health.jobs:
        ended = _ending(job, health.lock)
        none = "" if job.id == _NOT_RECORDED else "none"
        table.add_row(
            Text(job.id),
            minute(job.last_run) if job.last_run else none,
            Text(str(ended), ENDING_STYLES[ended]) if ended else "",
            minute(job.last_good_run) if job.last_good_run else none,
            minute(job.next_run) if job.next_run else "not scheduled",
        )
    return table


def _ending(job: JobHealth, lock: LockHolder | None) -> Ending | None:
    """How its last run ended, None if there was none."""
    if job.last_run is None:
        return None
    if job.outcome is not None:
        return Ending(str(job.outcome))
    return Ending.RUNNING if lock and lock.verb == job.id else Ending.UNKNOWN


def _gaps(overview: Overview) -> Iterator[Text]:
    if overview.fault:
        yield Text("Gaps are not known.")
        return
    missing = sum(gap.missing for gap in overview.gaps)
    if not missing:
        yield Text("No gap is open.")
        return
    captures = f"{missing} capture{'' if missing == 1 else 's'}"
    yield Text(f"{captures} missing that may still come; see camdl gaps:", "red")
    yield from map(_gap, overview.gaps[:_GAPS])
    if (more := len(overview.gaps) - _GAPS) > 0:
        yield Text(f"  and {more} older gap{'' if more == 1 else 's'}")


def _gap(gap: Gap) -> Text:
    window = gap.window
    end = f"{window.end:%H:%MZ}" if window.start.date() == window.end.date() else minute(window.end)
    return Text(
        f"  {gap.stream} {minute(window.start)} to {end}: {gap.missing} missing, "
        f"{CAUSES_IN_WORDS[gap.cause]}"
    )


def _disk(health: Health) -> Text:
    if health.disk is None:
        return Text("The disk's usage is not known.")
    disk = health.disk
    return Text(
        f"{floor(disk.percent):g} % of the disk is used, {disk.free_bytes / 1e9:.1f} GB are free; "
        f"{floor(disk.inodes_percent):g} % of its inodes are used."
    )


def _table(*headings: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
