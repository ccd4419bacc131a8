"""The overview, as it is shown."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from camdl.domain.coverage import Cell, Coverage
from camdl.domain.gaps import Cause, Gap
from camdl.domain.health import (
    Check,
    Database,
    DiskUsage,
    Health,
    JobHealth,
    LockHolder,
    Status,
    StreamHealth,
    Thresholds,
)
from camdl.domain.outcomes import Outcome
from camdl.domain.overview import Overview
from camdl.domain.windows import Window
from camdl.report.status import show_status, status_as_json, watch
from tests.support.terminal import COLOUR, Terminal, plain

NOW = datetime(2025, 9, 8, 20, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WINDOW = Window(NOW - timedelta(hours=23, minutes=30), NOW + timedelta(minutes=30))
CELLS = (
    *[Cell.BEFORE] * 6,
    *[Cell.ARCHIVED] * 90,
    *[Cell.MISSING] * 3,
    *[Cell.CLOSED] * 12,
    *[Cell.ARCHIVED] * 29,
    *[Cell.TO_COME] * 4,
)
GAP = Gap(
    "in_gate", Window(NOW - 9 * timedelta(hours=1), NOW - timedelta(hours=8)), 3, Cause.NOT_RUN
)


def stream(name: str, status: Status, age: timedelta | None) -> StreamHealth:
    """The verdict on a stream."""
    return StreamHealth(name, status, 10 * MINUTE, NOW - age if age is not None else None, age, 0)


LOCK = LockHolder("download", 4711, NOW)
GOOD = Overview(
    Health(
        status=Status.HEALTHY,
        timestamp=NOW,
        version="1.2.3",
        database=Database.CONNECTED,
        disk=DiskUsage(31.4, 412_300_000_000, 2.2),
        thresholds=Thresholds(),
        jobs=(
            JobHealth("download", "Download", NOW, Outcome.OK, NOW + 10 * MINUTE, NOW),
            JobHealth("cleanup", "Clean-up", None, None, NOW + 60 * MINUTE, None),
            JobHealth("verify", "Check of files", None, None, None, None),
            JobHealth("health", "Verdict", None, None, NOW + 5 * MINUTE, None),
        ),
        streams=(
            stream("in_gate", Status.HEALTHY, 8 * MINUTE),
            stream("out_gate", Status.HEALTHY, 7 * MINUTE),
        ),
        checks=(Check("database", Status.HEALTHY, "the catalogue can be read"),),
    ),
    tuple(
        Coverage(name, WINDOW, ZoneInfo("UTC"), 10 * MINUTE, CELLS, 119, 3)
        for name in ("in_gate", "out_gate")
    ),
    (GAP,),
)
BAD = Overview(
    replace(
        GOOD.health,
        status=Status.CRITICAL,
        database=Database.DISCONNECTED,
        disk=None,
        jobs=(
            JobHealth("download", "Download", NOW, Outcome.INTERRUPTED, NOW + 10 * MINUTE, None),
        ),
        streams=(
            stream("in_gate", Status.CRITICAL, timedelta(days=3, hours=4)),
            stream("out_gate", Status.UNKNOWN, None),
            stream("a_gate_with_a_long_name", Status.WARNING, -20 * MINUTE),
        ),
        checks=(
            Check("database", Status.CRITICAL, "the catalogue is locked", "Unlock it."),
            Check("disk", Status.UNKNOWN, "a stale file handle"),
        ),
        lock=LOCK,
    ),
    fault="the catalogue is locked",
)


def shown(
    overview: Overview, *, width: int = 80, colour: bool = False, encoding: str = "utf-8"
) -> list[str]:
    """The lines that are printed, without blanks at their ends."""
    system: Literal["standard"] | None = "standard" if colour else None
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    show_status(
        Console(file=out, width=width, force_terminal=colour, color_system=system), overview
    )
    out.seek(0)
    return [line.rstrip() for line in out.read().splitlines()]


def test_all_of_it_at_80_columns() -> None:
    """As a terminal of usual width shows it, without colour."""
    expected = f"""\
camdl 1.2.3 is healthy at 2025-09-08 20:30Z

stream    status   newest capture       age  24 h  missing
{"─" * 58}
in_gate   healthy  2025-09-08 20:22Z  8 min   119        3
out_gate  healthy  2025-09-08 20:23Z  7 min   119        3

in_gate, 24 hours in UTC
21:00       {"█" * 66}
09:00 {"█" * 24}×××{"─" * 12}{"█" * 29}····
out_gate, 24 hours in UTC
21:00       {"█" * 66}
09:00 {"█" * 24}×××{"─" * 12}{"█" * 29}····
█ archived   × missing   ─ closed   · to come

job       last run           ended  last good run      next run
{"─" * 72}
download  2025-09-08 20:30Z  ok     2025-09-08 20:30Z  2025-09-08 20:40Z
cleanup   none                      none               2025-09-08 21:30Z
verify    none                      none               not scheduled
health                                                 2025-09-08 20:35Z

3 captures missing that may still come; see camdl gaps:
  in_gate 2025-09-08 11:30Z to 12:30Z: 3 missing, camdl did not run
31 % of the disk is used, 412.3 GB are free; 2 % of its inodes are used.
"""
    assert shown(GOOD) == expected.splitlines()


def test_when_things_are_bad() -> None:
    """What is wrong comes first, with what to do; what is not known is said to be unknown."""
    expected = """\
camdl 1.2.3 is critical at 2025-09-08 20:30Z; download is running (pid 4711,
since 2025-09-08 20:30Z)
critical: the catalogue is locked
  → Unlock it.
unknown: a stale file handle

stream                   status    newest capture           age  24 h  missing
──────────────────────────────────────────────────────────────────────────────
in_gate                  critical  2025-09-05 16:30Z    3 d 4 h
out_gate                 unknown   none
a_gate_with_a_long_name  warning   2025-09-08 20:50Z  in 20 min

job       last run           ended        last good run  next run
──────────────────────────────────────────────────────────────────────────
download  2025-09-08 20:30Z  interrupted  none           2025-09-08 20:40Z

Gaps are not known.
The disk's usage is not known."""
    assert shown(BAD) == expected.splitlines()


@pytest.mark.parametrize("overview", [GOOD, BAD])
@pytest.mark.parametrize("width", [20, 40, 80, 132, 250])
def test_no_line_is_wider_than_the_terminal(overview: Overview, width: int) -> None:
    """Whatever its width."""
    assert max(map(len, shown(overview, width=width))) <= width


def test_letters_that_every_terminal_has() -> None:
    """Without Unicode the signs are others, and are explained."""
    text = "\n".join(shown(GOOD, encoding="ascii"))
    assert "09:00 ########################xxx------------#####" in text
    assert "# archived   x missing   - closed   . to come" in text


def test_colours_are_beside_the_signs() -> None:
    """They say the same; in the terminal's own colours, which suit light and dark ones."""
    text = "\n".join(shown(GOOD, colour=True))
    assert COLOUR.search(text)
    assert "\x1b[1;31m×" in text
    assert "38;2" not in text
    assert "48;" not in text


@pytest.mark.parametrize(
    ("lock", "ended"),
    [(LOCK, "running"), (None, "no end"), (replace(LOCK, verb="cleanup"), "no end")],
)
def test_a_run_without_an_end(lock: LockHolder | None, ended: str) -> None:
    """It goes on if its command has the lock; else nobody knows."""
    job = JobHealth("download", "Download", NOW, None, NOW, NOW)
    text = shown(replace(GOOD, health=replace(GOOD.health, jobs=(job,), lock=lock)))
    (line,) = (one for one in text if one.startswith("download "))
    assert f" {ended} " in line


def test_many_streams_have_a_row_each() -> None:
    """So that all of them are seen at once; what is missing is seen in any case."""
    days = tuple(replace(GOOD.days[0], stream=f"gate_{n}") for n in range(20))
    text = shown(replace(GOOD, days=days))
    strips = [line for line in text if line.startswith("21:00 ")]
    assert len(strips) == 20
    assert all(line.count("×") == 2 for line in strips)
    assert not any(line.startswith("09:00") for line in text)


def test_a_catalogue_that_broke_after_the_verdict() -> None:
    """It is told although the verdict knows nothing of it."""
    text = shown(replace(GOOD, days=(), gaps=(), fault="the catalogue is locked"))
    assert text[1] == "the catalogue is locked"
    assert "Gaps are not known." in text


def test_only_the_newest_gaps_are_told() -> None:
    """The others are counted."""
    long = replace(GAP, window=Window(NOW - timedelta(days=2), NOW), missing=1)
    text = shown(replace(GOOD, gaps=(long, *[GAP] * 6)))
    assert text[-8:-2] == [
        "19 captures missing that may still come; see camdl gaps:",
        "  in_gate 2025-09-06 20:30Z to 2025-09-08 20:30Z: 1 missing, camdl did not run",
        *["  in_gate 2025-09-08 11:30Z to 12:30Z: 3 missing, camdl did not run"] * 4,
    ]
    assert text[-2] == "  and 2 older gaps"
    assert "No gap is open." in shown(replace(GOOD, gaps=()))


def test_json() -> None:
    """The verdict as everywhere, each slot of each stream, and the gaps."""
    told = json.loads(status_as_json(replace(GOOD, health=replace(GOOD.health, lock=LOCK))))
    assert told["health"]["status"] == "healthy"
    assert told["lock"] == {"verb": "download", "pid": 4711, "since": "2025-09-08T20:30:00Z"}
    day = told["days"][0]
    assert (day["from"], day["slot_seconds"]) == ("2025-09-07T21:00:00Z", 600)
    assert day["slots"] == [str(cell) for cell in CELLS]
    assert [gap["missing"] for gap in told["gaps"]] == [3]
    assert json.loads(status_as_json(GOOD))["lock"] is None


class EnoughError(Exception):
    """The test has seen enough."""


def test_it_is_shown_again_and_again_in_place() -> None:
    """On a screen of its own, which is gone at the end with all that was on it."""
    looks = iter([GOOD, BAD, GOOD])
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if sum(slept) > 20:
            raise EnoughError

    with Terminal() as terminal:
        console = Console(file=terminal.file, width=80, height=40, force_terminal=True)
        with pytest.raises(EnoughError):
            watch(console, lambda: next(looks), 7, sleep)
    assert max(slept) <= 0.1  # whoever wants it to end waits no longer
    assert terminal.shown.count("Every 7 s; Ctrl-C ends it.") == 3
    assert terminal.shown.count("\x1b[?1049h") == terminal.shown.count("\x1b[?1049l") == 1
    _, after = terminal.shown.rsplit("\x1b[?1049l", 1)
    assert "\x1b[?25h" in terminal.shown.rsplit("Ctrl-C", 1)[1]  # the cursor is back
    assert plain(after).strip() == ""
