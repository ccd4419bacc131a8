"""Past runs, as they are shown."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from rich.console import Console

from camdl.domain.endings import Ending, PastRun
from camdl.domain.outcomes import Counts, Outcome, RunRecord, StreamResult
from camdl.report.runs import runs_as_json, show_runs

NOON = datetime(2025, 9, 8, 12, tzinfo=UTC)
GOOD = PastRun(
    RunRecord(
        "3",
        "download",
        NOON,
        NOON + timedelta(seconds=4.2),
        Outcome.OK,
        0,
        streams=(
            StreamResult("in_gate", Outcome.OK, Counts(saved=12), NOON, 1.0),
            StreamResult("out_gate", Outcome.OK, Counts(), NOON, 1.0),
        ),
    ),
    Ending.OK,
)
BAD = PastRun(
    replace(
        GOOD.run,
        id="2",
        started_at=NOON - timedelta(minutes=10),
        outcome=Outcome.PARTLY,
        exit_code=1,
        streams=(
            StreamResult("in_gate", Outcome.PARTLY, Counts(rejected=1), NOON, 1.0, "HTML"),
            StreamResult("out_gate", Outcome.FAILED, Counts(failed=2), NOON, 1.0, "no\nhost"),
        ),
    ),
    Ending.PARTLY,
)
BROKEN = PastRun(
    RunRecord("1", "cleanup", NOON - timedelta(hours=9), NOON, Outcome.FAILED, 74, "no space"),
    Ending.FAILED,
)
ENDLESS = PastRun(RunRecord("0", "verify", NOON - timedelta(hours=10)), Ending.UNKNOWN)


def shown(*runs: PastRun, width: int = 80, colour: bool = False) -> str:
    """What is printed."""
    out = io.StringIO()
    system: Literal["standard"] | None = "standard" if colour else None
    console = Console(file=out, width=width, force_terminal=colour, color_system=system)
    show_runs(console, runs)
    return out.getvalue()


def test_a_table_and_the_reasons() -> None:
    """A run a row, a line a stream; below it why those that were not ok were not."""
    assert [line.rstrip() for line in shown(GOOD, BAD, BROKEN).splitlines()] == [
        "started            verb      ended     took  stream    captures",
        "─────────────────────────────────────────────────────────────────",
        "2025-09-08 12:00Z  download  ok       4.2 s  in_gate   12 saved",
        "                                             out_gate  0 new",
        "2025-09-08 11:50Z  download  partly  10 min  in_gate   1 rejected",
        "                                             out_gate  2 failed",
        "2025-09-08 03:00Z  cleanup   failed     9 h",
        "2025-09-08 11:50Z download: in_gate partly: HTML",
        "2025-09-08 11:50Z download: out_gate failed: no host",
        "2025-09-08 03:00Z cleanup: no space",
    ]


def test_it_fits_into_80_columns() -> None:
    """With the longest words that there are, and without colour."""
    counts = Counts(saved=1200, duplicate=30, rejected=400, failed=5)
    streams = tuple(replace(one, counts=counts) for one in GOOD.run.streams)
    long = replace(GOOD.run, streams=streams, ended_at=NOON + timedelta(hours=25))
    lines = shown(PastRun(long, Ending.INTERRUPTED), ENDLESS).splitlines()
    assert all(len(line) <= 80 for line in lines)
    text = " ".join(" ".join(lines).split())
    assert "interrupted 1 d 1 h in_gate 1200 saved and 30" in text
    # What does not fit goes on below, beside its own stream.
    assert text.index("5 failed") < text.index("out_gate")
    assert "\x1b" not in "".join(lines)


def test_what_has_no_end_is_explained() -> None:
    """Below the table, where there is such a run."""
    assert "no end: it goes on, or it was killed" in shown(ENDLESS)
    assert "no end" not in shown(GOOD)


def test_an_error_that_is_its_streams_too_is_told_once() -> None:
    """A run that was broken off has the same reason everywhere."""
    streams = tuple(
        replace(one, outcome=Outcome.FAILED, reason="no space") for one in BAD.run.streams
    )
    text = shown(PastRun(replace(BAD.run, error="no space", streams=streams), Ending.FAILED))
    assert text.count("no space") == 1


def test_nothing_to_show() -> None:
    """It is said."""
    assert shown() == "No such run is recorded.\n"


def test_colours_are_beside_the_words() -> None:
    """What is red to some is a word to all."""
    assert "\x1b[32mok" in shown(GOOD, colour=True)


def test_json() -> None:
    """A list of records, each with how the run ended."""
    first, second = json.loads(runs_as_json([GOOD, ENDLESS]))
    assert (first["id"], first["ending"], first["streams"][0]["counts"]["saved"]) == ("3", "ok", 12)
    assert (second["outcome"], second["ending"], second["ended_at"]) == (None, "no end", None)
