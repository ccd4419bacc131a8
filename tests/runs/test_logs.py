"""What a log file has of runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.gate import Gate
    from tests.support.program import Program

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?P<level>\w+) camdl\[\d+\]: "
    r"(?P<verb>\w+) \d{8}T\d{6}Z-[0-9a-f]{8}: (?P<said>.*)"
)


def said(file: Path) -> list[str]:
    """Level, verb and words of each line, without the numbers of seconds."""
    found = [LINE.fullmatch(line) for line in file.read_text().splitlines()]
    assert all(found), file.read_text()
    return [
        re.sub(r"[0-9.]+ s\b", "N s", f"{one['level']} {one['verb']}: {one['said']}")
        for one in found
        if one
    ]


def test_a_line_for_each_run(program: Program, gate: Gate) -> None:
    """Under cron nothing is printed, and the log tells what every run did."""
    log = program.home / "log" / "camdl.log"
    program.configure(gate, log_file=str(log))
    for command in ("download", "verify"):
        done = program.run(command)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert said(log) == [
        "info download: in_gate 2 saved, out_gate 2 saved, ok in N s",
        "info verify: ok in N s",
    ]


def test_verbose_adds_what_took_how_long(program: Program, gate: Gate) -> None:
    """The browser's start, each page, each stage of a stream's images, and their record."""
    log = program.home / "camdl.log"
    program.configure(gate, log_file=str(log))
    done = program.run("download", "-v", "--stream", "in_gate")
    told = re.sub(r"\d+ ms|[0-9.]+ s\b", "N s", done.stderr)
    assert "camdl: the browser started in N s\n" in told
    assert "camdl: in_gate: its page was read in N s\n" in told
    assert "camdl: in_gate: fetch 2 x N s, check 2 x N s, store 2 x N s\n" in told
    assert "camdl: record 1 x N s\n" in told
    assert "info download: the browser started in N s" in said(log)
