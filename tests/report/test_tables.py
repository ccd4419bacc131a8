"""What a person reads after a run, printed for real and read back."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from camdl.domain.assessment import assess
from camdl.domain.facts import Facts, StreamFacts
from camdl.domain.health import Database, DiskUsage
from camdl.domain.outcomes import Counts, Outcome, RunRecord, StreamHistory, StreamResult
from camdl.report.tables import reason_lines, show_health, show_run, total_line

NOW = datetime(2025, 9, 8, 20, 22, 30, tzinfo=UTC)
COUNTS = Counts(144, 3, 2, 0, 1, 0)


def console(*, terminal: bool = False, width: int = 100) -> Console:
    """A console that keeps what is printed."""
    return Console(file=io.StringIO(), force_terminal=terminal, width=width)


def printed(on: Console) -> str:
    """What was printed on it."""
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def result(
    stream: str = "in_gate",
    outcome: Outcome = Outcome.OK,
    counts: Counts = COUNTS,
    newest: datetime | None = NOW - timedelta(minutes=4),
    reason: str = "",
) -> StreamResult:
    """One stream's part of a run."""
    return StreamResult(stream, outcome, counts, newest, 1.0, reason)


def run(*results: StreamResult, seconds: float | None = 12.34) -> RunRecord:
    """A run that took `seconds`."""
    ended = None if seconds is None else NOW + timedelta(seconds=seconds)
    return RunRecord("r1", "download", NOW, ended, Outcome.OK, 0, "", results)


def rows(text: str) -> list[list[str]]:
    """The cells of the table in `text` that are not empty."""
    lines = [re.split(r" {2,}|[│┃]", line) for line in text.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    return [row for row in cells if len(row) > 1]


def test_the_closing_table() -> None:
    """Each stream has its numbers, its newest capture and that one's age."""
    on = console()
    ahead = result("ahead", newest=NOW + timedelta(minutes=3))
    show_run(on, run(result(), result("out_gate", newest=None), ahead), NOW)
    head, *body = rows(printed(on))
    assert head == [
        *("stream", "listed", "new", "saved", "rejected", "failed"),
        *("newest capture", "age"),
    ]
    assert body == [
        ["in_gate", "144", "3", "2", "1", "0", "2025-09-08 20:18Z", "4 min"],
        ["out_gate", "144", "3", "2", "1", "0", "none"],
        ["ahead", "144", "3", "2", "1", "0", "2025-09-08 20:25Z", "in 3 min"],
    ]


def test_a_common_terminal_is_wide_enough() -> None:
    """On 80 columns the stream, its numbers and its times stay in one row."""
    on = console(width=80)
    show_run(on, run(result(), result("out_gate", newest=NOW - timedelta(minutes=1439))), NOW)
    assert rows(printed(on))[-2:] == [
        ["in_gate", "144", "3", "2", "1", "0", "2025-09-08 20:18Z", "4 min"],
        ["out_gate", "144", "3", "2", "1", "0", "2025-09-07 20:23Z", "23 h 59 min"],
    ]


def test_reasons_stand_below_in_one_line_each() -> None:
    """Only streams that are not ok give one; nothing in it breaks the line or moves the cursor."""
    long = "x" * 150
    bad = result("b", Outcome.FAILED, reason=f"no image\nmatches [bold] \x1b[2J {long}")
    on = console(width=40)
    show_run(on, run(result("a"), bad, result("c", Outcome.INTERRUPTED)), NOW)
    below = printed(on).splitlines()[-3:]
    assert below[0] == f"b failed: no image matches [bold] \\x1b[2J {long}"
    assert below[1] == "c interrupted"
    assert reason_lines(run(result("a"))) == []


def test_the_totals() -> None:
    """All streams together, what was found in the archive only if there was some."""
    assert total_line(run(result(), result())) == (
        "2 streams: 6 new, 4 saved, 2 rejected, 0 failed in 12.3 s"
    )
    repaired = result(counts=Counts(5, 5, 2, 3, 0, 0))
    assert total_line(run(repaired, seconds=125)) == (
        "1 stream: 5 new, 2 saved, 3 already in the archive, 0 rejected, 0 failed in 2 min"
    )
    assert total_line(run(seconds=None)) == "0 streams: 0 new, 0 saved, 0 rejected, 0 failed"


def test_a_run_without_streams_has_no_table() -> None:
    """A run that failed before it began with any says only the totals."""
    on = console()
    show_run(on, run(), NOW)
    assert printed(on).count("\n") == 1


@pytest.mark.parametrize("dull", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_only_where_it_is_wanted(dull: dict[str, str]) -> None:
    """A terminal gets colour; a pipe, a dumb terminal and one with NO_COLOR get none."""
    plain = Console(file=io.StringIO(), force_terminal=True, width=100, _environ=dull)
    for on, coloured in ((plain, False), (console(), False), (console(terminal=True), True)):
        show_run(on, run(result("b", Outcome.FAILED, reason="why")), NOW)
        assert ("\x1b[3" in printed(on)) == coloured


def test_the_verdict_for_a_person() -> None:
    """Every check has its row, and what to do stands below in one line each."""
    history = StreamHistory("in_gate", NOW - timedelta(hours=2), 1, "no\nimage [red]")
    facts = Facts(
        version="1.0",
        streams=(
            StreamFacts("in_gate", timedelta(minutes=10), history),
            StreamFacts("out_gate", timedelta(minutes=10), None),
        ),
        jobs=(),
        database=Database.CONNECTED,
        disk=DiskUsage(41, 10**12, 3),
    )
    health = assess(facts, NOW)
    on = console(width=140)
    show_health(on, health)
    text = printed(on)
    assert text.startswith("camdl is degraded\n")
    head, *body = rows(text)
    assert head == ["check", "status", "reason"]
    assert [row[0] for row in body] == [check.name for check in health.checks]
    assert "in_gate: failed in the last run: no image [red]" in text
    advice = text[text.rindex("┘") :].splitlines()[1:]
    told = [one.name for one in health.problems if one.advice]
    assert [line.partition(":")[0] for line in advice] == told
    assert 0 < len(told) < len(health.problems)
