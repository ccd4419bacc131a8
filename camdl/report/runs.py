"""Past runs for a person or a program. Import it late: Rich takes time to load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from camdl.domain.captures import utc
from camdl.domain.durations import to_the_tenth
from camdl.domain.endings import Ending
from camdl.domain.events import done_in_words
from camdl.domain.outcomes import Outcome
from camdl.domain.text import one_line
from camdl.report.record import run_as_dict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from rich.console import Console

    from camdl.domain.endings import PastRun
    from camdl.domain.outcomes import RunRecord, StreamResult

ENDING_STYLES = {
    Ending.OK: "green",
    Ending.PARTLY: "yellow",
    Ending.FAILED: "red",
    Ending.INTERRUPTED: "yellow",
    Ending.RUNNING: "cyan",
    Ending.KILLED: "red",
    Ending.UNKNOWN: "yellow",
}
_LONGEST = 1000


def show_runs(console: Console, runs: Sequence[PastRun]) -> None:
    """Print a table of `runs`, and below it why those that are not ok were not."""
    if not runs:
        console.print(Text("No such run is recorded."))
        return
    console.print(runs_table(runs))
    for one in runs:
        for line in _reasons(one.run):
            console.print(Text(line, "yellow"), soft_wrap=True, highlight=False)
    if any(one.ending is Ending.UNKNOWN for one in runs):
        note = "no end: it goes on, or it was killed; nothing tells which."
        console.print(Text(note), soft_wrap=True, highlight=False)


def runs_table(runs: Sequence[PastRun]) -> Table:
    """One row a run, and one more for each further stream of it."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    table.add_column("started", no_wrap=True)
    table.add_column("verb", no_wrap=True)
    table.add_column("ended", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("stream", overflow="fold")
    table.add_column("captures", overflow="fold")
    for one in runs:
        run = one.run
        took = to_the_tenth(run.ended_at - run.started_at) if run.ended_at else ""
        ended = Text(str(one.ending), ENDING_STYLES[one.ending])
        begin = (minute(run.started_at), Text(one_line(run.verb)), ended, took)
        streams = [(Text(result.stream), _captures(result)) for result in run.streams]
        table.add_row(*begin, *(streams[0] if streams else ("", "")))
        for stream in streams[1:]:
            table.add_row("", "", "", "", *stream)
    return table


def runs_as_json(runs: Sequence[PastRun]) -> str:
    """The same as JSON; times are UTC."""
    return json.dumps([{**run_as_dict(one.run), "ending": one.ending} for one in runs], indent=2)


def minute(moment: datetime) -> str:
    """A time as tables have it, in UTC."""
    return f"{utc(moment):%Y-%m-%d %H:%MZ}"


def _captures(result: StreamResult) -> Text:
    """What became of a stream's captures; that nothing did is told of runs that went well."""
    said = done_in_words(result.counts)
    return Text(said or ("0 new" if result.outcome is Outcome.OK else ""))


def _reasons(run: RunRecord) -> Iterator[str]:
    """Why `run` was not ok: its own error, and those of its streams that are not the same."""
    begin = f"{minute(run.started_at)} {run.verb}"
    if run.error:
        yield one_line(f"{begin}: {run.error}", _LONGEST)
    for result in run.streams:
        if result.outcome is not Outcome.OK and result.reason not in ("", run.error):
            yield one_line(f"{begin}: {result.stream} {result.outcome}: {result.reason}", _LONGEST)
