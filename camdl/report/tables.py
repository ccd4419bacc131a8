"""Tables for a person at a terminal. Import it late: Rich takes time to load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from camdl.domain.captures import utc
from camdl.domain.durations import in_words, to_the_tenth
from camdl.domain.health import Status
from camdl.domain.outcomes import Outcome
from camdl.domain.text import one_line

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from camdl.domain.health import Check, Health
    from camdl.domain.outcomes import Counts, RunRecord, StreamResult

_OUTCOME_STYLES = {
    Outcome.OK: "green",
    Outcome.PARTLY: "yellow",
    Outcome.FAILED: "red",
    Outcome.INTERRUPTED: "yellow",
}
STATUS_STYLES = {
    Status.HEALTHY: "green",
    Status.UNKNOWN: "magenta",
    Status.WARNING: "yellow",
    Status.DEGRADED: "yellow",
    Status.CRITICAL: "red",
}
_LONGEST_REASON = 1000
_NUMBERS = ("listed", "new", "saved", "rejected", "failed")


def show_run(console: Console, run: RunRecord, now: datetime) -> None:
    """Print the closing table of `run`, why streams are not ok, and the totals. `now` is UTC."""
    if run.streams:
        console.print(run_table(run, now))
    for line in reason_lines(run):
        _print_line(console, Text(line, "yellow"))
    _print_line(console, Text(total_line(run)))


def show_health(console: Console, health: Health) -> None:
    """Print the verdict as a table, and what to do below it."""
    headline = Text("camdl is ")
    headline.append(str(health.status), STATUS_STYLES[health.status])
    _print_line(console, headline)
    console.print(health_table(health))
    for check in health.problems:
        if check.advice:
            _print_line(console, Text(f"{check.name}: {one_line(check.advice)}"))


def run_table(run: RunRecord, now: datetime) -> Table:
    """One row a stream: what was listed and became of it, and the newest capture and its age."""
    # Without lines between them the columns fit into a terminal of 80.
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    table.add_column("stream", overflow="fold")
    for heading in _NUMBERS:
        table.add_column(heading, justify="right")
    table.add_column("newest capture", overflow="fold")
    table.add_column("age", justify="right")
    for result in run.streams:
        table.add_row(
            Text(result.stream, _OUTCOME_STYLES[result.outcome]),
            *_numbers(result.counts),
            *_newest(result.newest, now),
        )
    return table


def reason_lines(run: RunRecord) -> list[str]:
    """One line for each stream of `run` that is not ok: which, how, and why."""
    return [_reason_line(result) for result in run.streams if result.outcome is not Outcome.OK]


def total_line(run: RunRecord) -> str:
    """What `run` did, in one line."""
    counts = run.counts
    streams = f"{len(run.streams)} stream{'' if len(run.streams) == 1 else 's'}"
    parts = [f"{getattr(counts, name)} {name}" for name in _NUMBERS[1:]]
    if counts.duplicate:
        parts.insert(2, f"{counts.duplicate} already in the archive")
    took = f" in {to_the_tenth(run.ended_at - run.started_at)}" if run.ended_at else ""
    return f"{streams}: {', '.join(parts)}{took}"


def health_table(health: Health) -> Table:
    """One row a check: its status and the reason for it."""
    table = Table()
    table.add_column("check", overflow="fold")
    table.add_column("status")
    table.add_column("reason", overflow="fold")
    for check in health.checks:
        table.add_row(*_check_row(check))
    return table


def _check_row(check: Check) -> tuple[Text, Text, Text]:
    status = Text(str(check.status), STATUS_STYLES[check.status])
    return Text(one_line(check.name)), status, Text(one_line(check.reason))


def _numbers(counts: Counts) -> list[str]:
    return [str(getattr(counts, name)) for name in _NUMBERS]


def _newest(newest: datetime | None, now: datetime) -> tuple[str, str]:
    if newest is None:
        return "none", ""
    age = in_words(now - newest)
    return f"{utc(newest):%Y-%m-%d %H:%MZ}", age if newest <= now else f"in {age}"


def _reason_line(result: StreamResult) -> str:
    said = f"{result.stream} {result.outcome}"
    # Its end may say where something is kept for a look.
    return one_line(f"{said}: {result.reason}" if result.reason else said, _LONGEST_REASON)


def _print_line(console: Console, text: Text) -> None:
    """However narrow the terminal: a line that a person may copy or grep stays one."""
    console.print(text, soft_wrap=True, highlight=False)
