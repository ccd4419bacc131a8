"""What a person and a program read of gaps."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from camdl.domain.gaps import CAUSES_IN_WORDS, Cause, Gap
from camdl.domain.windows import Window
from camdl.report.gaps import gaps_as_json, show_gaps, total_line

START = datetime(2025, 9, 8, 20, 22, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
OPEN = Gap("in_gate", Window(START, START + HOUR), 6, Cause.UNREACHABLE, "no such host")
CONFIRMED = replace(OPEN, missing=1, cause=Cause.NOT_RUN, detail="", confirmed_at=START + 2 * HOUR)
RESOLVED = replace(OPEN, missing=3, resolved_at=START + 3 * HOUR)


def shown(*gaps: Gap, terminal: bool = False, width: int = 160) -> str:
    """What is printed."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=width)
    show_gaps(console, gaps)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def cells(text: str) -> list[list[str]]:
    """The cells of the table in `text`."""
    lines = [re.split(r" {2,}", line.strip()) for line in text.splitlines()]
    return [line for line in lines if len(line) > 1]


def test_each_gap_is_a_row() -> None:
    """Where, how much, why in words, and whether it may still come."""
    head, *rows = cells(shown(OPEN, CONFIRMED).replace("Z ", "Z  "))
    assert [word for cell in head for word in cell.split()] == [
        *("stream", "from", "to", "missing", "cause", "state", "detail"),
    ]
    first, second = (" ".join(row) for row in rows)
    assert first == (
        "in_gate 2025-09-08 20:22Z 2025-09-08 21:22Z 6 the source could not be reached open "
        "no such host"
    )
    assert "camdl did not run" in second
    assert "confirmed" in second


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_words(cause: Cause) -> None:
    """No person has to look up what a cause means."""
    assert CAUSES_IN_WORDS[cause] in shown(replace(OPEN, cause=cause))


def test_nothing_in_a_detail_moves_the_cursor() -> None:
    """What a source said is shown as text."""
    text = shown(replace(OPEN, detail="[bold]no\nimage\x1b[2J"))
    assert "[bold]no image\\x1b[2J" in text


@pytest.mark.parametrize(
    ("gaps", "line"),
    [
        ([], "No captures are known to be missing."),
        ([RESOLVED], "No captures are known to be missing."),
        ([OPEN, RESOLVED], "6 captures missing in 1 gap"),
        (
            [OPEN, CONFIRMED],
            "7 captures missing in 2 gaps; 1 of them the source does not have",
        ),
        ([replace(OPEN, missing=1)], "1 capture missing in 1 gap"),
    ],
)
def test_the_total(gaps: list[Gap], line: str) -> None:
    """How many are missing, what was filled not counted, is the last line."""
    assert total_line(gaps) == line
    assert shown(*gaps).splitlines()[-1] == line


def test_without_gaps_there_is_no_table() -> None:
    """One line says so."""
    assert shown().count("\n") == 1


def test_a_narrow_terminal_loses_nothing() -> None:
    """What does not fit goes on in the next line."""
    text = shown(OPEN, width=80)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text


def test_colour_only_at_a_terminal() -> None:
    """A pipe gets none."""
    assert "\x1b[" in shown(OPEN, terminal=True)
    assert "\x1b[" not in shown(OPEN)


def test_gaps_are_json() -> None:
    """Everything of each, times in UTC."""
    first, second, third = json.loads(gaps_as_json([OPEN, CONFIRMED, RESOLVED]))
    assert first == {
        "stream": "in_gate",
        "from": "2025-09-08T20:22:30Z",
        "to": "2025-09-08T21:22:30Z",
        "missing": 6,
        "cause": "unreachable",
        "cause_in_words": "the source could not be reached",
        "detail": "no such host",
        "state": "open",
        "confirmed_at": None,
        "resolved_at": None,
    }
    assert (second["state"], second["confirmed_at"]) == ("confirmed", "2025-09-08T22:22:30Z")
    assert (third["state"], third["resolved_at"]) == ("resolved", "2025-09-08T23:22:30Z")
    assert json.loads(gaps_as_json([])) == []
